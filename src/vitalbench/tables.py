"""Tables written with exactly their declared columns, and read back."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitalbench.columns import GAINED, SCHEMA_VERSION, TABLES
from vitalbench.errors import InputError
from vitalbench.files import write_json, write_text


def names(table: str) -> list[str]:
    """A table's columns, in order."""
    return [column.name for column in TABLES[table][1]]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return repr(float(f"{value:.12g}"))  # digits that count, not decimals: costs are small
    return str(value)


def table_text(table: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A table as CSV with exactly its declared columns; empty means not applicable."""
    columns = names(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        unknown = set(row) - set(columns)
        if unknown:
            raise KeyError(f"table {table} has no column {min(unknown)}")
        writer.writerow([_text(row.get(column)) for column in columns])
    return out.getvalue()


def write_table(table: str, rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write a table as UTF-8 CSV."""
    write_text(path, table_text(table, rows))


def read_table(table: str, path: Path) -> list[dict[str, str]]:
    """Read a table back as text, a dictionary a row; a column that the table gained since the file was kept is empty."""
    gained = dict.fromkeys(GAINED.get(table, ()), "")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if reader.fieldnames is None or not set(names(table)) - set(gained) <= set(reader.fieldnames):
                raise InputError(f"{path}: no table of {table}: columns {', '.join(reader.fieldnames or [])}")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    columns = len(reader.fieldnames)
                    raise InputError(f"{path}: line {reader.line_num}: more or fewer fields than the {columns} columns")
                rows.append(gained | row)
            return rows
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None


def number(text: str) -> float | None:
    """A cell of a table as a number; None where it is empty, an InputError where it is none."""
    try:
        return float(text) if text != "" else None
    except ValueError:
        raise InputError(f"a table holds {text[:40]!r} where a number belongs; make it again") from None


def write_schema(path: Path) -> None:
    """Write tables/schema.json: a version, and every column's meaning and unit."""
    tables = {
        name: {
            "row": row,
            "columns": [{"name": column.name, "meaning": column.meaning, "unit": column.unit} for column in columns],
        }
        for name, (row, columns) in TABLES.items()
    }
    write_json(path, {"version": SCHEMA_VERSION, "tables": tables})
