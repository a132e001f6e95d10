"""The log of accesses to records of people: who, when, with which command, to what, how many records; lines are only ever added.

A line's hash covers the line and the hash before it, and a second file states how far the log had come (access_chain.py): a line
that was edited, put in or taken out is found, at the end too. An access that finds the log's end missing or altered goes on with a
line that records the break, so that no access repairs a log; where records lie whose accesses are logged, a missing log is missed.
Whoever may write both files can make both anew; `vitalbench verify` prints the last hash, to be kept elsewhere and held against.
No line holds a key, an id or a value of a record.
"""

import fcntl
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import ACCESS_HEAD, ACCESS_LOG
from vitalbench.measure.clock import utc_now
from vitalbench.privacy.access_chain import (
    broken_lines,
    end_problem,
    hash_of,
    hashed,
    lines_of,
    missing_head,
    parsed,
    read_head,
)
from vitalbench.privacy.vault import is_sealed
from vitalbench.progress import say

PURPOSE = "VITALBENCH_PURPOSE"
_STORED = ("index.parquet", "records.parquet")  # written after the access that gave their content was logged
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
    """Whom the process runs as: by its number, since what the environment says anyone can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container without a table of users
        return f"uid {os.getuid()}"


def _configured(folder: Path) -> tuple[bool, bool]:
    """Whether a folder's configuration says that its records came from a folder of the user, and that they are encrypted."""
    path = folder / "config.json"
    if not path.is_file():
        return False, False
    try:
        made = read_json(path)
        return str(made["source"]) == "local", bool(made["config"].get("encrypt"))
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: damaged: it does not say where the records come from; plan the workflow again (`snakemake -n`)"
        ) from None


def _log_is_due(folder: Path) -> bool:
    """Whether records lie here that a logged access alone can have stored: so there was a log."""
    local, _ = _configured(folder)
    stored = [folder / name for name in _STORED if (folder / name).is_file()]
    return any(local or is_sealed(path) for path in stored)


def is_logged(folder: Path) -> bool:
    """Whether accesses to a data set's folder are logged: records that a user brought, or that are encrypted, or ever were."""
    begun = any(os.path.lexists(folder / name) for name in (ACCESS_LOG, ACCESS_HEAD))
    return begun or any(_configured(folder)) or _log_is_due(folder)


def _break(folder: Path, lines: list[bytes]) -> str:
    """Why a log's end is not where its head says it was; "" where it is, and before a log's first line."""
    try:
        head = read_head(folder / ACCESS_HEAD)
    except InputError:
        return f"{ACCESS_HEAD} is damaged; {len(lines)} lines"
    if head:
        return end_problem(lines, head)
    if lines:
        return missing_head(lines)
    return "there was no log, though records were stored here whose accesses are logged" if _log_is_due(folder) else ""


def _append(folder: Path, stream: IO[bytes], entry: dict[str, Any]) -> None:
    fcntl.flock(stream, fcntl.LOCK_EX)  # released with the file
    content = stream.read()
    lines = lines_of(content)
    found = _break(folder, lines)
    if found:
        entry["break"] = found
        say(
            f"{folder / ACCESS_LOG}: the log of accesses does not go on where it stopped: {found}; this is now a line of it"
        )
    entry["hash"] = hashed(entry, hash_of(lines[-1]) if lines else "")
    begun = "" if not content or content.endswith(b"\n") else "\n"  # a write that was cut off
    line = f"{begun}{json.dumps(entry, sort_keys=True)}\n".encode()
    if stream.write(line) < len(line):
        raise OSError(None, "only part of a line could be written")
    os.fsync(stream.fileno())  # before the head, which may lag behind the log but not lead it
    write_json(folder / ACCESS_HEAD, {"lines": len(lines) + 1, "hash": entry["hash"]})


def note(folder: Path, what: str, records: int, encrypted: bool = False) -> None:
    """Add a line to the log of a data set's folder, where its accesses are logged.

    Args:
        what: what was opened or written, in words.
        records: how many records that gives access to.
        encrypted: the caller is about to store them encrypted; their accesses are logged whatever the folder says.

    Raises:
        InputError: the log cannot be written; then the records may not be read either.
    """
    if not (encrypted or is_logged(folder)):
        return
    command, about = _ACTING.get()
    path = folder / ACCESS_LOG
    entry = {
        "when": utc_now(),
        "who": _user(),
        "command": command,
        "about": about,
        "what": what,
        "data": f"{folder.parent.name}/{folder.name}",
        "records": records,
        "purpose": os.environ.get(PURPOSE, ""),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o660)
        with os.fdopen(handle, "rb+", buffering=0) as stream:
            _append(folder, stream, entry)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; records whose accesses are logged are not read without") from None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)  # no access is half noted
            return stream.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def problems(folder: Path, since: str = "") -> tuple[list[str], int, str]:
    """Recompute the log's chain.

    Args:
        since: the first digits of a line's hash that was kept elsewhere.

    Returns:
        A line for each thing that was altered, put in or taken out, or that the log records as a break; its length; its last hash.
    """
    path = folder / ACCESS_LOG
    found, head = [], None
    try:
        head = read_head(folder / ACCESS_HEAD)  # before the log, which may grow meanwhile
        stated = head is not None
    except InputError as error:
        found, stated = [str(error)], True
    lines = lines_of(_content(path))
    broken = broken_lines(lines)
    told = [f"line {number}: {what}" for number, what in broken]
    if head and not any(number >= head.lines for number, _ in broken):
        told += [problem] if (problem := end_problem(lines, head)) else []
    if lines and not stated:
        told.append(missing_head(lines))
    try:
        due = not lines and not stated and _log_is_due(folder)
    except InputError:
        due = False  # config.json is damaged, which the store's receipt tells: it is a link of its chain
    if due:
        told.append("there is none, though records were stored here whose accesses are logged")
    hashes = [entry["hash"] for line in lines if (entry := parsed(line))]
    if since and not any(known.startswith(since) for known in hashes):
        told.append(f"no line has the hash {since}: the log was made anew, or cut off before it")
    return found + [f"access: {path}: {line}" for line in told], len(lines), hashes[-1] if hashes else ""
