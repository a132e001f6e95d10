"""Run one cell: train its design and leave predictions, weights, history, timings and status.json."""

import argparse
from dataclasses import replace
from pathlib import Path

from vitalbench.errors import InputError, choices
from vitalbench.evaluate.judge import judge_of
from vitalbench.results import Results
from vitalbench.train.job import job_of
from vitalbench.train.observer import Unobserved
from vitalbench.train.ranks import is_rank, speaks
from vitalbench.train.spread import run_spread
from vitalbench.watch.of_job import observers_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--cell", required=True, help="<data set>/<task>/<design>/<target>/seed<S>-fold<F>")


def run(args: argparse.Namespace) -> int:
    """Train. A process of several that failed says so with its exit code, so that the others are ended."""
    results = Results(args.results)
    cells = {result.cell.path: result.cell for result in results.cells}
    if args.cell not in cells:
        raise InputError(f"{args.results}: no cell is named {args.cell!r}; {choices(args.cell, cells)}")
    job = job_of(results, cells[args.cell])
    job = replace(job, judge=judge_of(job.task, results.task(job.cell.task).primary))
    status = run_spread(job, observers_of(results, job) if speaks(job.target.launched) else Unobserved())
    return int(status == "failed" and is_rank())
