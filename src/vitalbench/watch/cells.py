"""What each cell of a suite is doing, as far as its files and the system tell."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.config.plan import Cell
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.results import Results
from vitalbench.watch.process import silence
from vitalbench.watch.progress_file import Progress, read_progress
from vitalbench.watch.spent import jobs_of

RUNNING, WAITING, GONE, INTERRUPTED, UNREADABLE = "running", "waiting", "gone", "interrupted", "unreadable"


@dataclass(frozen=True)
class Seen:
    """A cell as it is seen.

    Attributes:
        state: running, waiting, gone (its process is no more, and left no status), interrupted (it was saved, and will be gone on
            with), unreadable, or the status that the cell ended in.
        reason: why, where there is something to say.
        planned: it is a cell of the suite as last resolved.
    """

    path: str
    state: str
    reason: str = ""
    progress: Progress | None = None
    planned: bool = True


def _seen(path: str, folder: Path, planned: bool) -> Seen:
    try:
        progress = read_progress(folder)
    except InputError as error:
        progress, damage = None, str(error)
    else:
        damage = ""
    try:
        ended = read_json(folder / "status.json") if (folder / "status.json").is_file() else None
        if ended is not None:
            return Seen(path, str(ended["status"]), str(ended.get("reason", "")), progress, planned)
    except InputError as error:
        return Seen(path, UNREADABLE, str(error), progress, planned)
    if damage:
        return Seen(path, UNREADABLE, damage, None, planned)
    if progress is None:
        return Seen(path, WAITING, "", None, planned)
    why = silence(progress.writer, progress.written)
    # Ended, and its status was taken back: `runs resume`, or Snakemake before it runs a cell again.
    if progress.stage == "interrupted" or (progress.stage == "ended" and why):
        return Seen(path, INTERRUPTED, "the next run of the workflow goes on with it", progress, planned)
    return Seen(path, GONE if why else RUNNING, why, progress, planned)


def _planned(folder: Path, suite: dict[str, Any]) -> Iterator[tuple[Cell, str, str]]:
    try:
        for planned in suite["cells"]:
            yield Cell(**planned["cell"]), str(planned["status"]), str(planned["reason"])
    except (TypeError, KeyError, AttributeError):
        raise InputError(
            f"{folder / layout.SUITE_SLICE}: not the plan of a suite as this version writes it; plan it again (`snakemake -n`)"
        ) from None


def look(folder: Path) -> list[Seen]:
    """Every cell of a suite's plan, and what else is running: trials of its searches, an earlier plan's cells.

    Args:
        folder: results/<suite>.

    Raises:
        InputError: no results of a suite are there.
    """
    results = Results(folder)
    found = []
    for cell, status, reason in _planned(folder, results.suite):
        found.append(Seen(cell.path, status, reason) if status else _seen(cell.path, results.run(cell), planned=True))
    known = {seen.path for seen in found}
    for job, _ in jobs_of(folder):
        name = str(job.relative_to(folder)).removeprefix("runs/")
        if name not in known:
            trial = name.startswith("search/")
            beside = _seen(name, job, planned=trial)
            found += [beside] if beside.state == RUNNING else []
    return found
