"""Which records the statistics that come with a data set were fitted on: a column of the split table, or a file of ids."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vitalbench.errors import InputError, choices

COLUMN = "fitted_on"
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


def fitted_records(table: pd.DataFrame, path: Path, file: Path | None) -> set[str] | None:
    """The ids of the records that statistics were fitted on; None where neither a column nor a file says.

    Args:
        table: the split, read from `path`.
        file: ids, one a line, with or without their namespace (`<dataset>/`); a first line `record_id` is a header.

    Raises:
        InputError: the file is missing or empty, or the column holds what is neither true nor false.
    """
    found: set[str] = set()
    if COLUMN in table.columns:
        said = table[COLUMN].astype("string").fillna("").str.strip().str.lower()
        wrong = ~said.isin([*_YES, *_NO])
        if wrong.any():
            value = table[COLUMN][wrong].iloc[0]
            raise InputError(
                f"{path}: row {int(wrong.argmax()) + 1}: column '{COLUMN}' is {str(value)!r}; {choices(value, ('true', 'false'))}"
            )
        found |= set(table.loc[said.isin(_YES), "record_id"])
    if file is None:
        return found if COLUMN in table.columns else None
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable: {error}") from None
    ids = [line for line in lines if line and line != "record_id"]
    if not ids:
        raise InputError(f"{file}: holds no record id")
    full = {str(record).partition("/")[2]: str(record) for record in table["record_id"] if "/" in str(record)}
    known = set(table["record_id"])
    return found | {record if record in known else full.get(record, record) for record in ids}


def rows_hash(records: Iterable[str]) -> str:
    """A hash of a set of record ids, whatever their order."""
    return hashlib.sha256("\n".join(sorted(records)).encode()).hexdigest()[:16]
