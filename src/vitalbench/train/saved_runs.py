"""What is saved of a suite's runs, and what of it a run would go on from; and bringing second copies back."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from vitalbench import layout
from vitalbench.cell_result import CellResult
from vitalbench.config.plan import Cell
from vitalbench.errors import GateError, InputError, choices
from vitalbench.files import atomic
from vitalbench.measure.clock import age_seconds
from vitalbench.results import Results
from vitalbench.train.checkpoints import ATTEMPTS, ENDED, listed, position_of
from vitalbench.train.job import backup_of, job_of
from vitalbench.train.observer import BUDGET
from vitalbench.train.sealed import copy_sealed, damage, read_manifest, size_of


@dataclass(frozen=True)
class SavedRun:
    """The checkpoints of one run.

    Attributes:
        status: the cell's, where it is this run's.
        epoch: under way in the newest sound checkpoint, of a run that ended its last; None without one.
        last: its name.
        age_s: seconds since it was written.
        size: bytes of all checkpoints.
        damaged: names of those whose bytes are not what was sealed.
        hindrance: why a job of the cell would not go on from here; empty where it would.
    """

    run_id: str
    cell: Cell
    status: str
    epoch: int | None
    last: str
    age_s: float | None
    size: int
    damaged: list[str]
    hindrance: str


def current_id(results: Results, cell: Cell) -> str | None:
    """The id a run of the cell would have now; None where what it stands on is not there, or the code is another."""
    try:
        return job_of(results, cell).run_id()
    except (GateError, InputError):
        return None


def stopped_by_budget(result: CellResult) -> bool:
    """Whether a cell's status is a budget's word, which `vitalbench runs resume` takes back."""
    return result.status == "not-allowed" and result.reason.startswith(BUDGET) and bool(result.run_id)


def may_be_resumed(result: CellResult) -> bool:
    """Whether `vitalbench runs resume` takes a cell's status back: a budget stopped it, or it failed (a full disk, a crash)."""
    return stopped_by_budget(result) or (result.status == "failed" and bool(result.run_id))


def _hindrance(folder: Path, sound: list[Path], current: str | None, result: CellResult) -> str:
    if (folder / ENDED).is_file():
        return "ended"
    if result.run_id == folder.name and stopped_by_budget(result):
        return "stopped by a budget: `runs resume` lets it go on"
    if folder.name != current:
        return "another configuration, code or data"
    if sound and result.run_id == folder.name and result.status == "failed":
        return "failed: `runs resume` lets it go on"
    return "" if sound else "no sound checkpoint"


def _saved(folder: Path, result: CellResult, current: str | None) -> SavedRun:
    there = listed(folder)
    damaged = [path.name for path in there if damage(path)]
    sound = [path for path in there if path.name not in damaged]
    last = sound[-1] if sound else None
    return SavedRun(
        run_id=folder.name,
        cell=result.cell,
        status=result.status if result.run_id == folder.name else "",
        epoch=position_of(last.name)[0] - (folder / ENDED).is_file() if last else None,
        last=last.name if last else "",
        age_s=age_seconds(read_manifest(last)["written"]) if last else None,
        size=sum(size_of(path) for path in there),
        damaged=damaged,
        hindrance=_hindrance(folder, sound, current, result),
    )


def saved_runs(results: Results) -> list[SavedRun]:
    """Every run of the suite's cells that has a folder of checkpoints, each checkpoint held against its hashes."""
    found = []
    for result in results.cells:
        folders = sorted(path for path in (result.folder / layout.CHECKPOINTS).glob("*") if path.is_dir())
        if folders:
            current = current_id(results, result.cell)
            found += [_saved(folder, result, current) for folder in folders]
    return found


def _copies(results: Results, cell: Cell, backup: str) -> list[Path]:
    there = backup_of(results, cell, backup)
    return sorted(path for path in (there / layout.CHECKPOINTS).glob("*") if listed(path)) if there else []


def second_copy(results: Results, run: str, backup: str) -> tuple[Cell, Path]:
    """The cell and the folder of second copies that a cell's path or a run's id names; of several runs of a cell, the current.

    Raises:
        InputError: there is none of that name.
    """
    found = {result.cell: _copies(results, result.cell, backup) for result in results.cells}
    for cell, folders in found.items():
        for folder in folders:
            if folder.name == run:
                return cell, folder
        if cell.path == run and folders:
            current = current_id(results, cell)
            chosen = [folder for folder in folders if folder.name == current] or folders
            if len(chosen) > 1:
                raise InputError(
                    f"{backup}: {run} has copies of several runs; {choices('', [path.name for path in chosen])}"
                )
            return cell, chosen[0]
    named = [
        name for cell, folders in found.items() if folders for name in (cell.path, *(path.name for path in folders))
    ]
    raise InputError(f"{backup}: there is no copy of a run named {run!r}; {choices(run, named)}")


def restore(copy: Path, run: Path) -> tuple[list[Path], list[str]]:
    """Bring the second copies of a run back into a run's folder; returns them, and a line for each that is damaged.

    Raises:
        InputError: none of the copies is sound.
    """
    to, restored, problems = run / layout.CHECKPOINTS / copy.name, [], []
    for path in listed(copy):
        if wrong := damage(path):
            problems.append(f"{path}: damaged, left out: {wrong}")
            continue
        copy_sealed(path, to / path.name)
        restored.append(to / path.name)
    if not restored:
        raise InputError(f"{copy}: none of its checkpoints is sound")
    if not (to / ATTEMPTS).is_dir():  # what is here knows more than the copy
        for start in sorted((copy / ATTEMPTS).glob("[0-9]*")):
            with atomic(to / ATTEMPTS / start.name) as temporary:
                shutil.copyfile(start, temporary)
    (to / ENDED).unlink(missing_ok=True)  # to be gone on with, be it only to score
    return restored, problems
