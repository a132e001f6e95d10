"""Run one trial of a hyperparameter search: train with values that are drawn for it, score them on validation."""

import argparse
from pathlib import Path

from vitalbench.config.plan import SearchPlace
from vitalbench.errors import InputError, choices
from vitalbench.results import Results
from vitalbench.search.trial import run_trial
from vitalbench.search.trial_job import trial_job
from vitalbench.train.observer import Unobserved
from vitalbench.train.ranks import is_rank, speaks
from vitalbench.watch.of_job import observers_of_trial


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--search", required=True, help="<data set>/<task>/<design>/<target>/fold<F>")
    parser.add_argument("--trial", type=int, required=True, metavar="N", help="its number, from 0")


def place_of(results: Results, named: str) -> SearchPlace:
    """A search of a suite by its path.

    Raises:
        InputError: the suite has none of that name.
    """
    places = {place.path: place for place in results.searches}
    if named not in places:
        raise InputError(f"{results.folder}: no search is named {named!r}; {choices(named, places)}")
    return places[named]


def run(args: argparse.Namespace) -> int:
    """Train. A process of several that failed says so with its exit code, so that the others are ended."""
    results = Results(args.results)
    trial = trial_job(results, place_of(results, args.search), args.trial)
    told = speaks(trial.job.target.launched)
    observer = observers_of_trial(results, trial.job, trial.identity()) if told else Unobserved()
    status = run_trial(trial, observer)
    return int(status == "failed" and is_rank())
