"""Run one cell: train its design and leave predictions, weights, history, timings and status.json."""

import argparse
from pathlib import Path

from vitalbench.errors import InputError, choices
from vitalbench.results import Results
from vitalbench.train.cell import job_of, run_cell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--cell", required=True, help="<data set>/<task>/<design>/<target>/seed<S>-fold<F>")


def run(args: argparse.Namespace) -> None:
    """Train."""
    results = Results(args.results)
    cells = {result.cell.path: result.cell for result in results.cells}
    if args.cell not in cells:
        raise InputError(f"{args.results}: no cell is named {args.cell!r}; {choices(args.cell, cells)}")
    run_cell(job_of(results, cells[args.cell]))
