"""Lay designs out side by side: a batch of each in turn, what an epoch and a training come to, their sizes and memory.

Batches, sizes and memory are measured here; hours of a whole release are steps x median, and say `projected`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitalbench.config.checks import check_pairs
from vitalbench.config.dataset import Dataset
from vitalbench.config.design import Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import Cell
from vitalbench.config.schema import TaskData
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, GateError
from vitalbench.measure.device import device_here, mismatch
from vitalbench.measure.efficiency import efficiency_rows
from vitalbench.measure.side_by_side import take_turns
from vitalbench.results import Results
from vitalbench.tables import write_table

ROUNDS = 5
_SHOWN = {
    "batch_size": "records a batch",
    "batch_s": "a batch, s",
    "batch_low_s": "  least",
    "batch_high_s": "  most",
    "features_s": "  of that kept features, once",
    "batch_times": "times as fast as the one before",
    "batch_times_low": "  least",
    "batch_times_high": "  most",
    "record_times": "  a record",
    "steps_an_epoch": "steps an epoch",
    "epoch_h": "the first epoch, h, projected",
    "training_h": "all epochs, h, projected",
    "training_times": "  times as fast",
    "parameters": "parameters",
    "trained": "  trained",
    "numbers": "  with fixed buffers",
    "file_mib": "file, 2^20 bytes",
    "peak_memory_mb": "memory, 10^6 bytes",
    "foreign_load": "taken by other processes",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--design", nargs="+", metavar="NAME", help="each is held against the one before it")
    parser.add_argument("--dataset", metavar="NAME")
    parser.add_argument("--target", default="cpu", metavar="NAME", help="default: cpu")
    parser.add_argument("--task", metavar="NAME", help="default: the first task a suite asks of the data set")
    parser.add_argument(
        "--size", default="full", choices=["small", "full"], help="which size of the designs (default full)"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"batches of each (default {ROUNDS})")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--results", type=Path, help="instead of names: results/<suite>, for its designs")
    parser.add_argument("--out", type=Path, metavar="FILE", help="efficiency.csv; with --results tables/efficiency.csv")


def _rows(
    designs: dict[str, Design], dataset: Dataset, task: TaskData, target: Target, rounds: int, keys: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    wrong = mismatch(target.device, target.match, target.processes)
    if wrong:
        raise GateError(f"refused: {wrong}")
    if target.launched:
        raise ConfigError(f"target '{keys['target']}' declares several processes: side by side, each design has one")
    measured = take_turns(designs, dataset, task, target, rounds)
    machine = {"device_name": device_here(target.device), "threads": target.threads}
    records = dataset.expected.split.get("train") if dataset.expected else None
    for row in efficiency_rows(designs, measured, records):
        yield keys | machine | row


def _trained(designs: dict[str, Design]) -> dict[str, Design]:
    without = next((name for name, design in designs.items() if design.model is None or design.train is None), None)
    if without:
        raise ConfigError(f"design '{without}' has no model to train: its recipe is '{designs[without].recipe}'")
    return designs


def _of_suite(results: Results, rounds: int) -> Iterator[dict[str, Any]]:
    """The designs that the suite names for it, or else all that it trains on its first data set; on each target that is here."""
    cells, asked = [Cell(**planned["cell"]) for planned in results.suite["cells"]], results.suite["efficiency"]
    first = next((cell for cell in cells if cell.design in asked), cells[0])
    dataset, task = first.dataset, first.task
    named = asked or dict.fromkeys(cell.design for cell in cells if cell.dataset == dataset)
    every = {name: results.design(name) for name in named}
    designs = every if asked else {name: d for name, d in every.items() if d.model and d.train}
    for name in results.suite["targets"]:
        target = results.target(name)
        if mismatch(target.device, target.match, target.processes):
            continue
        keys = {"dataset": dataset, "task": task, "target": name, "size": results.suite["size"]}
        yield from _rows(_trained(designs), results.dataset(dataset), results.task(task), target, rounds, keys)


def _named(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    folder = ConfigFolder(args.configs)
    designs = _trained({name: folder.design(name, args.size, "--design") for name in args.design})
    dataset, target = folder.dataset(args.dataset, "--dataset"), folder.target(args.target, "--target")
    check_pairs(folder, {name: {args.size: design} for name, design in designs.items()}, {args.dataset: dataset})
    task = args.task or folder.first_task(args.dataset)
    keys = {"dataset": args.dataset, "task": task, "target": args.target, "size": args.size}
    yield from _rows(designs, dataset, folder.task(task, "--task"), target, args.rounds, keys)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def _print(rows: list[dict[str, Any]]) -> None:
    """A line a quantity, a column a design."""
    lines = [["", *(row["design"] for row in rows)]]
    lines += [[told, *(_shown(row.get(name)) for row in rows)] for name, told in _SHOWN.items()]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def run(args: argparse.Namespace) -> None:
    """Measure, print and write."""
    if args.rounds < 1:
        raise ConfigError(f"--rounds {args.rounds}: allowed: 1 or more")
    if args.results:
        results = Results(args.results)
        rows, out = list(_of_suite(results, args.rounds)), args.out or results.table("efficiency")
    elif args.design and args.dataset:
        rows, out = list(_named(args)), args.out
    else:
        raise ConfigError(
            "vitalbench efficiency: needs --design NAME ... and --dataset NAME, or --results results/<suite>"
        )
    _print(rows)
    if out:
        write_table("efficiency", rows, out)
