"""Unpack an archive that someone else made: nothing outside its folder, nothing but files, no more bytes than declared."""

import hashlib
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vitalbench.data.checksums import safe_name
from vitalbench.errors import InputError

_CHUNK = 1 << 20
_MOST_MEMBERS = 5_000_000  # a release of millions of small files exists; one of more is a bomb of empty names
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    stream: IO[bytes]


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        if info.is_dir():
            safe_name(info.filename.rstrip("/"))
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):  # made on a system without kinds: 0
            raise InputError(f"{info.filename!r} is a link or a device, not a file")
        if info.flag_bits & 1:
            raise InputError(f"{info.filename!r} is encrypted")
        with archive.open(info) as stream:
            yield _Member(safe_name(info.filename), info.file_size, stream)


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if info.isdir():
            if info.name not in (".", "./"):
                safe_name(info.name)
            continue
        stream = archive.extractfile(info) if info.isreg() else None
        if stream is None:
            raise InputError(f"{info.name!r} is a link or a device, not a file")
        yield _Member(safe_name(info.name), info.size, stream)
    # tarfile takes a header it cannot read for the end. What stands behind the last member is zeros, and in a compressed archive
    # the checksum, which is held by reading to the end.
    behind = archive.fileobj
    if behind:
        behind.seek(archive.offset)
        while piece := behind.read(_CHUNK):
            if piece.strip(b"\0"):
                raise InputError("a header behind the last readable member is damaged")


@contextmanager
def _members(path: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield _zip_members(archive)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            yield _tar_members(archive)
    else:
        raise InputError("neither a zip nor a tar file")


def _write(member: _Member, target: Path) -> str:
    """Write one member, new, never through a link; returns its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed, size = hashlib.sha256(), 0
    try:
        out = target.open("xb")
    except FileExistsError:
        raise InputError(f"{member.name!r} is in it twice") from None
    with out:
        while piece := member.stream.read(_CHUNK):
            size += len(piece)
            if size > member.size:
                break
            hashed.update(piece)
            out.write(piece)
    if size != member.size:
        raise InputError(f"{member.name!r} is not of the {member.size:,} bytes it declares")
    return hashed.hexdigest()


def unpack(path: Path, root: Path, most_bytes: int, folder: str = "") -> dict[str, str]:
    """Unpack a zip or tar file; `root` appears whole or not at all.

    Args:
        path: the archive.
        root: the folder to make; what was there goes.
        most_bytes: what all members together may declare, and hold.
        folder: the folder inside the archive that becomes `root`; all of it by default.

    Returns:
        The SHA-256 of every file, by its path below `root`.

    Raises:
        InputError: a member leaves the folder, is a link, a device or encrypted, the whole is larger than allowed or damaged.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    inside = f"{safe_name(folder)}/" if folder else ""
    made: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}.") as temporary:
        tree = Path(temporary, "tree")
        try:
            with _members(path) as members:
                left = most_bytes
                for count, member in enumerate(members, start=1):
                    left -= member.size
                    if left < 0 or count > _MOST_MEMBERS:
                        raise InputError(f"it holds more than the {most_bytes:,} bytes that the configuration allows")
                    made[member.name] = _write(member, tree / member.name)
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from None
        except _DAMAGE as problem:
            raise InputError(f"{path}: cannot be unpacked: {' '.join(str(problem).split())}") from None
        whole = tree / folder
        if not whole.is_dir() or not made:
            raise InputError(f"{path}: holds no folder {folder!r}" if folder else f"{path}: holds no file")
        shutil.rmtree(root, ignore_errors=True)
        whole.rename(root)
    return {name.removeprefix(inside): sha256 for name, sha256 in made.items() if name.startswith(inside)}
