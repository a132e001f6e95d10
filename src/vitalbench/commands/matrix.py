"""Print the cells of a suite: what each would do, and why not the rest."""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import yaml

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import Plan, Planned
from vitalbench.config.planning import make_plan
from vitalbench.errors import ConfigError
from vitalbench.measure.noise import least_pairs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--suite", help="default: that of configs/config.yaml")
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake: data_root=, targets=, seeds="
    )
    parser.add_argument("--csv", action="store_true", help="as CSV, for programs")
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def given_settings(pairs: list[str]) -> dict[str, Any]:
    """KEY=VALUE as snakemake reads them: the value is YAML."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--config {pair!r}: write KEY=VALUE")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--config {pair!r}: the value is not YAML") from None
    return found


def what(plan: Plan, planned: Planned) -> str:
    """What a cell would do, or why it would not."""
    if planned.status:
        return f"{planned.status}: {planned.reason}"
    cell, design = planned.cell, plan.designs[planned.cell.design]
    classes = len(plan.tasks[cell.task].classes)
    if design.train is None:
        return f"{design.recipe}, scored on {classes} classes, {planned.source} records"
    model = design.model.name if design.model else ""
    searched = f"search {design.search.trials} trials, then " if design.search else ""
    return (
        f"{searched}train {model} ({plan.size}) for at most {design.train.epochs} epochs, {classes} classes, "
        f"{planned.source} records"
    )


def run(args: argparse.Namespace) -> None:
    """Print."""
    given = given_settings(args.config) | ({"suite": args.suite} if args.suite else {})
    folder = ConfigFolder(args.configs)
    plan = make_plan(folder, folder.knobs(given, {"suite": "--suite"} if args.suite else None))
    rows = [{**planned.cell.keys, "what": what(plan, planned)} for planned in plan.cells]
    if args.csv:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    for row in rows:
        cell = (
            f"{row['dataset']}  {row['task']}  {row['design']}  {row['target']}  seed {row['seed']}  fold {row['fold']}"
        )
        print(f"{cell:<72}  {row['what']}")
    for line in plan.drawn_instead():
        print(line)
    if plan.suite.efficiency:
        print(f"side by side, with `snakemake efficiency`: {', '.join(plan.suite.efficiency)}")
    if plan.running and plan.suite.protocol.repeats < 2 * least_pairs():
        few = f"{plan.suite.protocol.repeats} repeats; with fewer than {2 * least_pairs()} a phase has no noise floor"
        print(f"protocol: {few}, and a ratio of its times no verdict")
    print(f"{len(plan.cells)} cells, {len(plan.running)} to run, {len(plan.cells) - len(plan.running)} not")
