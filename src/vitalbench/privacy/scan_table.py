"""What looks identifying in a table of text: by the names of its columns, and by their values where the names say nothing."""

import bz2
import csv
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from vitalbench.privacy.field_names import by_name, is_age, is_plain, shown
from vitalbench.privacy.finding import Seen, not_read, says_nothing
from vitalbench.privacy.identifying import OLD, OLDEST, by_value, is_free_text, is_full_name, is_packed_date

_CELLS = 400_000  # looked at together, so that memory stays flat
_SEPARATORS = ",;\t|"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.I)
_AGE = re.compile(r"0*(\d{1,3})(?:\.\d*)?\s*(?:y|yrs?|years?)?\.?", re.I)
_NAME_SHARE, _NAMES = 0.8, 3  # of a column's values, and so many, have the form of full names where it holds names
_SHOWN = 60  # characters of a column's name


class _Column:
    """Values of one column, each with the line it was first seen in."""

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name.strip()
        self.values: dict[str, int] = {}
        self.cells = 0

    def add(self, cell: str, line: int) -> None:
        value = cell.strip()
        if value and not says_nothing(value):
            self.cells += 1
            self.values.setdefault(value, line)

    @property
    def label(self) -> str:
        """What the column is spoken of by: its name where that can be no value, else its number and the name's shape."""
        name = self.name[:_SHOWN]
        if not name:
            return f"column {self.number}"
        return f"column '{name}'" if is_plain(name) else f"column {self.number} '{shown(name)}'"

    def _reason(self) -> tuple[str, list[str]]:
        values = list(self.values)
        named = by_name(self.name)
        if named:
            return f"named like {named}", values
        alike = [(value, seen[0]) for value in values if (seen := by_value([value]))]
        if alike:
            return f"looks like {alike[0][1]}", [value for value, _ in alike]
        dates = [value for value in values if is_packed_date(value)]
        if len(dates) * 2 > len(values):
            return "looks like a date", dates
        if is_age(self.name):
            ages = [(value, _AGE.fullmatch(value)) for value in values]
            return "age of 90 or over", [value for value, age in ages if age and OLD <= int(age[1]) < OLDEST]
        names = [value for value in values if is_full_name(value)]
        if len(names) >= max(_NAMES, _NAME_SHARE * len(values)) and len(values) * 2 > self.cells:
            return "looks like a name", names
        return "free text", values if is_free_text(values) else []

    def seen(self) -> Iterator[Seen]:
        """The column's finding, if any; then it is empty again."""
        if self.values:
            why, values = self._reason()
            if values:
                yield Seen(self.label, why, self.values[values[0]], len(values), values[0], self.name)
        self.values, self.cells = {}, 0


_PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def _open(path: Path) -> TextIO:
    unpacked = _PACKED.get(path.suffix.lower(), open)
    with unpacked(path, "rb") as stream:
        wide = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
    text: TextIO = unpacked(path, "rt", encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="")
    return text


def _names_columns(row: list[str]) -> bool:
    """Whether a first row holds names of columns: none of its cells is a number or looks identifying by its value."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return not any(_NUMBER.fullmatch(cell) or by_value([cell]) for cell in cells)


def _rows(stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    first = stream.readline(1 << 16)
    stream.seek(0)
    reader = csv.reader(stream, delimiter=max(_SEPARATORS, key=first.count), strict=True)
    for row in reader:
        if row:
            yield reader.line_num, row


class _Table:
    """The columns of a table as its rows come by."""

    def __init__(self) -> None:
        self.columns: list[_Column] = []
        self.line = 0  # that was read last

    def read(self, stream: TextIO) -> Iterator[Seen]:
        """Look at every row; a first row that names no columns is one."""
        held = 0
        for self.line, row in _rows(stream):
            if not self.columns and _names_columns(row):
                self.columns = [_Column(number, name) for number, name in enumerate(row, 1)]
                continue
            self.columns += [_Column(number, "") for number in range(len(self.columns) + 1, len(row) + 1)]
            for column, cell in zip(self.columns, row, strict=False):
                column.add(cell, self.line)
            held += len(row)
            if held > _CELLS:
                yield from self.seen()
                held = 0
        yield from self.seen()

    def seen(self) -> Iterator[Seen]:
        """What the rows since the last time show."""
        for column in self.columns:
            yield from column.seen()


def table(path: Path) -> Iterator[Seen]:
    """What a table shows, packed or not; that it, or the rest of it, cannot be read is a finding too."""
    looked = _Table()
    try:
        with _open(path) as stream:
            yield from looked.read(stream)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, csv.Error) as error:
        yield from looked.seen()
        yield not_read(error, looked.line + 1)
