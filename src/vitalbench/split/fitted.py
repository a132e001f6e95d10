"""Which records the statistics that come with a data set were fitted on: a column of the split table, or a file of ids."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vitalbench.data.text_table import content_of, has_columns, is_parquet, parse_text, read_any, text_of
from vitalbench.errors import InputError, choices
from vitalbench.split.audit import id_column

COLUMN = "fitted_on"
_TOLD = 3  # ids that a message names
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


def fitted_records(table: pd.DataFrame, path: Path, file: Path | None) -> set[str] | None:
    """The ids of the records that statistics were fitted on; None where neither a column nor a file says.

    Args:
        table: the split, read from `path`.
        file: ids, one a line, with or without their namespace (`<dataset>/`); a first line `record_id` is a header. Or a table with
            a column record_id, CSV or parquet.

    Raises:
        InputError: the file is missing, empty or has columns of which none is record_id; an id without its namespace is one of
            several data sets; the column holds what is neither true nor false.
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
    full: dict[str, set[str]] = {}
    for record in table["record_id"].unique():
        full.setdefault(str(record).partition("/")[2], set()).add(str(record))
    known = set(table["record_id"])
    for record in _listed(file):
        meant = {record} if record in known else full.get(record, {record})
        if len(meant) > 1:
            told = " or ".join(sorted(meant)[:_TOLD])
            raise InputError(f"{file}: record '{record}' may be {told}; name it with its data set")
        found |= meant
    return found


def _listed(file: Path) -> list[str]:
    """The ids of a list: its lines, or the column record_id where it is a table of several columns."""
    if not file.exists():
        raise InputError(f"{file}: not readable: no such file")
    content = content_of(file)
    listed = read_any(file) if is_parquet(content) else None
    if listed is None:
        text = text_of(content, file)
        if not has_columns(text):
            lines = [line.strip().strip('"') for line in text.splitlines()]
            ids = [line for line in lines if line and line != "record_id"]
            if not ids:
                raise InputError(f"{file}: holds no record id")
            return ids
        listed = parse_text(content, file)
    return [str(record) for record in id_column(listed, "record_id", file)]


def rows_hash(records: Iterable[str]) -> str:
    """A hash of a set of record ids, whatever their order."""
    return hashlib.sha256("\n".join(sorted(records)).encode()).hexdigest()[:16]
