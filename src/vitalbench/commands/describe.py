"""Describe a built store for others: croissant.json, which any Croissant reader takes, and receipt.json for `verify`."""

import argparse
from pathlib import Path

from vitalbench import layout
from vitalbench.data.build import DataFolder
from vitalbench.data.croissant import croissant
from vitalbench.data.join import hold_joined
from vitalbench.data.store_receipt import write_receipt
from vitalbench.files import read_json, write_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, help="results/data/<data set>/<source>")


def run(args: argparse.Namespace) -> None:
    """Describe."""
    hold_joined(args.data / "store.h5")
    about, manifest = read_json(args.data / layout.DESCRIBE_SLICE), read_json(args.data / "manifest.json")
    write_json(args.data / layout.CROISSANT, croissant(args.data, about, manifest))
    write_receipt(DataFolder(args.data))
