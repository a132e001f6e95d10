"""Print a suite's answer as a Markdown table: every design with its score, interval, time and cost."""

import argparse
from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.report.task_section import task_section
from vitalbench.report.wording import strip_markup
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )


def _written(value: Any) -> str:
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def _not_measured(results: Results) -> str:
    """Why there is nothing to show: every load of the workflow resolves the plan anew, a dry run too."""
    left = results.folder / layout.RESOLVED
    knobs = read_json(left)["knobs"] if left.is_file() else {}
    turned = [f"{key}={_written(value)}" for key, value in sorted(knobs.items()) if value not in (None, False)]
    suite = f" --config suite={results.suite['suite']}"
    return (
        f"{results.folder}: no cell of the plan as last resolved has been measured ({' '.join(turned)}); "
        f"`snakemake --cores all --config {' '.join(turned)}` runs that plan, "
        f"`snakemake -n{suite}` goes back to the one of configs/config.yaml"
    )


def run(args: argparse.Namespace) -> None:
    """Print one table a task."""
    results = Results(args.results)
    if not results.measured:
        raise InputError(_not_measured(results))
    for dataset, task, target in dict.fromkeys((r.cell.dataset, r.cell.task, r.cell.target) for r in results.scored):
        section = task_section(results, dataset, task, target, figures=False)
        head, rows = section.main
        source = results.suite["sources"][dataset]
        print(f"{section.title}, {source} records, {results.suite['size']} designs. {section.split}\n")
        print("| " + " | ".join(name.lstrip("#") for name in head) + " |")
        print("|" + "|".join("---:" if name.startswith("#") else "---" for name in head) + "|")
        for row in rows:
            print("| " + " | ".join(strip_markup(cell) for cell in row["cells"]) + " |")
        print(f"\n{section.pick.sentence}\n")
