"""Derive a document's cost and storage tables anew, line by line, from dated prices: theirs beside ours."""

import argparse
import math
from pathlib import Path

from vitalbench.amounts import shown_usd
from vitalbench.config.budget_file import budget_path, read_budget
from vitalbench.config.prices import newest_price_file, read_prices
from vitalbench.config.storage_prices import read_storage_prices, storage_file
from vitalbench.cost.budget import VERDICTS, Derived, derive
from vitalbench.errors import ConfigError, GateError, choices
from vitalbench.files import write_text
from vitalbench.progress import say

_TOTAL = "total"
_HEAD = """# Budgets

The cost and storage tables of the founding documents, line by line: what the document says, what its own terms come to, and what is
derived from dated prices and from sizes that are known. A line of which nothing is known is taken into sums as it stands.
Made by `vitalbench budget --markdown docs/BUDGETS.md`; the lines are those of `configs/budgets/`, the prices those of
{prices} and {storage}.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="of configs/budgets (default: all)")
    parser.add_argument("--prices", type=Path, metavar="FILE", help="default: the newest of configs/prices")
    parser.add_argument("--storage", type=Path, metavar="FILE", help="default: the newest of configs/storage")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a document instead")
    parser.add_argument("--limit", type=float, metavar="USD", help="end with exit code 1 where --line comes to more")
    parser.add_argument("--line", metavar="ID", help="the line that --limit holds (default total)")
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"


def _table(lines: list[Derived]) -> str:
    rows = [
        "| line | the document | its own terms | derived | unit | | by | why |",
        "|---|---:|---:|---:|---|---|---|---|",
    ]
    section = ""
    for found in lines:
        if found.line.section != section:
            section = found.line.section
            rows.append(f"| **{section}** | | | | | | | |")
        by = f"`{found.line.derived}`" if found.line.derived else ""
        used = f"{by}; {', '.join(found.used)}" if found.used else by
        cells = [
            found.line.text,
            _number(found.line.reported),
            _number(found.terms),
            _number(found.derived),
            found.line.unit,
            found.verdict,
            used,
            found.line.why,
        ]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _known(limit: float, name: str, derived: dict[str, list[Derived]]) -> dict[str, float]:
    """What a line that a limit is to hold comes to, by document; refused where there is no such line, or it is not in USD."""
    if not (math.isfinite(limit) and limit > 0):
        raise ConfigError(f"vitalbench budget: --limit {limit}: it must be a positive number")
    values = {}
    for source, lines in derived.items():
        known = {found.line.id: found for found in lines}
        if name not in known:
            raise ConfigError(f"vitalbench budget: --line {name}: {source}: {choices(name, known)}")
        found = known[name]
        value = found.derived if found.derived is not None else found.line.reported
        if found.line.unit != "USD" or value is None:
            raise ConfigError(f"vitalbench budget: --line {name} is in {found.line.unit}; --limit holds a line in USD")
        values[source] = value
    return values


def _hold(limit: float, name: str, derived: dict[str, list[Derived]]) -> None:
    """Raise the alarm where a line comes to more than a limit."""
    for source, value in _known(limit, name, derived).items():
        if value > limit:
            raise GateError(
                f"{source}: line '{name}' comes to {shown_usd(value)}, more than the limit of {shown_usd(limit)}"
            )


def run(args: argparse.Namespace) -> None:
    """Derive."""
    if args.line is not None and args.limit is None:
        raise ConfigError("vitalbench budget: --line says which line --limit holds, and --limit is not given")
    prices = args.prices or newest_price_file(args.configs)
    storage = args.storage or storage_file(args.configs)
    names = args.names or sorted(path.stem for path in (args.configs / "budgets").glob("*.yaml"))
    if not names:
        raise ConfigError(f"{args.configs / 'budgets'}: no budget; one is named <document>.yaml")
    found: dict[str, list[Derived]] = {}
    for name in names:
        path = budget_path(args.configs, name)
        budget = read_budget(path)
        found[budget.source] = [*derive(budget, read_prices(prices), read_storage_prices(storage), str(path))]
    if args.limit is not None:
        _known(args.limit, args.line or _TOTAL, found)
    tables = "\n\n".join(f"## {source}\n\n{_table(lines)}" for source, lines in found.items())
    if args.markdown:
        head = _HEAD.format(prices=f"`prices/{prices.name}`", storage=f"`storage/{storage.name}`")
        write_text(args.markdown, f"{head}\n{tables}\n")
    else:
        print(tables)
    counts = ", ".join(
        f"{sum(line.verdict == verdict for lines in found.values() for line in lines)} {verdict}"
        for verdict in VERDICTS
    )
    say(f"{sum(map(len, found.values()))} lines: {counts}")
    if args.limit is not None:
        _hold(args.limit, args.line or _TOTAL, found)
