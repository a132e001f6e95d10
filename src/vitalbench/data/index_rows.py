"""The rows of a release's index, cell by cell: a row at fault quarantines its record, most rows at fault are a broken table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from vitalbench.data.text_table import content_of, parse_text
from vitalbench.errors import InputError, choices

_MISSING = {"nan", "NaN", "NA", "None", "null"}  # beside nothing at all
WHOLE = r"0*[0-9]{1,18}(?:\.0+)?"
_FLAGS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_CENTURIES = (1900, 2100)


def read_cells(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A release's table as texts without surrounding spaces; what stands for nothing is an empty text.

    Raises:
        InputError: the file is missing or no CSV, or lacks one of `columns`.
    """
    table = parse_text(content_of(path), path, ",")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"{path}: column '{missing[0]}' is missing; found: {', '.join(table.columns)}")
    for column in table.columns:  # one at a time, so that no second table is held
        cells = table[column].str.strip()
        table[column] = cells.mask(cells.isin(_MISSING), "")
    return table


class Rows:
    """The rows of an index as texts, read column by column; `fault` says of each what was found wrong first.

    Faults never repeat a value: they go into tables that are read by more people than the release.

    Args:
        table: as `read_cells` returns it.
        path: its file.
    """

    def __init__(self, table: pd.DataFrame, path: Path) -> None:
        self.table, self.path = table, path
        self.fault = pd.Series("", index=table.index, dtype=object)

    def refuse(self, wrong: pd.Series, why: str) -> None:
        """Say what is wrong with some rows of which nothing has been said yet."""
        self.fault[wrong & (self.fault == "")] = why

    def whole(self, column: str) -> pd.Series:
        """Ids that are whole numbers, in their plain writing: 15709.0 is 15709."""
        cells = self.table[column]
        self.refuse(cells == "", f"has no {column}")
        self.refuse(~cells.str.fullmatch(WHOLE), f"{column} is not a whole number of up to 18 digits")
        return cells.str.replace(r"\.0+$", "", regex=True).str.replace(r"^0+(?=.)", "", regex=True)

    def number(
        self, column: str, allowed: Callable[[pd.Series], pd.Series], told: str, needed: bool = False
    ) -> pd.Series:
        """Numbers; whole ones as integers where no row lacks one."""
        cells = self.table[column]
        value = pd.to_numeric(cells, errors="coerce").astype(float)
        if needed:
            self.refuse(cells == "", f"has no {column}")
        self.refuse((cells != "") & ~(np.isfinite(value) & allowed(value)), f"{column} is not {told}")
        value = value.where(self.fault == "")
        here = value[self.fault == ""]
        if here.notna().all() and (here == here.round()).all() and not cells.str.contains(".", regex=False).any():
            return value.fillna(0).astype("int64")  # a row at fault has no value, and never reaches the store
        return value

    def flag(self, column: str) -> pd.Series:
        """True or false; None where the cell is empty."""
        cells = self.table[column].str.lower()
        self.refuse((cells != "") & ~cells.isin(list(_FLAGS)), f"{column} is not True, False or empty")
        return cells.map(_FLAGS).astype(object).where(cells.isin(list(_FLAGS)), None).infer_objects()

    def date(self, column: str) -> pd.Series:
        """Dates as they are written, year first."""
        cells = self.table[column]
        year = pd.to_datetime(cells, format="ISO8601", errors="coerce").dt.year
        known = year.between(*_CENTURIES)
        first, last = _CENTURIES
        self.refuse((cells != "") & ~known, f"{column} is not a date, year first, from {first} to {last}, or empty")
        return cells.where(cells != "")

    def plain(self, column: str) -> pd.Series:
        """A column that is taken as it comes: numbers where all are, else texts."""
        cells = self.table[column]
        value = pd.to_numeric(cells, errors="coerce")
        if not (value.notna() | (cells == "")).all():
            return cells.where(cells != "")
        endless = value.abs() == np.inf
        self.refuse(endless, f"{column} is beyond what a number holds")
        return value.mask(endless)

    def hold(self) -> None:
        """Refuse the table where most of its rows are at fault: then it is not the rows that are broken."""
        at_fault = self.fault != ""
        if 2 * int(at_fault.sum()) <= len(self.fault):
            return
        first = int(at_fault.to_numpy().argmax())
        raise InputError(
            f"{self.path}: row {first + 1}: {self.fault.iloc[first]} "
            f"({int(at_fault.sum()):,} of {len(self.fault):,} rows cannot be used)"
        )


def refuse_cell(path: Path, table: pd.DataFrame, wrong: pd.Series, column: str, allowed: tuple[str, ...]) -> None:
    """Refuse a small table of which every row counts for one cell that is not what is allowed."""
    if wrong.any():
        at = int(wrong.to_numpy().argmax())
        value = str(table[column].iloc[at])[:60]
        raise InputError(f"{path}: row {at + 1}: column '{column}' is {value!r}; {choices(value, allowed)}")
