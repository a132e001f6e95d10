"""Hold a suite's designs against one another: paired differences, intervals, corrected p-values, verdicts."""

import argparse
from pathlib import Path

from vitalbench.evaluate.compare import comparison_rows
from vitalbench.results import Results
from vitalbench.tables import write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")


def run(args: argparse.Namespace) -> None:
    """Compare."""
    results = Results(args.results)
    write_table("comparison", comparison_rows(results), results.table("comparison"))
