"""End a hyperparameter search whose trials have run: choose the best of them, and leave the study for Optuna's tools."""

import argparse
from pathlib import Path

from vitalbench import layout
from vitalbench.commands.trial import place_of
from vitalbench.config.design import Design
from vitalbench.config.strict import validated
from vitalbench.files import read_json
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.search.choice import finish


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")
    parser.add_argument("--search", required=True, help="<data set>/<task>/<design>/<target>/fold<F>")


def run(args: argparse.Namespace) -> None:
    """Choose."""
    results = Results(args.results)
    place = place_of(results, args.search)
    path = results.folder / layout.DESIGN_SLICE.format(design=place.design)
    chosen = finish(results, place, validated(Design, read_json(path)["config"], path))
    told = f"{chosen['measured']} of {chosen['trials']} trials measured"
    if chosen["value"] is None:
        say(f"[{place.path}] {told}: {chosen['reason']}")
        return
    values = " ".join(f"{key}={value}" for key, value in chosen["parameters"].items())
    say(f"[{place.path}] {told}; {chosen['metric']} {chosen['value']:.4f} on validation with {values}")
