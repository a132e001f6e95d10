"""Price a suite's measured time; with another price file nothing is run again."""

import argparse
from pathlib import Path

from vitalbench.config.prices import parse_prices, read_prices
from vitalbench.cost.table import cost_rows
from vitalbench.files import read_json
from vitalbench.layout import RESOLVED, STAGE_SLICE
from vitalbench.results import Results
from vitalbench.tables import table_text, write_table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="default: the file the suite was resolved with")
    parser.add_argument("--out", type=Path, help="default: tables/cost.csv of the suite; with --prices, the screen")


def run(args: argparse.Namespace) -> None:
    """Price."""
    results = Results(args.results)
    if args.prices:
        prices = read_prices(args.prices)
    else:
        text = read_json(args.results / STAGE_SLICE.format(stage="cost"))["prices"]
        prices = parse_prices(text, Path(read_json(args.results / RESOLVED)["price_file"]))
    rows = cost_rows(results, prices)
    if args.prices and not args.out:  # the suite's own table keeps the prices the suite names
        print(table_text("cost", rows), end="")
    else:
        write_table("cost", rows, args.out or results.table("cost"))
