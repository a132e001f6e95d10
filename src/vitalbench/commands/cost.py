"""Price a suite's measured time; with another price file nothing is run again."""

import argparse
import math
from pathlib import Path
from typing import Any

from vitalbench.amounts import shown_usd
from vitalbench.config.plan import Cell
from vitalbench.config.prices import Price, parse_prices, read_prices
from vitalbench.config.strict import validated
from vitalbench.config.watching import Watch
from vitalbench.cost.absent import Absent
from vitalbench.cost.reached import reached_rows
from vitalbench.cost.sessions import sessions
from vitalbench.cost.table import RUN_PARTS, Scale, cost_rows, electricity
from vitalbench.cost.timed import timed_beside_others
from vitalbench.errors import GateError, InputError, refuse_beside
from vitalbench.files import read_json, write_json
from vitalbench.layout import RESOLVED, SESSIONS, STAGE_SLICE, WATCH_SLICE
from vitalbench.measure.clock import utc_now
from vitalbench.progress import say
from vitalbench.results import Results
from vitalbench.tables import table_text, write_table
from vitalbench.watch.spent import usd_of_suite

_MOST = 10**12  # records, or epochs
_MOST_USD_PER_KWH = 1000


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
        "--reach",
        type=float,
        nargs="+",
        metavar="LEVEL",
        help="instead: time and cost until the tasks' primary metric on validation records came up to each level",
    )
    parser.add_argument(
        "--budget",
        type=float,
        metavar="USD",
        help="instead: exit code 1 where the suite's runs, each at its target's first price, come to more",
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
    if not 0 < usd_per_kwh <= _MOST_USD_PER_KWH:
        raise InputError(
            f"vitalbench cost: --usd-per-kwh {usd_per_kwh:g}; allowed: more than 0, {_MOST_USD_PER_KWH} at most"
        )
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
    without = [name for name in targets if name not in own]
    if without:
        say(
            f"no electricity for {', '.join(without)}: no 'power_w' is declared in {'its' if len(without) == 1 else 'their'} file"
        )
    return own


def _levels(levels: list[float]) -> list[float]:
    for level in levels:
        if not 0 < level < 1:
            raise InputError(f"vitalbench cost: --reach {level}: a metric lies between 0 and 1")
    return levels


def _absent(folder: Path, results: Results) -> Absent | None:
    """What projects to targets that are not here; None where nothing is projected."""
    if not results.projectable:
        return None
    return Absent(results, read_json(folder / STAGE_SLICE.format(stage="projection"))["published"])


def _hold(results: Results, rows: list[dict[str, Any]], budget: float, scaled: bool) -> None:
    """The alarm: what the runs come to against a budget."""
    if not (math.isfinite(budget) and budget > 0):
        raise InputError(f"vitalbench cost: --budget {budget}: it must be a positive number")
    first: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row["phase"] in ("run", *RUN_PARTS) and row.get("run_id"):
            cell = tuple(row[name] for name in ("dataset", "task", "design", "target", "seed", "fold"))
            first.setdefault(cell, {}).setdefault(row["phase"], row["usd"])
    first = {cell: phases for cell, phases in first.items() if "run" in phases}
    if not first:
        raise InputError(f"{results.folder}: no training of it has a price, so --budget can hold nothing")
    sums = {name: sum(phases.get(name, 0.0) for phases in first.values()) for name in ("run", *RUN_PARTS)}
    unpriced = sum(bool(run.cell not in {Cell(*key) for key in first}) for run in results.measured)
    beside = f"; {unpriced} runs have no price or no step" if unpriced else ""
    parts = ", ".join(f"{name} {shown_usd(sums[name])}" for name in RUN_PARTS if sums[name])
    told = f"{len(first)} runs come to {shown_usd(sums['run'])} ({parts}) at their targets' first prices{beside}"
    if sums["run"] > budget:
        raise GateError(f"{results.folder}: {told}, more than the budget of {shown_usd(budget)}")
    say(f"{told}, within the budget of {shown_usd(budget)}")
    if not scaled:
        say(f"by the wall time of all their processes, which budget_usd counts, {shown_usd(_paid(results))} so far")


def _paid(results: Results) -> float:
    """What all processes that trained took, whatever ran beside them, at the prices that runs are watched with."""
    path = results.folder / WATCH_SLICE
    watch = validated(Watch, dict(read_json(path)) if path.is_file() else {}, path)
    return usd_of_suite(results.folder, watch, results.folder)


def run(args: argparse.Namespace) -> None:
    """Price."""
    results = Results(args.results)
    for path, names in timed_beside_others(results).items():
        name = path.relative_to(results.folder / "measure").with_suffix("")
        again = f"vitalbench measure --results {results.folder} --measurement {name} --exclusive"
        say(
            f"{path}: no cost of {', '.join(names)}, which other work may have run beside (exclusive is false); next: {again}"
        )
    if args.prices:
        prices = read_prices(args.prices)
    else:
        text = read_json(args.results / STAGE_SLICE.format(stage="cost"))["prices"]
        prices = parse_prices(text, Path(read_json(args.results / RESOLVED)["price_file"]))
    if args.reach:
        others = {"--budget": args.budget, "--records": args.records, "--epochs": args.epochs}
        refuse_beside("vitalbench cost: --reach", others | {"--usd-per-kwh": args.usd_per_kwh})
        levels = _levels(args.reach)
        rows = [*reached_rows(results, prices, levels, _absent(args.results, results))]
        if args.out:
            write_table("reached", rows, args.out)
        else:
            print(table_text("reached", rows), end="")
        return
    if args.budget is not None:
        refuse_beside("vitalbench cost: --budget", {"--out": args.out})
    scale = _scale(args)
    own = _own(results, args.usd_per_kwh) if args.usd_per_kwh is not None else {}
    asked = bool(args.prices or scale or own)  # the suite's own tables keep the prices the suite names, and its size
    if not (asked or args.out or args.budget is not None):
        first = _absent(args.results, results)
        write_json(results.folder / SESSIONS, sessions(results, first) if first else {})
        results = Results(args.results)
    absent = _absent(args.results, results)
    rows = [*cost_rows(results, prices, scale, own, absent)]
    if args.budget is not None:
        _hold(results, rows, args.budget, scale is not None)
        return
    if asked and not args.out:
        print(table_text("cost", rows), end="")
        return
    write_table("cost", rows, args.out or results.table("cost"))
    if not args.out:
        write_table("projected", absent.rows() if absent else [], results.table("projected"))
        write_table("reached", reached_rows(results, prices, absent=absent), results.table("reached"))
