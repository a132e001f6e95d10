"""A publisher's checksum list: which files a release holds, each under a name that stays inside it, and one hash for them all."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitalbench.errors import InputError

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)|([0-9a-fA-F]{64})\s+(.+)")
LIST = "checksums.txt"  # what the list is called beside release.json
# Bytes of one name, and of a path below the release's folder, on the file systems in use; half of the path's are for the folder.
_LONGEST, _LONGEST_PATH = 255, 2048


def _too_long(name: str) -> bool:
    return len(name.encode()) > _LONGEST_PATH or any(len(step.encode()) > _LONGEST for step in name.split("/"))


def safe_name(name: str) -> str:
    """A name that someone else gave a file of a release, in plain form below the release's folder.

    Raises:
        InputError: the name is absolute, steps out of the folder, or is none on every system.

    >>> safe_name("./records100/00000/00001_lr.dat")
    'records100/00000/00001_lr.dat'
    """
    plain = name.removeprefix("./")
    steps = plain.split("/")
    outside = any(step in ("", ".", "..") for step in steps) or "\\" in plain or re.match(r"[A-Za-z]:", plain)
    if outside or not plain.isprintable() or _too_long(plain):
        raise InputError(f"{name[:200]!r} is no name of a file inside the release's folder")
    return plain


def read_checksums(text: str, source: object) -> dict[str, str]:
    """SHA-256 in hex by file, from a list as sha256sum writes it and PhysioNet publishes it (`<sha256> <path>`).

    Args:
        text: the list.
        source: what messages call it.

    Raises:
        InputError: a line is no checksum, a name leaves the folder, or a file is listed twice with different hashes.
    """
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            raise InputError(f"{source}: line {number} is not '<sha256> <path>': {line[:60]!r}")
        sha256, name = (group for group in found.groups() if group)
        try:
            plain = safe_name(name)
        except InputError as error:
            raise InputError(f"{source}: line {number}: {error}") from None
        if listed.setdefault(plain, sha256.lower()) != sha256.lower():
            raise InputError(f"{source}: line {number}: {plain} is listed twice with different hashes")
    if not listed:
        raise InputError(f"{source}: lists no file")
    return listed


def write_checksums(files: Mapping[str, str]) -> str:
    """The list of some files, sorted by path: what `sha256sum` would print of them.

    >>> write_checksums({"b": "0" * 64, "a": "1" * 64}).splitlines()[0][-3:]
    '  a'
    """
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()))


def content_hash(files: Mapping[str, str]) -> str:
    """One SHA-256 for a whole tree of files, whatever order or archive they came in: that of their sorted list.

    >>> content_hash({"a": "0" * 64}) == content_hash({"a": "1" * 64})
    False
    """
    return hashlib.sha256(write_checksums(files).encode()).hexdigest()


@dataclass(frozen=True)
class Listed:
    """The list that a release is held against.

    Attributes:
        files: SHA-256 by path.
        sha256: of the list itself.
        source: what messages call it.
        trust: `pinned`: its hash stands in the configuration; else who it came from, `publisher` or `mirror`.
    """

    files: Mapping[str, str]
    sha256: str
    source: str
    trust: str

    def select(self, names: Iterable[str]) -> dict[str, str]:
        """The hashes of some files.

        Raises:
            InputError: one is not listed, so that it could not be verified.
        """
        wanted = list(names)
        unlisted = [name for name in wanted if name not in self.files]
        if unlisted:
            raise InputError(
                f"{self.source}: does not list {unlisted[0]} ({len(unlisted)} such), so it cannot be verified"
            )
        return {name: self.files[name] for name in wanted}
