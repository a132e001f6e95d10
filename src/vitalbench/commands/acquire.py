"""Make a release available: write its stand-in, take the local folder or download its tables; describe it."""

import argparse
from pathlib import Path

from vitalbench.data.build import DataFolder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--data", type=Path, required=True, help="results/data/<data set>/<source>, where config.json is"
    )


def run(args: argparse.Namespace) -> None:
    """Acquire."""
    DataFolder(args.data).acquire()
