"""Measure the search for near-duplicates: copies are planted in a store's records, and what is found of them is counted.

FOLDER holds store.h5 and records.parquet; it is left as it is. The table has a row a kind of copy, with the share found and its
95 % interval (Wilson), then the share of pairs that are no copies and are taken for one.
"""

import argparse
from pathlib import Path

from vitalbench.errors import ConfigError, InputError
from vitalbench.files import write_text
from vitalbench.measure.device import cpu_count
from vitalbench.split.planted import measure


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="results/data/<data set>/<source>")
    parser.add_argument("--copies", type=int, default=200, metavar="N", help="of each kind (default 200)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the choice and the noise (default 0)")
    parser.add_argument("--threads", type=int, default=cpu_count(), metavar="N", help="default: all cores")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV too")


def run(args: argparse.Namespace) -> None:
    """Measure."""
    if min(args.copies, args.threads) < 1 or args.seed < 0:
        raise ConfigError("--copies and --threads must be 1 or more, --seed 0 or more")
    store = args.data / "store.h5"
    if not store.is_file():
        raise InputError(f"{store}: no such file; `vitalbench store` builds it")
    table = measure(store, args.copies, args.seed, args.threads)
    if args.out:
        write_text(args.out, table.to_csv(index=False, lineterminator="\n"))
    print("| what | found | of | share | 95 % interval |\n|---|---:|---:|---:|---|")
    for row in table.to_dict("records"):
        share = f"{row['share']:.3f}" if row["share"] >= 0.001 or not row["found"] else f"{row['share']:.1e}"
        interval = f"[{row['low']:.2g}, {row['high']:.2g}]"
        print(f"| {row['what']} | {row['found']:,} | {row['of']:,} | {share} | {interval} |")
