"""The errors a user may meet, each with the exit code it ends a command with."""

import difflib
import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path


class VitalbenchError(Exception):
    """An error that is told in one line, without a traceback."""

    exit_code = 2


class ConfigError(VitalbenchError):
    """The configuration is wrong. The message names the file, the key and what is allowed."""


class InputError(VitalbenchError):
    """A file handed in is missing, damaged or not what it claims to be. The message names it."""


class GateError(VitalbenchError):
    """A gate said no: a leak, a failed cell, a device that is not the one declared."""

    exit_code = 1


class Interrupted(VitalbenchError):
    """A signal ended a command before it was done; the message says what it left. The exit code is 128 + the signal's number."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
        self.exit_code = 128 + number


def plain(text: str) -> str:
    """A text with what would break its line, or mean something to a terminal, written as Python writes it.

    >>> plain("a\\nb\\x1b[2J")
    'a\\\\nb\\\\x1b[2J'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def choices(value: object, allowed: Iterable[object]) -> str:
    """Say what is allowed and what comes nearest to a value that is not.

    >>> choices("aurok", ["auroc", "auprc"])
    'allowed: auprc, auroc; nearest: auroc'
    >>> choices("x", [])
    'allowed: nothing'
    """
    names = sorted({str(name) for name in allowed})
    if not names:
        return "allowed: nothing"
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    shown = ", ".join(names if len(names) <= 24 else [*names[:24], f"... ({len(names)} in all)"])
    return f"allowed: {shown}" + (f"; nearest: {near[0]}" if near else "")


# What a write ends with that the disk has no room for, or that reaches no disk.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_WRITE = (*FULL, errno.EROFS, errno.EIO)


def told_as_line(error: OSError) -> str | None:
    """What the system refused, as a line for who can act on it: the file and why; None of what is rather a defect.

    Libraries tell of a full disk without a file, and some without its number.

    >>> told_as_line(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'a.csv: no such file or directory'
    >>> told_as_line(OSError(28, "No space left on device"))
    'no space left on device; next: df -h . results "${TMPDIR:-/tmp}"'
    >>> told_as_line(OSError("cannot"))
    """
    full = error.errno in FULL or os.strerror(errno.ENOSPC) in str(error)
    why = (error.strerror or str(error)).lower()
    # Of a copy or a rename the first name is its source, and what has no room is the second.
    name = (error.filename2 or error.filename) if full else error.filename
    if name is not None:
        return f"{os.fsdecode(name) if not isinstance(name, int) else name}: {why}"
    if full or error.errno in _NO_WRITE:
        return f'{os.strerror(errno.ENOSPC).lower() if full else why}; next: df -h . results "${{TMPDIR:-/tmp}}"'
    if error.errno == errno.ENOENT and _no_folder_here():
        return "the folder that this was started in is gone; next: cd to one that is there"
    return None


def _no_folder_here() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def refuse_beside(said: str, others: Mapping[str, object]) -> None:
    """Refuse options that say nothing beside another one, rather than leave them unheard.

    Args:
        said: the option, as it is typed, its command before it.
        others: by what is typed; None, False or empty where one was not given.

    Raises:
        ConfigError: one was.

    >>> refuse_beside("vitalbench cost: --reach", {"--budget": None})
    """
    beside = next(
        (name for name, value in others.items() if value is not None and value is not False and value != []), None
    )
    if beside:
        raise ConfigError(f"{said} and {beside} do not go together")
