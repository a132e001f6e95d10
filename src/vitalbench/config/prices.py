"""Price files: dated rows with their source, one file a date; and which of them a suite is costed with."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vitalbench.config.knobs import Knobs
from vitalbench.config.values import is_day
from vitalbench.errors import ConfigError, choices

_COLUMNS = ("key", "provider", "sku", "region", "purchase", "gpus", "usd_per_hour", "price_date", "price_source")
_MOST_BYTES, _MOST_USD = 16_000_000, 1e6  # of a file, and an hour of a machine
_PURCHASE = ("on-demand", "spot", "owned")


@dataclass(frozen=True)
class Price:
    """An hour of a machine."""

    key: str
    provider: str
    sku: str
    region: str
    purchase: str
    gpus: int
    usd_per_hour: float
    price_date: str
    price_source: str


def price_text(path: Path) -> str:
    """A price file as it stands, less the mark that spreadsheets begin a file with; a ConfigError where it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: not readable: it is no file")
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise ConfigError(f"{path}: {size / 1e6:.4g} MB; such a table has no more than {_MOST_BYTES / 1e6:g}")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable: {error}") from None


def hold_source(where: str, row: Mapping[str, str], file: Path) -> None:
    """Refuse a price without key or source, with a cell too many, or whose date is neither a day nor a month or after its file's.

    Args:
        file: it stands in; one that is named by a day holds no later price.

    Raises:
        ConfigError: so.
    """
    if None in row:
        raise ConfigError(f"{where}: more cells than columns")
    if not row["key"] or not row["price_date"] or not row["price_source"]:
        raise ConfigError(f"{where}: a price needs its key, its date and its source")
    told = row["price_date"]
    if not (is_day(told) or is_day(f"{told}-01")):
        raise ConfigError(f"{where}: price_date is {told!r}; it must be a day or a month, 2026-09-06 or 2026-09")
    if is_day(file.stem) and told > file.stem:
        raise ConfigError(f"{where}: price_date is {told!r}, after the day that the file is named by")


def parse_prices(text: str, path: Path) -> dict[str, Price]:
    """The rows of a price file by their keys.

    Args:
        path: where the text is from, for messages.

    Raises:
        ConfigError: a missing column, a price that is no positive number, an empty date or source, a key that stands there twice.
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = reader.fieldnames or []
        rows = list(reader)
    except csv.Error as error:
        raise ConfigError(f"{path}: not readable as CSV: {error}") from None
    for column in _COLUMNS:
        if column not in columns:
            raise ConfigError(f"{path}: column '{column}' is missing; found: {', '.join(columns)}")
    prices: dict[str, Price] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}: line {line}"
        try:
            usd, gpus = float(row["usd_per_hour"]), int(row["gpus"])
        except (TypeError, ValueError):
            raise ConfigError(
                f"{where}: usd_per_hour and gpus must be numbers, not {row['usd_per_hour']!r}, {row['gpus']!r}"
            ) from None
        if not (math.isfinite(usd) and 0 < usd < _MOST_USD):
            raise ConfigError(f"{where}: usd_per_hour is {usd:g}; it must be positive, and less than {_MOST_USD:g}")
        if gpus < 0:
            raise ConfigError(f"{where}: gpus is {gpus}; it must be 0 or more")
        hold_source(where, row, path)
        if row["purchase"] not in _PURCHASE:
            raise ConfigError(f"{where}: purchase is {row['purchase']!r}; {choices(row['purchase'], _PURCHASE)}")
        if row["key"] in prices:
            raise ConfigError(f"{where}: key '{row['key']}' stands there twice")
        values = {name: row[name] for name in _COLUMNS} | {"gpus": gpus, "usd_per_hour": usd}
        prices[row["key"]] = Price(**values)  # type: ignore[arg-type]
    return prices


def read_prices(path: Path) -> dict[str, Price]:
    """Read a price file; a ConfigError says what is wrong with it and in which line."""
    return parse_prices(price_text(path), path)


def price_file(knobs: Knobs, configs: Path) -> Path:
    """The price file a suite is costed with: the one named, or the newest of configs/prices, whose files are named by date."""
    if knobs.price_file:
        path = Path(knobs.price_file).expanduser()
        if not path.is_file():
            raise ConfigError(f"{knobs.said_in('price_file')}: {path}: no such file")
        return path
    return newest_price_file(configs)


def newest_price_file(configs: Path) -> Path:
    """The newest file of configs/prices, by its name."""
    files = sorted((configs / "prices").glob("*.csv"))
    if not files:
        raise ConfigError(f"{configs / 'prices'}: no price file; one is named <date>.csv")
    return files[-1]


def latest_prices(configs: Path) -> dict[str, Price]:
    """Each price as the newest file that has it tells it, for what says of when it is; a cost of today takes one file's alone."""
    found: dict[str, Price] = {}
    for file in sorted((configs / "prices").glob("*.csv")):
        found |= read_prices(file)
    return found


def check_price_keys(asked_by: object, keys: list[str], prices: dict[str, Price], path: Path) -> None:
    """Refuse a key the price file in use does not have. A row of an older file is no price of today: it has to be carried over."""
    for key in keys:
        if key in prices:
            continue
        others = [file for file in sorted(path.parent.glob("*.csv"), reverse=True) if file.name != path.name]
        older = next((file.name for file in others if key in read_prices(file)), None)
        hint = f"; it stands in {older}, from where its row can be carried over" if older else ""
        raise ConfigError(f"{asked_by}: no price of {path} is named {key!r}{hint}; {choices(key, prices)}")
