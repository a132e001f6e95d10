"""Score predictions: every metric of the task's kind, by class and subgroup, with intervals over patients.

FILE (.parquet or .csv) has record_id, patient_id, split, y_true:<class> and y_prob:<class>; whoever's model wrote it.
"""

import argparse
from pathlib import Path

from vitalbench.config.schema import METRICS
from vitalbench.errors import ConfigError, InputError, choices
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.run import evaluate_run
from vitalbench.evaluate.score import score
from vitalbench.files import read_json
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="predictions to score")
    parser.add_argument("--task", metavar="KIND", help=f"the task's kind: {', '.join(METRICS)}")
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples of the patients (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--out", type=Path, help="metrics.csv")
    parser.add_argument("--results", type=Path, help="instead of FILE: results/<suite>, with --cell")
    parser.add_argument("--cell", help="score this run of the suite")


def _score_run(args: argparse.Namespace) -> None:
    results = Results(args.results)
    cells = {result.cell.path: result.cell for result in results.cells}
    if args.cell not in cells:
        raise InputError(f"{args.results}: no cell is named {args.cell!r}; {choices(args.cell, cells)}")
    cell = cells[args.cell]
    settings = read_json(args.results / "config" / "stages" / "evaluate.json")
    evaluate_run(results.run(cell), results.task(cell.task).kind, settings["bootstrap"], settings["seed"])


def run(args: argparse.Namespace) -> None:
    """Evaluate."""
    if (args.results is None) != (args.cell is None):
        raise ConfigError("vitalbench evaluate: --results and --cell are given together or not at all")
    if args.results and args.cell is not None:
        _score_run(args)
        return
    if args.file is None or args.task is None or args.out is None:
        raise ConfigError("vitalbench evaluate: needs FILE, --task KIND and --out metrics.csv")
    if args.task not in METRICS:
        raise ConfigError(f"--task is {args.task!r}; {choices(args.task, METRICS)}")
    if args.bootstrap < 1 or args.seed < 0:
        raise ConfigError("--bootstrap must be 1 or more, --seed 0 or more")
    predictions = read_predictions(args.file, args.task)
    crossing = predictions.patients_in_several_splits()
    if crossing:
        say(f"warning: {args.file}: {len(crossing)} patients are in more than one split, among them {crossing[0]}")
    scores = score(predictions, args.task, args.bootstrap, args.seed)
    write_table("metrics", scores.rows, args.out)
