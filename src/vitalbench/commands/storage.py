"""What a suite keeps on a disk by what it is, and what a month of that costs; of more records with --records."""

import argparse
from pathlib import Path

from vitalbench.config.storage_prices import parse_storage_prices, read_storage_prices
from vitalbench.cost.storage import storage_rows
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.layout import STAGE_SLICE
from vitalbench.results import Results
from vitalbench.tables import table_text, write_table

_MOST = 10**12


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="default: the newest of configs/storage")
    parser.add_argument("--records", type=int, metavar="N", help="of each data set; raw and processed are projected")
    parser.add_argument(
        "--out", type=Path, help="default: tables/storage.csv of the suite; with any of the options above, the screen"
    )


def run(args: argparse.Namespace) -> None:
    """Count and price."""
    results = Results(args.results)
    if args.records is not None and not 1 <= args.records <= _MOST:
        raise InputError(f"vitalbench storage: --records is {args.records:.6g}; allowed: 1 to {_MOST:.0e}")
    if args.prices:
        prices = read_storage_prices(args.prices)
    else:
        told = read_json(args.results / STAGE_SLICE.format(stage="storage"))
        prices = parse_storage_prices(told["prices"], Path(told["file"]))
    rows = [*storage_rows(results, prices, args.records)]
    if (args.prices or args.records) and not args.out:
        print(table_text("storage", rows), end="")
    else:
        write_table("storage", rows, args.out or results.table("storage"))
