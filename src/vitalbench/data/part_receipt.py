"""A part as its receipt says it was made: every file of it read and compared before anything is built on it."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import pandas as pd

from vitalbench.chain import SHOWN
from vitalbench.data.standardise import part_files
from vitalbench.data.table_file import read_table
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json

_AGAIN = "delete it to build the part again"
# Snakemake makes a missing part for a store that it has to make, and not for one that is there.
_JOINED_AGAIN = "delete it and {store}, and run again: the part alone is built"


@dataclass(frozen=True)
class Made:
    """What a part's receipt says: how many records it holds, and the SHA-256 of its files by what they hold."""

    records: int
    sha256: dict[str, str]


def read_receipt(part: Path) -> Made:
    """A part's receipt.

    Raises:
        InputError: it is missing, or none.
    """
    path = part_files(part)["receipt"]
    content = read_json(path)
    try:
        sha256 = {name: str(content["sha256"][name]) for name in part_files(part) if name != "receipt"}
        return Made(int(content["records"]), sha256)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: damaged (no receipt of a part); {_AGAIN}") from None


def hold_parts(store: Path) -> None:
    """Hold the bytes of every part of a store against its manifest: reading samples alone would not notice a flipped bit.

    Raises:
        InputError: a part is missing or other than when the store was joined.
    """
    again, manifest = _JOINED_AGAIN.format(store=store), store.with_name("manifest.json")
    try:
        parts = {name: str(part["sha256"]["signals"]) for name, part in read_json(manifest)["parts"].items()}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{manifest}: damaged; `vitalbench store --data {store.parent}` makes it again") from None
    for name, stated in parts.items():
        path = store.parent / "parts" / name
        if not path.is_file():
            raise InputError(f"{path}: missing; {again.replace('it and ', '')}")
        here = file_digest(path)
        if here != stated:
            raise InputError(f"{path}: damaged (SHA-256 {here[:SHOWN]}, the store's {stated[:SHOWN]}); {again}")


def read_made(part: Path) -> tuple[pd.DataFrame, Made]:
    """A part's records and its receipt, each of its files held against it.

    Raises:
        InputError: a file is missing, or other than when the part was made: altered in place, or damaged by the disk.
    """
    made = read_receipt(part)
    for name, stated in made.sha256.items():
        path = part_files(part)[name]
        if not path.is_file():
            raise InputError(f"{path}: missing; run again: the part alone is built")
        here = file_digest(path)
        if here != stated:
            raise InputError(f"{path}: damaged (SHA-256 {here[:SHOWN]}, its receipt says {stated[:SHOWN]}); {_AGAIN}")
    try:
        table = read_table(part_files(part)["records"])
        with h5py.File(part) as file:
            stored = int(file.attrs["records"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{part}: damaged ({error}); {_AGAIN}") from None
    if len({len(table), stored, made.records}) > 1:
        raise InputError(
            f"{part}: holds {stored} records, its table {len(table)}, its receipt {made.records}; "
            "delete them to build the part again"
        )
    return table, made
