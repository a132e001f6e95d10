"""Look through a release's headers, tables and names of files for what looks identifying, before any of it is stored."""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vitalbench.errors import InputError
from vitalbench.privacy.field_names import by_file_name, shown, words_of
from vitalbench.privacy.finding import Seen
from vitalbench.privacy.identifying import masked
from vitalbench.privacy.scan_header import header
from vitalbench.privacy.scan_table import table
from vitalbench.privacy.words import MARKS, NUMBERS, PEOPLE

_READERS = {".hea": header} | {
    f"{kind}{packed}": table for kind in (".csv", ".tsv") for packed in ("", ".gz", ".bz2", ".xz")
}
# Words of which the name of a column of pseudonymous ids is made, and the id it becomes in a store.
_IDS = {"patient_id": PEOPLE, "record_id": frozenset({"record", "recording", "ecg", "signal", "sample"})}


@dataclass(frozen=True)
class Finding:
    """One field that looks identifying, in all the files in which it was seen. What `repr` shows holds no value.

    Attributes:
        number: the first file's place in the list of all, in the order of `LC_ALL=C sort`.
        file: its path below the folder, words and digits that may be a value as shapes.
        line: in it; 0 where there is none to name.
        count: values that look so.
        example: the shape of one.
        path: the file's path as it is.
        name: a column's name as it is.
    """

    number: int
    file: str
    line: int
    field: str
    why: str
    files: int
    count: int
    example: str
    path: str = dataclasses.field(repr=False)
    name: str = dataclasses.field(repr=False)


@dataclass(frozen=True)
class Scan:
    """Findings, how many headers and tables were read, and how many other files were looked at by their names alone."""

    findings: list[Finding]
    read: int
    others: int


def _kind(name: str) -> str | None:
    lower = name.lower()
    return next((kind for kind in sorted(_READERS, key=len, reverse=True) if lower.endswith(kind)), None)


def _names(path: PurePosixPath) -> Iterator[Seen]:
    for what, part in ((by_file_name(part), part) for part in path.parts):
        if what:
            yield Seen("file name", f"looks like {what}", 0, 1, part)


def scan(folder: Path) -> Scan:
    """Look through every WFDB header (.hea) and table (.csv, .tsv, also packed) below a folder, and the names of all files.

    Returns:
        A finding for each table, field and reason; for each field and reason of all headers together, and of all names of files.
        A file that cannot be read is a finding.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = sorted(
        (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()), key=os.fsencode
    )
    found: dict[tuple[str, str, str], list[tuple[int, str, Seen]]] = {}
    read = 0
    for number, path in enumerate(paths, 1):
        kind = _kind(path)
        for seen in _names(PurePosixPath(path)):
            found.setdefault(("", seen.field, seen.why), []).append((number, path, seen))
        if kind is None:
            continue
        read += 1
        for seen in _READERS[kind](folder / path):
            # Headers come by the thousand: what all of them hold is one finding. A table is one of its kind.
            found.setdefault((kind if kind == ".hea" else path, seen.field, seen.why), []).append((number, path, seen))
    return Scan([_finding(places) for places in found.values()], read, len(paths) - read)


def _finding(places: list[tuple[int, str, Seen]]) -> Finding:
    number, path, first = places[0]
    return Finding(
        number,
        shown(path),
        first.line,
        first.field,
        first.why,
        len({path for _, path, _ in places}),
        sum(seen.count for _, _, seen in places),
        masked(first.value),
        path,
        first.name,
    )


def is_declared(finding: Finding, carry: list[str]) -> bool:
    """Whether a finding is a column of ids of patients or records, which a data set's YAML says are pseudonyms that it carries."""
    words = set(words_of(finding.name))
    return finding.why == "named like an id" and any(
        name in carry and words & of and words <= of | MARKS | NUMBERS for name, of in _IDS.items()
    )
