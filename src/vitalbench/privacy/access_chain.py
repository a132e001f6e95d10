"""The chain that a log of accesses is: lines that each hash the one before, and a head that states how far they had come."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench.chain import SHOWN
from vitalbench.errors import InputError
from vitalbench.layout import ACCESS_HEAD

_HASH = re.compile("[0-9a-f]{64}")


def hashed(entry: dict[str, Any], previous: str) -> str:
    """The hash of an entry after a line with the hash `previous`; "" before the first."""
    text = json.dumps({key: value for key, value in entry.items() if key != "hash"}, sort_keys=True)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def lines_of(content: bytes) -> list[bytes]:
    """The lines of a log, the last one too where its write was cut off."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line's entry; None where it is no line of a log."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    stated = entry.get("hash") if isinstance(entry, dict) else None
    return entry if isinstance(stated, str) and _HASH.fullmatch(stated) else None


def hash_of(line: bytes) -> str:
    """The hash a line states. What follows a damaged one is chained to nothing, and `broken_lines` tells both."""
    entry = parsed(line)
    return str(entry["hash"]) if entry else ""


@dataclass(frozen=True)
class Head:
    """How many lines a log had, and the hash of the last."""

    lines: int
    hash: str


def read_head(path: Path) -> Head | None:
    """The head; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    try:
        stated = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        stated = None
    if isinstance(stated, dict):
        lines, last = stated.get("lines"), stated.get("hash")
        if type(lines) is int and lines > 0 and isinstance(last, str) and _HASH.fullmatch(last):
            return Head(lines, last)
    raise InputError(f"access: {path}: damaged: it does not say how far the log had come")


def end_problem(lines: Sequence[bytes], head: Head) -> str:
    """What is wrong with a log's end; "" where it goes on from its head.

    A write that was killed before the head followed leaves lines beyond it; they are chained to it as any line is.
    """
    if len(lines) < head.lines:
        return f"{len(lines)} lines; there were {head.lines}, the last {head.hash[:SHOWN]}"
    previous = hash_of(lines[head.lines - 2]) if head.lines > 1 else ""
    for number, line in enumerate(lines[head.lines - 1 :], head.lines):
        entry = parsed(line)
        if (
            not entry
            or entry["hash"] != hashed(entry, previous)
            or (number == head.lines and entry["hash"] != head.hash)
        ):
            return f"line {number} is not the one that was written"
        previous = entry["hash"]
    return ""


def broken_lines(lines: Sequence[bytes]) -> list[tuple[int, str]]:
    """What is wrong with each line of a log, by its number, where anything is; the breaks that it records included."""
    found, previous = [], ""
    for number, line in enumerate(lines, 1):
        entry = parsed(line)
        if not entry:
            found.append((number, "not a line of the log"))
            previous = ""
            continue
        if entry["hash"] != (here := hashed(entry, previous)):
            told = f"states {entry['hash'][:SHOWN]}, it and the line before give {here[:SHOWN]}"
            found.append((number, f"{told}: one of them was altered, or a line put in or taken out"))
        if "break" in entry:
            found.append((number, f"records a break: {ascii(entry['break']).strip(chr(39))[:300]}"))
        previous = entry["hash"]
    return found


def missing_head(lines: Sequence[bytes]) -> str:
    """What a log without a head is."""
    return f"{len(lines)} lines and no {ACCESS_HEAD}"
