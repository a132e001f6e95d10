"""Price a suite's measured time; with another price file nothing is run again."""

import argparse
import math
from pathlib import Path

from vitalbench.config.prices import Price, parse_prices, read_prices
from vitalbench.cost.absent import Absent
from vitalbench.cost.table import Scale, cost_rows, electricity
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.layout import RESOLVED, STAGE_SLICE
from vitalbench.measure.clock import utc_now
from vitalbench.results import Results
from vitalbench.tables import table_text, write_table

_MOST = 10**12  # records, or epochs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--results", type=Path, default=Path("results/quick"), help="results/<suite> (default results/quick)"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="default: the file the suite was resolved with")
    parser.add_argument("--records", type=int, metavar="N", help="price a training of N records instead, with --epochs")
    parser.add_argument("--epochs", type=int, metavar="E", help="of that training; its hours are projected")
    parser.add_argument(
        "--usd-per-kwh",
        type=float,
        metavar="X",
        help="the electricity of one's own devices too, at their target's power_w",
    )
    parser.add_argument(
        "--out", type=Path, help="default: tables/cost.csv of the suite; with any of the options above, the screen"
    )


def _scale(args: argparse.Namespace) -> Scale | None:
    if args.records is None and args.epochs is None:
        return None
    if args.records is None or args.epochs is None:
        raise InputError("vitalbench cost: --records and --epochs go together")
    for name in ("records", "epochs"):
        if not 1 <= getattr(args, name) <= _MOST:
            raise InputError(f"vitalbench cost: --{name} is {getattr(args, name):.6g}; allowed: 1 to {_MOST:.0e}")
    return Scale(args.records, args.epochs)


def _own(results: Results, usd_per_kwh: float) -> dict[str, Price]:
    if not (math.isfinite(usd_per_kwh) and usd_per_kwh > 0):
        raise InputError(f"vitalbench cost: --usd-per-kwh {usd_per_kwh}: it must be a positive number")
    today = utc_now()[:10]
    targets = results.suite["targets"]
    told = {
        name: electricity(name, target["power_w"], target["processes"], usd_per_kwh, today)
        for name, target in targets.items()
    }
    own = {name: price for name, price in told.items() if price}
    if not own:
        raise InputError(
            f"vitalbench cost: --usd-per-kwh needs the key 'power_w' in a target of the suite ({', '.join(targets)})"
        )
    return own


def run(args: argparse.Namespace) -> None:
    """Price."""
    results = Results(args.results)
    if args.prices:
        prices = read_prices(args.prices)
    else:
        text = read_json(args.results / STAGE_SLICE.format(stage="cost"))["prices"]
        prices = parse_prices(text, Path(read_json(args.results / RESOLVED)["price_file"]))
    scale = _scale(args)
    own = _own(results, args.usd_per_kwh) if args.usd_per_kwh is not None else {}
    published = read_json(args.results / STAGE_SLICE.format(stage="projection"))["published"]
    absent = Absent(results, published) if results.projected else None
    rows = [*cost_rows(results, prices, scale, own, absent)]
    if (args.prices or scale or own) and not args.out:  # the suite's own table keeps the prices the suite names
        print(table_text("cost", rows), end="")
    else:
        write_table("cost", rows, args.out or results.table("cost"))
        if not args.out:
            write_table("projected", absent.rows() if absent else [], results.table("projected"))
