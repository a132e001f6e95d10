"""A trial as a job: the design with the values it is to try, the records it may see, and where its files go."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench import layout
from vitalbench.config.design import Design
from vitalbench.config.plan import Cell, SearchPlace
from vitalbench.config.search_space import with_parameters
from vitalbench.config.slices import trial_code
from vitalbench.config.strict import validated
from vitalbench.errors import InputError
from vitalbench.files import digest, read_json
from vitalbench.results import Results
from vitalbench.search.sampling import Result, parameters_of
from vitalbench.split.fitted import rows_hash
from vitalbench.train.cell import records_of
from vitalbench.train.context import TRAINED_ON
from vitalbench.train.job import Job, inputs_of, same_code

RESULT = "trial.json"
TIMING = "timing.json"  # beside it: seconds differ from run to run
VALIDATED_ON = "val"
SEEN = (*TRAINED_ON, VALIDATED_ON)  # the splits a trial may see; not one more


@dataclass(frozen=True)
class TrialJob:
    """A trial of a search.

    Attributes:
        parameters: what it tries, by dotted key.
        metric, direction: what is searched for.
        searched: the design with its search.
        job: a cell's in all but its design, which is the one to try, and its folder.
    """

    place: SearchPlace
    number: int
    parameters: dict[str, Any]
    metric: str
    direction: str
    searched: Design
    job: Job

    @property
    def label(self) -> str:
        """What lines about it begin with."""
        return f"[{self.place.task} {self.place.design} fold{self.place.fold} trial {self.number}]"

    @property
    def round(self) -> int:
        """Trials of one round are asked for together."""
        search = self.searched.search
        assert search is not None
        return search.first_of_round(self.number) // search.round

    @cached_property
    def records(self) -> pd.DataFrame:
        """The records it may see: those of the test split are cut away before anything else looks at the table."""
        records = records_of(self.job)
        return records[records["split"].isin(SEEN)].reset_index(drop=True)

    @property
    def permitted(self) -> dict[str, Any]:
        """How many records it may see, and the hash of their ids."""
        return {"records": len(self.records), "sha256": rows_hash(self.records["record_id"])}

    def read(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """The same of the records at some rows of the store."""
        found = self.records.loc[self.records["row"].isin(rows), "record_id"]
        return {"records": len(found), "sha256": rows_hash(found)}

    def identity(self) -> str:
        """The hash of all that its course depends on; of the records, those it may see."""
        config = self.job.config() | {"dataset": self.job.dataset.model_dump(include={"module", "signal"})}
        # A split that could not be made, for want of the label set perhaps, leaves no records: its trials end with that reason.
        labels = [sorted(carried) for carried in self.records.get(f"labels:{self.job.task.labels}", ())]
        seen = self.records[["record_id", "patient_id", "split", "digest"]].to_dict("list") | {"labels": labels}
        return digest({"config": config, "metric": self.metric, "data": digest(seen)})


def results_before(results: Results, place: SearchPlace, trial: int) -> list[dict[str, Any]]:
    """The files of the first so many trials of a search.

    Raises:
        InputError: one is missing.
    """
    paths = [
        results.folder / layout.TRIAL.format(**place.keys, trial=layout.trial_name(number)) for number in range(trial)
    ]
    return [read_json(path) for path in paths]


def outcome_of(told: dict[str, Any]) -> Result:
    """A trial's file as the sampler takes it."""
    return Result(told["parameters"], told["value"])


def trial_job(results: Results, place: SearchPlace, number: int) -> TrialJob:
    """The job of a suite's trial, from the slices and the earlier trials that its rule depends on.

    Raises:
        InputError: a trial of an earlier round, or another file, is missing. GateError: the code is not the one that the suite
            was resolved with.
    """
    path = results.folder / layout.TRIAL_SLICE.format(design=place.design)
    said = read_json(path)
    config = {**said["config"], "search": {**said["config"]["search"], "trials": _trials(results, place)}}
    design = validated(Design, config, path)
    search = design.search
    if search is None or not 0 <= number < search.trials:
        raise InputError(f"{results.folder}: the search {place.path} has trials 0 to {_trials(results, place) - 1}")
    same_code(results, said["code"], trial_code(design))
    objective = read_json(results.folder / layout.OBJECTIVE_SLICE.format(task=place.task))
    earlier = [outcome_of(told) for told in results_before(results, place, search.first_of_round(number))]
    parameters = parameters_of(design, number, earlier, objective["direction"])
    budget = {} if search.epochs is None else {"train.epochs": search.epochs}
    cell = Cell(place.dataset, place.task, place.design, place.target, search.seed, place.fold)
    out = (results.folder / layout.TRIAL.format(**place.keys, trial=layout.trial_name(number))).parent
    job = Job(
        **inputs_of(results, cell),
        design=with_parameters(design, parameters | budget, f"{path}: trial {number}"),
        code=said["code"],
        out=out,
    )
    return TrialJob(place, number, parameters, objective["metric"], objective["direction"], design, job)


def _trials(results: Results, place: SearchPlace) -> int:
    return int(results.suite["designs"][place.design]["search"]["trials"])
