"""How a cell of a suite ended: a status, a reason, the folder of its run."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench.config.plan import Cell
from vitalbench.files import read_json

STATUSES = ("measured", "projected", "not-run", "not-allowed", "refused", "failed")
UNFINISHED = "the job left no status.json: it did not run to its end"


@dataclass(frozen=True)
class CellResult:
    """A cell with its status and its run's folder."""

    cell: Cell
    status: str
    reason: str
    run_id: str
    source: str
    folder: Path
    projected_from: Cell | None = None

    @property
    def origin(self) -> Cell:
        """Of a projected cell, the one that was measured in its place."""
        if self.projected_from is None:
            raise ValueError(f"{self.cell.path} is not projected")
        return self.projected_from

    @property
    def measured(self) -> bool:
        """Whether the run has results."""
        return self.status == "measured"

    @property
    def unfinished(self) -> bool:
        """Whether it was to run, and its job left no word of how it ended."""
        return self.reason == UNFINISHED

    def read(self, name: str) -> Any:
        """One of the run's JSON files."""
        return read_json(self.folder / name)


Groups = dict[tuple[str, str, str, str], list[CellResult]]


def grouped(runs: list[CellResult]) -> Groups:
    """Runs by data set, task, design and target: the seeds and folds that are averaged."""
    found: Groups = defaultdict(list)
    for run in runs:
        found[run.cell.dataset, run.cell.task, run.cell.design, run.cell.target].append(run)
    return dict(found)
