"""Read, check and store one part of a data set's records."""

import argparse
from pathlib import Path

from vitalbench.data.build import DataFolder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, help="results/data/<data set>/<source>")
    parser.add_argument("--part", type=int, required=True, help="which part, from 0")


def run(args: argparse.Namespace) -> None:
    """Standardise."""
    DataFolder(args.data).standardise(args.part)
