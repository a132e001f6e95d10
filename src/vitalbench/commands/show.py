"""Print a suite's answer as a Markdown table: every design with its score, interval, time and cost."""

import argparse
from pathlib import Path

from vitalbench.report.task_section import task_section
from vitalbench.report.wording import strip_markup
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )


def run(args: argparse.Namespace) -> None:
    """Print one table a task."""
    results = Results(args.results)
    for dataset, task, target in dict.fromkeys((r.cell.dataset, r.cell.task, r.cell.target) for r in results.measured):
        section = task_section(results, dataset, task, target, figures=False)
        head, rows = section.main
        source = results.suite["sources"][dataset]
        print(f"{section.title}, {source} records, {results.suite['size']} designs. {section.split}\n")
        print("| " + " | ".join(name.lstrip("#") for name in head) + " |")
        print("|" + "|".join("---:" if name.startswith("#") else "---" for name in head) + "|")
        for row in rows:
            print("| " + " | ".join(strip_markup(cell) for cell in row["cells"]) + " |")
        print(f"\n{section.pick.sentence}\n")
