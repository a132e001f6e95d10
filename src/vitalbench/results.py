"""The results folder of a suite: where every file is, and typed reading of what the cells left."""

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.cell_result import STATUSES, UNFINISHED, CellResult, Groups, grouped
from vitalbench.config.dataset import Dataset
from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.plan import Cell, SearchPlace
from vitalbench.config.schema import Task
from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.errors import InputError, choices
from vitalbench.files import read_json
from vitalbench.projected import from_origin, held_to_its_session


class Results:
    """results/<suite>: paths, the suite's resolved description (config/suite.json) and its cells."""

    def __init__(self, folder: Path) -> None:
        # What lies beside it is told from its name.
        self.folder = folder if folder.name not in {"", ".."} else folder.resolve()
        if not (folder / layout.SUITE_SLICE).is_file():
            known = [path.parent.parent.name for path in folder.parent.glob("*/config/suite.json")]
            raise InputError(f"{folder}: no results of a suite are here; {choices(folder.name, known)}")

    @cached_property
    def suite(self) -> dict[str, Any]:
        """The suite as it was resolved: size, cells, designs, tasks, targets, data sets.

        Raises:
            InputError: a version of vitalbench that writes it otherwise has resolved it.
        """
        path = self.folder / layout.SUITE_SLICE
        suite: dict[str, Any] = read_json(path)
        written = suite.get("format")
        if written != layout.SUITE_FORMAT:
            raise InputError(
                f"{path}: key 'format' is {written!r}, {layout.SUITE_FORMAT} is what this version of vitalbench reads: "
                "`snakemake -n` with the same settings resolves the suite anew and touches no result"
            )
        return suite

    def _named(self, kind: str, name: str) -> dict[str, Any]:
        if name not in self.suite[kind]:
            raise InputError(f"{self.folder}: the suite has no {kind[:-1]} {name!r}; {choices(name, self.suite[kind])}")
        found: dict[str, Any] = self.suite[kind][name]
        return found

    def dataset(self, name: str) -> Dataset:
        """A data set of the suite."""
        return validated(Dataset, self._named("datasets", name), name)

    def task(self, name: str) -> Task:
        """A task of the suite."""
        return validated(Task, self._named("tasks", name), name)

    def design(self, name: str) -> Design:
        """A design of the suite, at the suite's size."""
        return validated(Design, self._named("designs", name), name)

    def target(self, name: str) -> Target:
        """A target of the suite."""
        return validated(Target, self._named("targets", name), name)

    def table(self, name: str) -> Path:
        """The path of a table."""
        return self.folder / layout.TABLE.format(table=name)

    def run(self, cell: Cell) -> Path:
        """The folder of a cell's run."""
        return self.folder / layout.RUN.format(**cell.keys)

    def measurement(self, cell: Cell) -> Path:
        """What the measuring job of a cell's design left; of a searched design, of what was chosen for the cell's fold."""
        searched = self.suite["designs"][cell.design].get("search")
        return self.folder / (layout.SEARCHED_MEASUREMENT if searched else layout.MEASUREMENT).format(**cell.keys)

    @cached_property
    def searches(self) -> list[SearchPlace]:
        """The searches whose designs' cells the suite starts."""
        running = [Cell(**planned["cell"]) for planned in self.suite["cells"] if not planned["status"]]
        return list(dict.fromkeys(cell.search for cell in running if self.suite["designs"][cell.design].get("search")))

    @cached_property
    def examined(self) -> dict[SearchPlace, list[CellResult]]:
        """The cells that were to be examined, all seeds of a place together."""
        found: dict[SearchPlace, list[CellResult]] = {}
        for planned in self.suite["cells"]:
            cell = Cell(**planned["cell"])
            if not planned["status"] and cell.design in self.suite["examine"]:
                found.setdefault(cell.search, []).append(self.of[cell])
        return found

    def examination(self, place: SearchPlace) -> Path:
        """The folder that says what an examination found."""
        return self.folder / layout.EXAMINED.format(**place.keys)

    def search(self, place: SearchPlace) -> Path:
        """The folder of a search."""
        return self.folder / layout.SEARCH.format(**place.keys)

    def split(self, dataset: str, task: str, fold: int) -> Path:
        """The split of a data set for a task."""
        return self.folder / layout.SPLIT.format(dataset=dataset, task=task, fold=fold)

    def classes(self, dataset: str, task: str, fold: int) -> Path:
        """How many training patients of a split carry each class of the task, and which classes it asks."""
        return self.folder / layout.CLASSES.format(dataset=dataset, task=task, fold=fold)

    def unmade(self, dataset: str, task: str, fold: int) -> Path:
        """Why a split could not be made; empty where it was."""
        return self.folder / layout.UNMADE.format(dataset=dataset, task=task, fold=fold)

    def receipt(self, dataset: str, task: str, fold: int) -> Path:
        """The audit's receipt for a split."""
        return self.folder / layout.RECEIPT.format(dataset=dataset, task=task, fold=fold)

    def data(self, dataset: str) -> Path | None:
        """The folder of a data set's store; None where no source was found."""
        self._named("datasets", dataset)
        source = self.suite["sources"][dataset]
        return self.folder.parent / layout.DATA.format(dataset=dataset, source=source) if source else None

    def store_folder(self, dataset: str) -> Path:
        """The folder a data set is built in; an InputError where the suite has no records of it."""
        folder = self.data(dataset)
        if folder is None:
            raise InputError(f"{self.folder}: there are no records of data set '{dataset}' here")
        return folder

    def store(self, dataset: str) -> Path:
        """A data set's store."""
        store = self.store_folder(dataset) / "store.h5"
        if not store.is_file():
            raise InputError(f"{store}: not built yet; `snakemake --cores all data` builds it")
        return store

    @cached_property
    def cells(self) -> list[CellResult]:
        """Every cell of the suite, in its order, with the status it ended in."""
        path = self.folder / layout.SESSIONS
        told = read_json(path) if path.is_file() else {}
        targets = self.suite["targets"]
        return [
            held_to_its_session(result, told.get(result.cell.path), targets[result.cell.target])
            for result in self._placed
        ]

    @cached_property
    def _placed(self) -> list[CellResult]:
        """The same before projected cells are held to their targets' sessions."""
        found = []
        for planned in self.suite["cells"]:
            cell = Cell(**planned["cell"])
            folder = self.run(cell)
            status, reason, run_id = planned["status"], planned["reason"], ""
            if not status:
                left = read_json(folder / "status.json") if (folder / "status.json").is_file() else {}
                status = left.get("status", "not-run")
                if status not in STATUSES:
                    raise InputError(
                        f"{folder / 'status.json'}: status is {status!r}; {choices(str(status), STATUSES)}"
                    )
                reason = left.get("reason", UNFINISHED)
                run_id = left.get("run_id", "")
            found.append(CellResult(cell, status, reason, run_id, planned["source"] or "", folder))
        ended = {result.cell: result for result in found}
        sources = [planned.get("projected_from", ()) for planned in self.suite["cells"]]
        settled = []
        for result, names in zip(found, sources, strict=True):
            origins = [ended[replace(result.cell, target=name)] for name in names]
            timed = {origin.cell for origin in origins if self.measurement(origin.cell).is_file()}
            settled.append(from_origin(result, origins, timed, self.suite["targets"][result.cell.target]))
        return settled

    @cached_property
    def of(self) -> dict[Cell, CellResult]:
        """How each cell ended."""
        return {result.cell: result for result in self.cells}

    @property
    def measured(self) -> list[CellResult]:
        """The cells with results."""
        return [result for result in self.cells if result.measured]

    @property
    def projected(self) -> list[CellResult]:
        """The cells whose time is projected from one that was measured."""
        return [result for result in self.cells if result.status == "projected" and result.projected_from]

    @property
    def projectable(self) -> list[CellResult]:
        """Of those, and of those whose target's sessions are too short, all."""
        return [result for result in self._placed if result.status == "projected" and result.projected_from]

    @property
    def scored(self) -> list[CellResult]:
        """Of those, the ones that were asked of their task's classes: a pre-training run is not."""
        return [run for run in self.measured if self.suite["designs"][run.cell.design]["recipe"] not in PRETRAINING]

    @property
    def groups(self) -> Groups:
        """Measured runs by data set, task, design and target: the seeds and folds that are averaged."""
        return grouped(self.measured)

    @property
    def scored_groups(self) -> Groups:
        """The same of the scored ones."""
        return grouped(self.scored)


_BELOW_SUITE = layout.RUN.count("/") + 1


def suite_of(run: Path) -> Path:
    """The suite's folder that a run's folder lies in."""
    return run.absolute().parents[_BELOW_SUITE - 1]


def find_run(named: str, results: Path) -> Path:
    """A run's folder by its path or by the first digits of its run_id.

    Args:
        named: what the user calls it.
        results: the folder of all suites, where run_ids are looked up.

    Raises:
        InputError: there is none, or several.
    """
    if (Path(named) / "status.json").is_file():
        return Path(named)
    pattern = "*/" + re.sub(r"{\w+}", "*", layout.RUN) + "/status.json"
    runs = {path.parent: str(read_json(path).get("run_id", "")) for path in sorted(results.glob(pattern))}
    found = [folder for folder, run_id in runs.items() if named and run_id.startswith(named)]
    if not found:
        raise InputError(
            f"run {named!r}: neither a run's folder nor a run_id below {results}; {choices(named, [*runs.values()])}"
        )
    if len({runs[folder] for folder in found}) > 1:
        raise InputError(
            f"run {named!r}: {len(found)} runs begin so: {', '.join(sorted({runs[f] for f in found})[:8])}"
        )
    return found[0]
