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


def listed_headers(names: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Those of a publisher's list of files that are headers at or below one of `folders`.

    >>> listed_headers(["a/g1/r1.hea", "a/g1/r1.mat", "b/r2.hea"], ["a"])
    ['a/g1/r1.hea']
    """
    below = tuple("" if folder == "." else f"{folder}/" for folder in folders)
    return sorted(name for name in names if name.endswith(HEADER) and name.startswith(below))
