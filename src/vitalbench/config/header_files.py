"""The headers of a release that has no table of its records: where they lie is all there is of an index."""

from collections.abc import Iterable, Iterator
from pathlib import Path

HEADER = ".hea"


def header_files(root: Path, folders: Iterable[str]) -> Iterator[str]:
    """Every WFDB header at or below those of `folders` that are there, relative to `root`, in the order of their names.

    Links to folders are followed no more than pathlib follows them: not at all below the first step.
    """
    for folder in folders:
        place = root / folder
        if place.is_dir():
            for path in sorted(place.rglob(f"*{HEADER}")):
                yield path.relative_to(root).as_posix()


def has_headers(root: Path, folders: Iterable[str]) -> bool:
    """Whether there is one, told by the first that is found."""
    return any(next((root / folder).rglob(f"*{HEADER}"), None) for folder in folders if (root / folder).is_dir())


def annotation_file(header: str, annotations: str | None) -> str | None:
    """The file of annotations beside a header, where a data set has such."""
    return f"{header.removesuffix(HEADER)}.{annotations}" if annotations else None


def listed_headers(names: Iterable[str], folders: Iterable[str], annotations: str | None = None) -> list[str]:
    """Those of a publisher's list of files that are headers at or below one of `folders`, and annotations beside them.

    >>> listed_headers(["a/g1/r1.hea", "a/g1/r1.mat", "b/r2.hea"], ["a"])
    ['a/g1/r1.hea']
    >>> listed_headers(["1.hea", "1.atr", "2.hea", "1.dat"], ["."], "atr")
    ['1.atr', '1.hea', '2.hea']
    """
    below = tuple("" if folder == "." else f"{folder}/" for folder in folders)
    known = set(names)
    headers = {name for name in known if name.endswith(HEADER) and name.startswith(below)}
    beside = {file for name in headers if (file := annotation_file(name, annotations)) in known and file}
    return sorted(headers | beside)
