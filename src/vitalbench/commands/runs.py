"""List what is saved of a suite's runs, bring one back from its second copies, or let a stopped or failed one go on.

`list` shows every run that has checkpoints, and whether a job would go on from them. `restore RUN` takes a cell's path or a
run's id, and brings its checkpoints back from the backup folder. `resume CELL` lets cells go on that a budget stopped, or that
failed for a reason that is mended (a full disk, say).
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.amounts import shown_age, shown_size
from vitalbench.errors import InputError, choices
from vitalbench.files import only_one_in, read_json
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.train.cell import STATUS
from vitalbench.train.saved_runs import SavedRun, may_be_resumed, restore, saved_runs, second_copy, stopped_by_budget

COLUMNS = ("run", "cell", "status", "epoch", "last_checkpoint", "age_s", "bytes", "resumable", "why_not", "damaged")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|restore|resume")
    listing = actions.add_parser("list", help="what is saved, and what a job would go on from")
    listing.add_argument("--csv", action="store_true", help="as CSV, for programs")
    restoring = actions.add_parser("restore", help="bring a run's checkpoints back from the backup folder")
    restoring.add_argument(
        "run", metavar="RUN", help="a cell, <data set>/<task>/<design>/<target>/seed<S>-fold<F>, or a run's id"
    )
    restoring.add_argument("--to", type=Path, metavar="FOLDER", help="a folder in the place of the run's own")
    restoring.add_argument("--backup", metavar="FOLDER", help="default: the knob `backup` the suite was resolved with")
    resuming = actions.add_parser("resume", help="let cells go on that a budget stopped, or that failed")
    resuming.add_argument(
        "cells", metavar="CELL", nargs="+", help="<data set>/<task>/<design>/<target>/seed<S>-fold<F>"
    )
    for action in (listing, restoring, resuming):
        action.add_argument(
            "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
        )


def _row(run: SavedRun) -> dict[str, Any]:
    age = None if run.age_s is None else round(run.age_s)
    resumable = "no" if run.hindrance else "yes"
    told = (
        run.run_id,
        run.cell.path,
        run.status,
        run.epoch,
        run.last,
        age,
        run.size,
        resumable,
        run.hindrance,
        " ".join(run.damaged),
    )
    return dict(zip(COLUMNS, told, strict=True))


def _print_table(runs: list[SavedRun]) -> None:
    head = ["run", "cell", "status", "epoch", "last checkpoint", "age", "size", "resumable", "damaged"]
    rows = [
        [
            run.run_id,
            run.cell.path,
            run.status,
            "" if run.epoch is None else str(run.epoch),
            run.last,
            "" if run.age_s is None else shown_age(run.age_s),
            shown_size(run.size),
            f"no: {run.hindrance}" if run.hindrance else "yes",
            " ".join(run.damaged),
        ]
        for run in runs
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _list(results: Results, as_csv: bool) -> None:
    runs = saved_runs(results)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(run) for run in runs)
    elif runs:
        _print_table(runs)
    else:
        print(f"{results.folder}: nothing is saved of any run")


def _restore(results: Results, run: str, to: Path | None, backup: str | None) -> None:
    slice_of = results.folder / layout.CHECKPOINT_SLICE
    backup = backup or (read_json(slice_of)["backup"] if slice_of.is_file() else None)
    if backup is None:
        raise InputError(f"{slice_of}: no backup folder is configured; name it with --backup FOLDER")
    cell, copy = second_copy(results, run, str(Path(backup).expanduser()))
    into = to or results.run(cell)
    into.mkdir(parents=True, exist_ok=True)
    with only_one_in(into):  # a run at work there would prune what is brought back, and go on elsewhere
        restored, problems = restore(copy, into)
    for problem in problems:
        say(problem)
    back = f"{len(restored)} checkpoints of run {copy.name} are back, the newest {restored[-1]}"
    print(back if to else f"{back}; a job of {cell.path} goes on from it")


def _resume(results: Results, named: list[str]) -> None:
    by_path = {result.cell.path: result for result in results.cells}
    for path in named:
        if path not in by_path:
            raise InputError(f"{results.folder}: no cell is named {path!r}; {choices(path, by_path)}")
        if not may_be_resumed(by_path[path]):
            raise InputError(f"{path}: not stopped by a budget: {by_path[path].status} {by_path[path].reason}".rstrip())
    for path in named:
        told = ", under the budget it is given then" if stopped_by_budget(by_path[path]) else ""
        with only_one_in(by_path[path].folder):
            (by_path[path].folder / STATUS).unlink()
        print(f"{path}: the next `snakemake` goes on with it{told}")


def run(args: argparse.Namespace) -> None:
    """List, restore or resume."""
    results = Results(args.results)
    if args.action == "list":
        _list(results, args.csv)
    elif args.action == "restore":
        _restore(results, args.run, args.to, args.backup)
    else:
        _resume(results, args.cells)
