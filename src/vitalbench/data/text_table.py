"""Tables that someone else wrote, CSV and its kin or parquet: each column once, each cell as it stands, or one line why not."""

import bz2
import csv
import gzip
import lzma
import re
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vitalbench.errors import InputError

FORMATS = "CSV, TSV (also packed by gzip, bzip2 or xz), parquet"
_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_UTF8_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # UTF-16, and UTF-32 from the one with the low byte first
_SEPARATORS = ",\t;|"
_MARK = re.compile(r"\S")
_LINE_END = re.compile("[\r\n]")
_SHOWN = 200  # characters of a library's message


def _short(problem: object) -> str:
    return " ".join(str(problem).split())[:_SHOWN]


def content_of(path: Path) -> bytes:
    """The bytes of a file, unpacked.

    Raises:
        InputError: it is missing, no file, not readable, or its packing is damaged.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path}: not readable: not a file; allowed: {FORMATS}")
    try:
        content = path.read_bytes()
        for mark, unpacked in _PACKED.items():
            if content.startswith(mark):
                return unpacked(content)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as problem:
        raise InputError(f"{path}: not readable: {_short(problem)}") from None
    return content


def text_of(content: bytes, path: Path) -> str:
    """The text of a file, without the mark that it may begin with.

    Raises:
        InputError: other than UTF-8, or with a NUL.
    """
    if content.startswith(_WIDE_MARKS):
        raise InputError(f"{path}: not readable as CSV: written in UTF-16 or UTF-32; allowed: UTF-8")
    try:
        text = content.removeprefix(_UTF8_MARK).decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        raise InputError(f"{path}: not readable as CSV: line {line} is not UTF-8; allowed: UTF-8") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}: not readable as CSV: line {line} holds a NUL character")
    return text


def header_line(text: str) -> str:
    """The first line that holds anything; empty where none does."""
    found = _MARK.search(text)
    if not found:
        return ""
    start = max(text.rfind(end, 0, found.start()) for end in "\r\n") + 1
    end = _LINE_END.search(text, start)
    return text[start : end.start() if end else None]


def separator_of(text: str) -> str:
    """What separates the fields of a table: of comma, tab, semicolon and bar the one that makes most of its first line.

    >>> separator_of("record_id;patient_id;split")
    ';'
    """
    line = header_line(text)
    return max(_SEPARATORS, key=lambda separator: len(_fields(line, separator)))


def has_columns(text: str) -> bool:
    """Whether a text is a table of several columns, by its first line."""
    return len(_fields(header_line(text), separator_of(text))) > 1


def is_parquet(content: bytes) -> bool:
    """Whether a file is parquet, by how it begins."""
    return content.startswith(_PARQUET)


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # a field beyond what any name has
        return []


def _unique(names: list[str], path: Path) -> list[str]:
    named = [name.strip() or f"Unnamed: {at}" for at, name in enumerate(names)]
    twice = [name for at, name in enumerate(named) if name in named[:at]]
    if twice:
        raise InputError(f"{path}: column '{twice[0]}' stands there twice")
    return named


def parse_text(content: bytes, path: Path, separator: str | None = None) -> pd.DataFrame:
    """A delimited text as a table of texts; an empty cell is an empty text, a column without a name is `Unnamed: <position>`.

    Args:
        content: UTF-8, with or without its mark; lines end in LF, CRLF or CR.
        path: what messages call it.
        separator: found in the first line by default.

    Raises:
        InputError: other than UTF-8, without a header, a column name twice, a row with more fields than the header, an open quote.
    """
    head = header_line(text_of(content, path))
    separator = separator or separator_of(head)
    header = _fields(head, separator)
    if not any(name.strip() for name in header):
        raise InputError(f"{path}: holds no header that can be read")
    names = _unique(header, path)
    try:
        table = pd.read_csv(
            BytesIO(content.removeprefix(_UTF8_MARK)),  # of a text, pandas makes a copy of four bytes a character
            sep=separator,
            header=0,
            names=names,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    except (ValueError, pd.errors.ParserError) as problem:
        longer = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(problem))
        if longer:
            told = f"line {longer[2]} has {longer[3]} fields, its header names {longer[1]}"
            raise InputError(f"{path}: its rows have more fields than its header names: {told}") from None
        raise InputError(f"{path}: not readable as CSV: {_short(problem)}") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"{path}: its rows have more fields than its header names")
    return table


def _parse_parquet(content: bytes, path: Path) -> pd.DataFrame:
    try:
        file = pq.ParquetFile(BytesIO(content))
        names = _unique(file.schema_arrow.names, path)
        nested = [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]
        # What pandas noted of itself is left aside: an index is a column like any other.
        flat = file.read(columns=[name for name in names if name not in nested])
        return pd.DataFrame(flat.to_pandas(ignore_metadata=True))
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as problem:
        raise InputError(f"{path}: not readable as parquet: {_short(problem)}") from None


def read_any(path: Path) -> pd.DataFrame:
    """A table by what its bytes are, whatever its name: a text has texts in every cell, parquet its own types, less nested columns.

    Raises:
        InputError: one line that names the file: missing, damaged, or none of FORMATS.
    """
    content = content_of(path)
    if is_parquet(content):
        return _parse_parquet(content, path)
    if path.name.endswith(".parquet"):
        raise InputError(f"{path}: not readable as parquet: it does not begin as one")
    if content.startswith(_ZIP):
        raise InputError(f"{path}: not readable: a zip archive or a spreadsheet; allowed: {FORMATS}")
    return parse_text(content, path)
