"""Write a suite's page, report.html, and its figures as SVG with the CSV behind each."""

import argparse
from pathlib import Path

from vitalbench.progress import say
from vitalbench.report.page import write_report
from vitalbench.results import Results


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--results", type=Path, required=True, help="results/<suite>")


def run(args: argparse.Namespace) -> None:
    """Report."""
    say(f"open {write_report(Results(args.results))}")
