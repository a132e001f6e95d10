"""Compute what a design's training needs of memory on any target before it runs, and which micro-batch fits.

By arithmetic from activations counted on this machine: every row says `computed`. A lower bound, as docs/METHODS.md explains.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import Cell
from vitalbench.config.schema import Size
from vitalbench.errors import ConfigError, refuse_beside
from vitalbench.results import Results
from vitalbench.tables import write_table

_SIZE: Size = "full"
_SHOWN = {
    "design": "design",
    "target": "target",
    "strategy": "strategy",
    "processes": "processes",
    "parameters_mb": "weights",
    "gradients_mb": "gradients",
    "optimiser_mb": "optimiser",
    "buckets_mb": "buckets",
    "activations_mb": "activations",
    "records": "of records",
    "needed_gb": "needs GB",
    "memory_gb": "has GB",
    "largest_micro_batch": "largest micro-batch",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--design", metavar="NAME")
    parser.add_argument("--dataset", metavar="NAME")
    parser.add_argument("--target", nargs="+", metavar="NAME", help="default: all there are")
    parser.add_argument("--task", metavar="NAME", help="default: the first task a suite asks of the data set")
    parser.add_argument("--size", choices=["small", "full"], help="which size of the design (default full)")
    parser.add_argument(
        "--processes", nargs="+", type=int, default=[], metavar="N", help="beside as many as a target declares"
    )
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--results", type=Path, help="instead of names: results/<suite>, for all of its designs")
    parser.add_argument("--out", type=Path, metavar="FILE", help="memory.csv; with --results tables/memory.csv")


def _of_suite(results: Results, processes: list[int]) -> Iterator[dict[str, Any]]:
    from vitalbench.train.memory_table import memory_rows

    cells = [Cell(**planned["cell"]) for planned in results.suite["cells"]]
    for dataset, task, design in dict.fromkeys((cell.dataset, cell.task, cell.design) for cell in cells):
        targets = {name: results.target(name) for name in results.suite["targets"]}
        keys = {"dataset": dataset, "task": task, "design": design, "size": results.suite["size"]}
        told = memory_rows(results.design(design), results.dataset(dataset), results.task(task), targets, processes)
        yield from (keys | row for row in told)


def _named(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    folder = ConfigFolder(args.configs)
    design = folder.design(args.design, args.size or _SIZE, "--design")
    if design.model is None or design.train is None:
        raise ConfigError(f"design '{args.design}' has no model to train: its recipe is '{design.recipe}'")
    dataset = folder.dataset(args.dataset, "--dataset")
    task = args.task or folder.first_task(args.dataset)
    question = folder.task(task, "--task")
    targets = {name: folder.target(name, "--target") for name in args.target or folder.names("targets")}
    from vitalbench.train.memory_table import memory_rows

    keys = {"dataset": args.dataset, "task": task, "design": args.design, "size": args.size or _SIZE}
    yield from (keys | row for row in memory_rows(design, dataset, question, targets, args.processes))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print(rows: list[dict[str, Any]]) -> None:
    lines = [list(_SHOWN.values())]
    for row in rows:
        marked = row | {"strategy": f"{row['strategy']}{' *' if row['declared'] else ''}"}
        lines.append([_shown(marked[name]) for name in _SHOWN])
    widths = [max(len(line[at]) for line in lines) for at in range(len(_SHOWN))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    print(
        "computed, in MB a process unless said otherwise; * as the target declares; a largest micro-batch of 0: does not fit"
    )


def run(args: argparse.Namespace) -> None:
    """Compute, print and write."""
    if any(n < 1 for n in args.processes):
        raise ConfigError(f"--processes {min(args.processes)}: allowed: 1 or more")
    if args.results:
        names = ("design", "dataset", "target", "task", "size")
        refuse_beside("vitalbench memory: --results", {f"--{name}": getattr(args, name) for name in names})
        results = Results(args.results)
        rows, out = list(_of_suite(results, args.processes)), args.out or results.table("memory")
    elif args.design and args.dataset:
        rows, out = list(_named(args)), args.out
    else:
        raise ConfigError("vitalbench memory: needs --design NAME and --dataset NAME, or --results results/<suite>")
    _print(rows)
    if out:
        write_table("memory", rows, out)
