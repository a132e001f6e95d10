"""Find near-duplicate records of a store, whatever the split: neighbours.parquet beside it, and its receipt.

FOLDER holds store.h5, records.parquet and manifest.json. Copies are found under another name, moved in time by up to half their
length, rescaled, resampled and with noise added; docs/DATA.md has the measured share that is.
"""

import argparse
from pathlib import Path

from vitalbench.data.part_receipt import hold_parts
from vitalbench.errors import ConfigError, InputError
from vitalbench.layout import NEIGHBOURS
from vitalbench.measure.device import cpu_count
from vitalbench.progress import say
from vitalbench.split import neighbours
from vitalbench.split.neighbours_receipt import write_receipt


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="results/data/<data set>/<source>")
    parser.add_argument("--threads", type=int, default=cpu_count(), metavar="N", help="default: all cores")


def run(args: argparse.Namespace) -> None:
    """Find them."""
    if args.threads < 1:
        raise ConfigError(f"--threads is {args.threads}; allowed: 1 or more")
    store = args.data / "store.h5"
    if not store.is_file():
        raise InputError(f"{store}: no such file; `vitalbench store` builds it")
    hold_parts(store)
    if neighbours.of_windows(store):
        say(f"{store}: its records are windows of recordings, which are compared by a minute of each recording")
    found = neighbours.find(store, args.threads)
    neighbours.write(found, neighbours.store_content(store), args.data / NEIGHBOURS)
    write_receipt(args.data)
    copies = found[found["copy"]]
    say(f"{store}: {len(copies)} pairs of records are copies, {len(found) - len(copies)} more are similar")
    for pair in copies.head(5).to_dict("records"):
        say(
            f"  {pair['record_a']} {pair['record_b']}: correlation {pair['similarity']:.3f}, {pair['lag_s']:+.2f} s apart"
        )
