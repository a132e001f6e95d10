"""Price files: dated rows with their source, one file a date."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from vitalbench.errors import ConfigError, choices

_COLUMNS = ("key", "provider", "sku", "region", "purchase", "gpus", "usd_per_hour", "price_date", "price_source")
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


def read_prices(path: Path) -> dict[str, Price]:
    """Read a price file.

    Raises:
        ConfigError: a missing column, a price that is no positive number, an empty date or source, a key that stands there twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            rows = list(reader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
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
        if not (math.isfinite(usd) and usd > 0):
            raise ConfigError(f"{where}: usd_per_hour is {usd}; it must be positive")
        if not row["price_date"] or not row["price_source"]:
            raise ConfigError(f"{where}: a price needs its date and its source")
        if row["purchase"] not in _PURCHASE:
            raise ConfigError(f"{where}: purchase is {row['purchase']!r}; {choices(row['purchase'], _PURCHASE)}")
        if row["key"] in prices:
            raise ConfigError(f"{where}: key '{row['key']}' stands there twice")
        values = {name: row[name] for name in _COLUMNS} | {"gpus": gpus, "usd_per_hour": usd}
        prices[row["key"]] = Price(**values)  # type: ignore[arg-type]
    return prices
