"""The log of accesses to records of people: who, when, with which command, to what, how many records; lines are only ever added.

A line's hash covers the line and the hash before it, and a second file states how far the log had come: a line that was edited, put
in or taken out is found, at the end too. Whoever may write both files can make both anew; `vitalbench verify` prints the last hash,
to be kept elsewhere. No line holds a key, an id or a value of a record.
"""

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import ACCESS_HEAD, ACCESS_LOG
from vitalbench.measure.clock import utc_now

PURPOSE = "VITALBENCH_PURPOSE"
_ACTING: ContextVar[tuple[str, str]] = ContextVar("acting", default=("python", ""))


@contextmanager
def acting(command: str, about: str) -> Iterator[None]:
    """What accesses are logged as being for: a command, and the cell or part it is about."""
    token = _ACTING.set((command, about))
    try:
        yield
    finally:
        _ACTING.reset(token)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a table of users
        return f"uid {os.getuid()}"


def is_logged(folder: Path) -> bool:
    """Whether accesses to a data set's folder are logged: its records came from a folder of the user, or are encrypted."""
    if not (folder / "config.json").is_file():
        return False
    made = read_json(folder / "config.json")
    return bool(made["source"] == "local" or made["config"].get("encrypt"))


def _hashed(entry: dict[str, Any], previous: str) -> str:
    text = json.dumps({key: value for key, value in entry.items() if key != "hash"}, sort_keys=True)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _last_hash(lines: list[str]) -> str:
    try:
        return str(json.loads(lines[-1])["hash"]) if lines else ""
    except (ValueError, KeyError, TypeError):
        return ""  # a damaged line: what follows is chained to nothing, and `problems` tells both


def note(folder: Path, what: str, records: int) -> None:
    """Add a line to the log of a data set's folder, where its accesses are logged.

    Args:
        what: what was opened or written, in words.
        records: how many records that gives access to.

    Raises:
        InputError: the log cannot be written; then the records may not be read either.
    """
    if not is_logged(folder):
        return
    command, about = _ACTING.get()
    path = folder / ACCESS_LOG
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o660)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; records whose accesses are logged are not read without") from None
    with os.fdopen(handle, "rb+", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # released with the file
        text = stream.read().decode("utf-8", errors="replace")
        lines = text.splitlines()
        entry: dict[str, Any] = {"when": utc_now(), "who": _user(), "command": command, "about": about, "what": what}
        entry |= {
            "data": f"{folder.parent.name}/{folder.name}",
            "records": records,
            "purpose": os.environ.get(PURPOSE, ""),
        }
        entry["hash"] = _hashed(entry, _last_hash(lines))
        begun = "" if not text or text.endswith("\n") else "\n"  # a write that was cut off
        stream.write(f"{begun}{json.dumps(entry, sort_keys=True)}\n".encode())
        write_json(folder / ACCESS_HEAD, {"lines": len(lines) + 1, "hash": entry["hash"]})


def problems(folder: Path) -> tuple[list[str], int, str]:
    """Recompute the log's chain.

    Returns:
        A line for each thing that was altered, put in or taken out; the log's length; its last hash.
    """
    path, head = folder / ACCESS_LOG, folder / ACCESS_HEAD
    stated: dict[str, Any] = read_json(head) if head.is_file() else {"lines": 0, "hash": ""}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    found, previous, hashes = [], "", [""]
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            given = str(entry["hash"])
        except (ValueError, KeyError, TypeError):
            found.append(f"access: {path}: line {number}: not a line of the log")
            previous = ""
        else:
            if given != (here := _hashed(entry, previous)):
                found.append(
                    f"access: {path}: line {number}: states {given[:12]}, it and the line before give {here[:12]}: "
                    "one of them was altered, or a line put in or taken out"
                )
            previous = given
        hashes.append(previous)
    count = int(stated["lines"])
    if len(lines) < count or hashes[min(count, len(lines))] != stated["hash"]:
        found.append(f"access: {path}: {len(lines)} lines; there were {count}, the last {str(stated['hash'])[:12]}")
    return found, len(lines), previous
