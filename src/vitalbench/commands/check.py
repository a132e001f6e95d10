"""The last gate of a suite: exit 1 where a cell failed or was refused, or a split leaks."""

import argparse
from collections import Counter
from pathlib import Path

from vitalbench.errors import GateError
from vitalbench.files import write_json
from vitalbench.layout import CHECKED
from vitalbench.progress import say
from vitalbench.report.receipt import suite_chain
from vitalbench.results import Results
from vitalbench.tables import read_table

_BAD = ("failed", "refused")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")


def run(args: argparse.Namespace) -> None:
    """Check."""
    results = Results(args.results)
    counts = Counter(result.status for result in results.cells)
    say(f"{len(results.cells)} cells: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    problems = [
        f"{result.cell.path} {result.status}: {result.reason}" for result in results.cells if result.status in _BAD
    ]
    leaks = [row for row in read_table("leakage", results.table("leakage")) if row["verdict"] == "leak"]
    problems += [
        f"{row['dataset']} {row['task']} fold {row['fold']} leaks: {row['check']} {row['split']} {row['found']}"
        for row in leaks
    ]
    for problem in problems:
        say(problem)
    if problems:
        (args.results / CHECKED).unlink(missing_ok=True)
        raise GateError(f"{args.results}: {len(problems)} problems; the tables and the page are made, the gate says no")
    write_json(args.results / CHECKED, {"cells": dict(counts), "chain": suite_chain(args.results)})
