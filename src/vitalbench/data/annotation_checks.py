"""Files of annotations held against their recordings: another's, or one that was cut, labels windows that look sound."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, annotation_file
from vitalbench.data.annotations import Annotations, Facts
from vitalbench.data.datasets import FAULT, UnreadableRecord

_BY_CHANCE = 32  # bytes: a mark or two of rhythm may be the same in two recordings, as where both are in one throughout


def hold_to_end(annotations: Annotations, facts: Facts, within_s: float | None, name: str) -> None:
    """Refuse annotations that stop long before their recording does, in a release that annotates all of it.

    Args:
        within_s: of the end, the last annotation stands; None where a release leaves ends unseen.
        name: of the file, to be told.

    Raises:
        UnreadableRecord: `bad-file`.
    """
    if within_s is None or not facts.samples:
        return
    last = int(annotations.sample[-1]) / facts.rate_hz if len(annotations.sample) else 0.0
    if last < facts.seconds - within_s:
        raise UnreadableRecord(
            "bad-file",
            f"{name}: its last annotation is at {last:.1f} s of {facts.seconds:.1f} s: it was cut, or is another's",
        )


def hold_beats(annotations: Annotations, published: int, name: str) -> None:
    """Refuse annotations of more or fewer beats than are published of the recording.

    Raises:
        UnreadableRecord: `bad-file`.
    """
    if (beats := len(annotations.beats())) != published:
        raise UnreadableRecord("bad-file", f"{name}: {beats:,} beats; {published:,} are published of the recording")


def hold_rhythms(annotations: Annotations, facts: Facts, known: Iterable[str], name: str) -> None:
    """Refuse marks of a rhythm that is none of those a release has, each written as `(AFIB`: taken as another it labels windows.

    Args:
        known: rhythms, without the parenthesis.
        name: of the file, to be told. What a mark says is not, for a note may hold anything.

    Raises:
        UnreadableRecord: `bad-file`.
    """
    allowed = [f"({rhythm}" for rhythm in known]
    strange = next((sample for sample, note in annotations.rhythm_marks() if note not in allowed), None)
    if strange is not None:
        at = f"{strange / facts.rate_hz:.1f} s"
        raise UnreadableRecord(
            "bad-file", f"{name}: the mark at {at} is of no known rhythm; allowed: {' '.join(allowed)}"
        )


def hold_apart(
    root: Path, rows: list[dict[str, Any]], config: DatasetBuild, fault: Callable[[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of an index, where the recordings that share a file of annotations byte by byte are one row at fault each.

    Which of them it belongs to cannot be told, so none is used.

    Args:
        rows: of windows, with `file`, in the order of recordings; those at fault are left alone.
        fault: makes the row of a recording, by its header's name and what is wrong with it.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for file in dict.fromkeys(row["file"] for row in rows if not row[FAULT]):
        beside = annotation_file(f"{file}{HEADER}", config.annotations)
        content = (root / beside).read_bytes() if beside else b""
        if len(content) > _BY_CHANCE:
            same[hashlib.sha256(content).hexdigest()].append(file)
    shared = {file: files for files in same.values() if len(files) > 1 for file in files}
    kept, told = [], set()
    for row in rows:
        file = row["file"]
        if row[FAULT] or file not in shared:
            kept.append(row)
        elif file not in told:
            told.add(file)
            others = " and ".join(PurePosixPath(other).name for other in shared[file] if other != file)
            kept.append(fault(f"{file}{HEADER}", f"its annotations are byte by byte those of {others}"))
    return kept
