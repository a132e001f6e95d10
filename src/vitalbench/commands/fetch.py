"""Download the files of one part's records, verified against the publisher's checksum list."""

import argparse
from pathlib import Path

from vitalbench.data.build import DataFolder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, help="results/data/<data set>/download")
    parser.add_argument("--part", type=int, required=True, help="which part, from 0")


def run(args: argparse.Namespace) -> None:
    """Fetch."""
    DataFolder(args.data).fetch(args.part)
