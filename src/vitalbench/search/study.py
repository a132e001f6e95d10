"""A search as an Optuna study in a journal file, made whole from the trials' files, so that it can never say anything else."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection

from vitalbench.config.design import Design
from vitalbench.files import read_json, write_text
from vitalbench.search.sampling import distributions, frozen
from vitalbench.search.trial_job import TIMING, outcome_of

_WORKER = "vitalbench"  # in the place of the random name Optuna gives a process: the same trials give the same file


class _Lines(BaseJournalBackend):
    """A journal in memory: the file is written once, whole."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """From one line on."""
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines."""
        self.logs += logs


def write_study(path: Path, name: str, design: Design, told: list[dict[str, Any]], files: list[Path]) -> None:
    """Write the journal of a search.

    Args:
        name: of the study.
        told: the trials' files, in their order.
        files: where they lie; what is told of times lies beside each.
    """
    lines, space = _Lines(), distributions(design)
    direction = StudyDirection.MAXIMIZE if told[0]["direction"] == "higher" else StudyDirection.MINIMIZE
    study = optuna.create_study(storage=JournalStorage(lines), study_name=name, direction=direction)
    for trial, file in zip(told, files, strict=True):
        beside = file.with_name(TIMING)
        made = frozen(outcome_of(trial), space)
        made.set_user_attr("status", trial["status"])
        made.set_user_attr("reason", trial["reason"])
        made.datetime_start = made.datetime_complete = None
        if beside.is_file():
            timing = read_json(beside)
            begun = pd.Timestamp(timing["started"])
            made.datetime_start = begun.to_pydatetime()
            made.datetime_complete = (begun + pd.Timedelta(seconds=timing["seconds"])).floor("us").to_pydatetime()
        study.add_trial(made)
    written = [json.dumps({**log, "worker_id": _WORKER}, separators=(",", ":")) for log in lines.logs]
    write_text(path, "\n".join(written) + "\n")
