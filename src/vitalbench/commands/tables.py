"""Gather what the cells of a suite left into its tables: matrix, metrics, summary, timing, leakage, quality, search."""

import argparse
from pathlib import Path

from vitalbench.report.tables import write_tables
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")


def run(args: argparse.Namespace) -> None:
    """Gather."""
    write_tables(Results(args.results))
