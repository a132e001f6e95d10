"""configs/storage/<date>.csv: what a gigabyte costs a month, dated and with its source."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from vitalbench.config.prices import hold_source, price_text
from vitalbench.errors import ConfigError

_COLUMNS = ("key", "provider", "sku", "region", "tier", "usd_per_gb_month", "price_date", "price_source")


@dataclass(frozen=True)
class StoragePrice:
    """A month of 10^9 bytes; requests, retrieval and what leaves the cloud are not in it."""

    key: str
    provider: str
    sku: str
    region: str
    tier: str
    usd_per_gb_month: float
    price_date: str
    price_source: str


def storage_file(configs: Path) -> Path:
    """The newest file of configs/storage, whose files are named by date."""
    files = sorted((configs / "storage").glob("*.csv"))
    if not files:
        raise ConfigError(f"{configs / 'storage'}: no file of storage prices; one is named <date>.csv")
    return files[-1]


def read_storage_prices(path: Path) -> dict[str, StoragePrice]:
    """Read a file; a ConfigError says what is wrong with it and in which line."""
    return parse_storage_prices(price_text(path), path)


def parse_storage_prices(text: str, path: Path) -> dict[str, StoragePrice]:
    """The rows of a file by their keys.

    Args:
        path: where the text is from, for messages.

    Raises:
        ConfigError: a missing column, a price that is no positive number, an empty date or source, a key that stands there twice.
    """
    reader = csv.DictReader(text.splitlines())
    try:
        columns = reader.fieldnames or []
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ConfigError(f"{path}: not readable as CSV: {error}") from None
    for column in _COLUMNS:
        if column not in columns:
            raise ConfigError(f"{path}: column '{column}' is missing; found: {', '.join(columns)}")
    prices: dict[str, StoragePrice] = {}
    for line, row in rows:
        where = f"{path}: line {line}"
        try:
            usd = float(row["usd_per_gb_month"])
        except (TypeError, ValueError):
            usd = math.nan
        if not 0 < usd < math.inf:
            raise ConfigError(f"{where}: usd_per_gb_month is {row['usd_per_gb_month']!r}; it must be a positive number")
        hold_source(where, row, path)
        if row["key"] in prices:
            raise ConfigError(f"{where}: key '{row['key']}' stands there twice")
        told = {name: row[name] for name in _COLUMNS if name != "usd_per_gb_month"}
        prices[row["key"]] = StoragePrice(usd_per_gb_month=usd, **told)
    return prices
