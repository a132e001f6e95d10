"""Which files were verified, and what tells that they were not touched since: a second run need not read a whole release."""

from collections.abc import Iterable
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json, write_json

_State = tuple[int, int]


def _state(path: Path) -> _State | None:
    """Size in bytes and time of change in nanoseconds."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


class Receipts:
    """The SHA-256 of files below a folder, each with the size and time it had when it was computed.

    Args:
        path: where they are kept; a damaged file counts as none, and everything is read again.
        root: the folder.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._path, self._root = path, root
        try:
            content = read_json(path) if path.is_file() else {}
        except InputError:
            content = {}
        known = content if isinstance(content, dict) else {}
        self._known: dict[str, tuple[str, _State]] = {
            name: (entry[0], (entry[1], entry[2]))
            for name, entry in known.items()
            if isinstance(entry, list) and len(entry) == 3
        }

    def sha256(self, name: str) -> str | None:
        """The hash of a file as it is now, read again where size or time changed; None without the file."""
        state = _state(self._root / name)
        if state is None:
            self._known.pop(name, None)
            return None
        known = self._known.get(name)
        if known is not None and known[1] == state:
            return known[0]
        found = file_digest(self._root / name)
        self._known[name] = (found, state)
        return found

    def add(self, name: str, sha256: str) -> None:
        """Note a file that was hashed while it was written."""
        state = _state(self._root / name)
        if state is not None:
            self._known[name] = (sha256, state)

    def bytes(self, names: Iterable[str]) -> int:
        """The size of some files that were noted."""
        return sum(self._known[name][1][0] for name in names)

    def save(self) -> None:
        """Keep them for the next run."""
        write_json(self._path, {name: [sha256, *state] for name, (sha256, state) in self._known.items()})
