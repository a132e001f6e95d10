"""Look through a release's headers and tables for what looks identifying, before any of it is stored."""

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vitalbench.errors import InputError
from vitalbench.privacy.identifying import by_name, by_value, has_time, is_free_text, masked

_ROWS = 50_000  # of a table at once, so that memory stays flat
_OLD = 90  # ages from here on identify (45 CFR 164.514(b)(2)(i)(C))
_OLDEST = 130  # beyond, a release's own code for "90 or older"
_KEYED = re.compile(r"^\s*<?([A-Za-z][\w .-]{0,30}?)>?\s*[:=]\s*(\S.*)$")


@dataclass(frozen=True)
class Finding:
    """One field that looks identifying; `file` is the first of `files` in which it was seen, `example` the shape of one value."""

    file: str
    field: str
    why: str
    files: int
    count: int
    example: str


@dataclass(frozen=True)
class _Seen:
    field: str
    why: str
    count: int
    example: str


def _header_line(line: str) -> Iterator[_Seen]:
    """A WFDB header's record line: after name, signals, rate and samples come the time and the date of recording."""
    for token in line.split()[4:]:
        if has_time(token):
            yield _Seen("base time", "time of day", 1, masked(token))
        elif by_value([token]):
            yield _Seen("base date", "looks like a date", 1, masked(token))


def _comment(line: str) -> Iterator[_Seen]:
    text = line.lstrip("# ")
    keyed = _KEYED.match(text)
    # Several keys may share a line, as in `Name: A B <sex>: F`; each is judged by its own words.
    what = by_name(keyed[1]) if keyed else None
    if keyed and what:
        yield _Seen(f"comment '{keyed[1].strip()}'", f"named like {what}", 1, masked(keyed[2]))
        return
    seen = by_value([text])
    if seen:
        yield _Seen("comment", f"looks like {seen[0]}", 1, masked(text))
    age = re.search(r"\bage\W{0,4}(\d+)", text, re.I)
    if age and _OLD <= int(age[1]) < _OLDEST:
        yield _Seen("comment 'age'", "age of 90 or over", 1, masked(age[1]))


def _header(path: Path) -> Iterator[_Seen]:
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    record = True
    for line in lines:
        if line.startswith("#"):
            yield from _comment(line)
        elif line.strip() and record:
            record = False
            yield from _header_line(line)
        elif line.strip():
            seen = by_value([" ".join(line.split()[8:])])  # a signal's description
            if seen:
                yield _Seen("signal description", f"looks like {seen[0]}", 1, masked(seen[1]))


def _column(name: str, values: list[str]) -> _Seen | None:
    named = by_name(name)
    if named:
        return _Seen(f"column '{name}'", f"named like {named}", len(values), masked(values[0])) if values else None
    alike = [value for value in values if by_value([value])]
    if alike:
        what = by_value(alike[:1])
        return _Seen(f"column '{name}'", f"looks like {what[0] if what else ''}", len(alike), masked(alike[0]))
    if "age" in re.split(r"[^a-z]+", name.lower()):
        ages = pd.to_numeric(pd.Series(values), errors="coerce")
        old = ages[(ages >= _OLD) & (ages < _OLDEST)]
        return _Seen(f"column '{name}'", "age of 90 or over", len(old), masked(str(old.iloc[0]))) if len(old) else None
    if is_free_text(values):
        return _Seen(f"column '{name}'", "free text", len(values), masked(values[0]))
    return None


def _table(path: Path) -> Iterator[_Seen]:
    found: dict[tuple[str, str], _Seen] = {}
    separator = "\t" if ".tsv" in path.name else ","
    try:
        for chunk in pd.read_csv(path, dtype=str, sep=separator, chunksize=_ROWS, encoding_errors="replace"):
            for name in chunk.columns:
                seen = _column(str(name), chunk[name].dropna().unique().tolist())
                if seen:
                    old = found.get((seen.field, seen.why))
                    found[seen.field, seen.why] = (
                        _Seen(seen.field, seen.why, old.count + seen.count, old.example) if old else seen
                    )
    except pd.errors.EmptyDataError:
        return
    except (OSError, ValueError, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not readable as CSV: {type(error).__name__}") from None  # its text may hold a value
    yield from found.values()


_READERS = {".hea": _header, ".csv": _table, ".tsv": _table, ".csv.gz": _table, ".tsv.gz": _table}


def scan(folder: Path) -> tuple[list[Finding], int]:
    """Look through every WFDB header (.hea) and table (.csv, .tsv, also gzipped) below a folder.

    Returns:
        A finding for each kind of file, field and reason; and how many files were read.

    Raises:
        InputError: no such folder, or a table that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    places: dict[tuple[str, str, str], list[tuple[str, _Seen]]] = defaultdict(list)
    read = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        kind = next(
            (suffix for suffix in sorted(_READERS, key=len, reverse=True) if path.name.lower().endswith(suffix)), None
        )
        if kind is None:
            continue
        read += 1
        for seen in _READERS[kind](path):
            # Headers come by the thousand: what all of them hold is one finding. A table is one of its kind.
            places[kind if kind == ".hea" else name, seen.field, seen.why].append((name, seen))
    findings = [
        Finding(
            seen[0][0],
            field,
            why,
            len({file for file, _ in seen}),
            sum(one.count for _, one in seen),
            seen[0][1].example,
        )
        for (_, field, why), seen in places.items()
    ]
    return findings, read
