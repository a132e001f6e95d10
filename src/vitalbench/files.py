"""Files written whole or not at all, and the hashes that tell one content from another."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitalbench.errors import FULL, GateError, InputError, choices


@contextmanager
def atomic(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name, on any error nothing is left.

    A reader sees the old content or the new one, never a part: the rename is atomic on one file system.

    Raises:
        InputError: there is a device, a pipe or a socket, which a file would take the place of.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: a device, a pipe or a socket; name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)  # mkstemp makes it private; results are meant to be shared
        temporary.replace(path)
    except OSError as error:
        # A full disk does not say which file it had no room for; where it was copied it says which one it was copied from.
        if error.filename is None or error.errno in FULL:
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success its content is on the disk and it takes the name, on any error it goes.

    A process that is killed in between leaves the temporary folder, whose name begins with a dot and the name of `path`.

    Raises:
        OSError: `path` is already there and holds something.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        for written in (*temporary.rglob("*"), temporary):
            _to_disk(written)
        temporary.rename(path)
        _to_disk(path.parent)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


@contextmanager
def only_one_in(folder: Path) -> Iterator[None]:
    """Within, this process is the only one that says of itself that it is at work in a folder; however it ends, that ends too.

    A file system without locks refuses nobody.

    Raises:
        GateError: another process is at work there.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GateError(f"{folder}: another process is at work on this; wait for its end, or end it") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EBADF, errno.EINVAL, errno.ENOSYS):
                raise
        yield
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_json(value: Any) -> str:
    """Render as JSON with sorted keys, so that equal values are equal texts."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically."""
    write_text(path, to_json(value))


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` only where the file differs, so that an unchanged value keeps its time stamp; say whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


class MissingKey(InputError, KeyError):
    """A key that a JSON file should have and has not."""

    def __str__(self) -> str:
        """The message itself, where a KeyError gives its repr."""
        return str(self.args[0])


class JsonObject(dict[str, Any]):
    """An object of a JSON file; asked by [] for a key it lacks it names the file."""

    def __init__(self, content: dict[str, Any], path: Path) -> None:
        super().__init__(content)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise MissingKey(f"{self._path}: damaged: key '{key}' is missing; {choices(key, self)}")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice[:80]!a} twice")
    return found


def read_json(path: Path) -> Any:
    """Read a JSON file that holds an object; a missing or damaged one is an InputError that names it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_each_once)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; name a file") from None
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged: not a JSON object but {type(content).__name__}")
    return JsonObject(content, path)


def digest(value: Any) -> str:
    """Hash any JSON-like value: 16 hex digits of SHA-256 over its sorted form."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Hash a file's bytes: SHA-256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
