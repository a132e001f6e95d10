"""Join a data set's parts to its store, with the table of its records and of what was found wrong."""

import argparse
from pathlib import Path

from vitalbench.data.build import DataFolder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, help="results/data/<data set>/<source>")


def run(args: argparse.Namespace) -> None:
    """Join."""
    DataFolder(args.data).join()
