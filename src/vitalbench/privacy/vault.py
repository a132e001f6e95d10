"""Encryption at rest, AES-256-GCM (NIST SP 800-38D): single rows, whole files in chunks, and whole tables.

What a piece of ciphertext belongs to is authenticated with it, so a row or chunk that was altered, moved, swapped, repeated or cut
off does not open. Nothing hides how large something is or what its file is called.

A sealed file is a header (magic, the key's fingerprint, a salt, the chunk's size) and chunks of that size with a tag of 16 bytes
each. Its key is derived from the user's by the salt, so that no two files share one and chunk numbers serve as nonces.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vitalbench.errors import InputError
from vitalbench.files import atomic
from vitalbench.privacy.key import Key

MAGIC = b"VBSEAL1\n"
NONCE, TAG = 12, 16
ROW_OVERHEAD = NONCE + TAG  # bytes that a sealed row is longer
CHUNK = 1 << 20
_FINGERPRINT, _SALT, _SIZE = 8, 16, 4
_HEADER = len(MAGIC) + _FINGERPRINT + _SALT + _SIZE


def seal_row(key: AESGCM, aad: bytes, content: bytes) -> bytes:
    """nonce | ciphertext | tag, under a random nonce of 96 bits: enough for 2^32 rows a key."""
    nonce = os.urandom(NONCE)
    return nonce + key.encrypt(nonce, content, aad)


def open_row(key: AESGCM, aad: bytes, sealed: bytes) -> bytes:
    """The content of a sealed row.

    Raises:
        InvalidTag: other key, other place, or altered.
    """
    return key.decrypt(sealed[:NONCE], sealed[NONCE:], aad)


class RowVault:
    """Seals and opens the rows of one part of a store; a row opens in its part and at its place alone."""

    def __init__(self, key: Key, part: str) -> None:
        self.fingerprint = key.fingerprint
        self._key, self._part = AESGCM(key.derived("rows of a store")), part

    def _aad(self, row: int) -> bytes:
        return f"{self._part}\0{row}".encode()

    def seal(self, row: int, content: bytes) -> bytes:
        """A row of `ROW_OVERHEAD` bytes more."""
        return seal_row(self._key, self._aad(row), content)

    def open(self, row: int, sealed: bytes) -> bytes:
        """The content of a row; an InputError where it was altered or moved."""
        try:
            return open_row(self._key, self._aad(row), sealed)
        except InvalidTag:
            raise InputError(f"{self._part}: row {row} does not open: it was altered or moved") from None


def check_fingerprint(stated: str, key: Key, what: object) -> None:
    """Tell a wrong key before anything is decrypted with it."""
    if stated != key.fingerprint:
        raise InputError(f"{what}: sealed with the key {stated}; the key here is {key.fingerprint}")


@dataclass(frozen=True)
class _Chunks:
    """The key of one sealed file, and what its chunks are bound to."""

    key: AESGCM
    header: bytes
    name: str

    @classmethod
    def of(cls, key: Key, header: bytes, name: str) -> "_Chunks":
        salt = header[len(MAGIC) + _FINGERPRINT :][:_SALT]
        return cls(AESGCM(key.derived(f"sealed file {salt.hex()}")), header, name)

    def bound(self, number: int, last: bool) -> tuple[bytes, bytes]:
        """Nonce and associated data of a chunk."""
        return number.to_bytes(NONCE, "big"), self.header + f"{self.name}\0{number}\0{last:d}".encode()


def _pieces(source: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """(number, content, is the last); an empty source is one empty last piece."""
    number, piece = 0, source.read(size)
    while True:
        following = source.read(size)
        yield number, piece, not following
        if not following:
            return
        number, piece = number + 1, following


def seal_stream(key: Key, name: str, source: IO[bytes], target: IO[bytes], chunk: int = CHUNK) -> None:
    """Seal `source` into `target`, in memory of a chunk or two, bound to `name`."""
    header = MAGIC + bytes.fromhex(key.fingerprint) + os.urandom(_SALT) + chunk.to_bytes(_SIZE, "big")
    chunks = _Chunks.of(key, header, name)
    target.write(header)
    for number, piece, last in _pieces(source, chunk):
        nonce, aad = chunks.bound(number, last)
        target.write(chunks.key.encrypt(nonce, piece, aad))


def open_stream(key: Key, name: str, source: IO[bytes], target: IO[bytes], what: object) -> None:
    """Open what `seal_stream` made of the same name.

    Raises:
        InputError: not sealed, another key, or altered; what was written to `target` until then is whole chunks, but not the file.
    """
    header = source.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(MAGIC):
        raise InputError(f"{what}: not a sealed file")
    check_fingerprint(header[len(MAGIC) :][:_FINGERPRINT].hex(), key, what)
    size = int.from_bytes(header[-_SIZE:], "big")
    if not 0 < size <= CHUNK:
        raise InputError(f"{what}: its header was altered")
    chunks = _Chunks.of(key, header, name)
    for number, piece, last in _pieces(source, size + TAG):
        nonce, aad = chunks.bound(number, last)
        try:
            target.write(chunks.key.decrypt(nonce, piece, aad))
        except InvalidTag:
            raise InputError(
                f"{what}: chunk {number} does not open: altered, cut off, or another file under this name"
            ) from None


def is_sealed(path: Path) -> bool:
    """Whether a file is a sealed one."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def sealed_bytes(key: Key, name: str, content: bytes) -> bytes:
    """A sealed file of `content`."""
    target = BytesIO()
    seal_stream(key, name, BytesIO(content), target)
    return target.getvalue()


def opened_bytes(key: Key, name: str, path: Path) -> bytes:
    """The content of a sealed file."""
    target = BytesIO()
    with path.open("rb") as source:
        open_stream(key, name, source, target, path)
    return target.getvalue()


def _files(folder: Path, out: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; name a new folder")
    if folder.resolve() in [out.resolve(), *out.resolve().parents]:
        raise InputError(f"{out}: lies in {folder}; name a folder elsewhere")
    paths = sorted(folder.rglob("*"))
    links = [path for path in paths if path.is_symlink()]
    if links:
        raise InputError(f"{links[0]}: a link; what it leads to may lie outside the folder, so copy it first")
    return [path for path in paths if path.is_file()]


def seal_folder(folder: Path, out: Path, key: Key) -> int:
    """Seal every file of a folder into another, names kept, each bound to its path; returns how many."""
    files = _files(folder, out)
    for path in files:
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as source, atomic(out / name) as temporary, temporary.open("wb") as target:
            seal_stream(key, name, source, target)
    return len(files)


def unseal_folder(folder: Path, out: Path, key: Key) -> int:
    """Open every file of a sealed folder into another, for its owner alone; returns how many. What does not open is not left."""
    files = _files(folder, out)
    for path in files:
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as source, atomic(out / name) as temporary, temporary.open("wb") as target:
            open_stream(key, name, source, target, path)
        (out / name).chmod(0o600)
    return len(files)
