"""Encryption at rest, AES-256-GCM (NIST SP 800-38D): single rows, whole files in chunks, and whole tables.

What a piece of ciphertext belongs to is authenticated with it, so a row or chunk that was altered, moved, swapped, repeated or cut
off does not open. Nothing hides how large something is or what its file is called.

A sealed file is a header (magic, the key's fingerprint, a salt, the chunk's size) and chunks of that size with a tag of 16 bytes
each. Its key is derived from the user's by the salt, so that no two files share one and chunk numbers serve as nonces.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vitalbench.errors import InputError
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


class SealedWriter(RawIOBase):
    """A sealed file that is written in order, in memory of a chunk or two, bound to `name`; whole once it is finished.

    Args:
        target: where the sealed bytes go; it stays open.
        chunk: bytes of content a chunk.
    """

    def __init__(self, key: Key, name: str, target: IO[bytes], chunk: int = CHUNK) -> None:
        super().__init__()
        header = MAGIC + bytes.fromhex(key.fingerprint) + os.urandom(_SALT) + chunk.to_bytes(_SIZE, "big")
        self._chunks, self._chunk, self._target = _Chunks.of(key, header, name), chunk, target
        self._waiting, self._number = bytearray(), 0
        target.write(header)

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes of content so far."""
        return self._number * self._chunk + len(self._waiting)

    def write(self, content: Any) -> int:
        """Take content; what fills a chunk, and is not the last of it, is sealed."""
        self._waiting += content
        while len(self._waiting) > self._chunk:
            self._seal(last=False)
        return len(content)

    def _seal(self, last: bool) -> None:
        nonce, aad = self._chunks.bound(self._number, last)
        self._target.write(self._chunks.key.encrypt(nonce, bytes(self._waiting[: self._chunk]), aad))
        del self._waiting[: self._chunk]
        self._number += 1

    def finish(self) -> None:
        """Seal what is left as the last chunk. Without it the file does not open, as of one whose writer failed."""
        self._seal(last=True)
        self.close()


def seal_stream(key: Key, name: str, source: IO[bytes], target: IO[bytes], chunk: int = CHUNK) -> None:
    """Seal `source` into `target`, in memory of a chunk or two, bound to `name`."""
    writer = SealedWriter(key, name, target, chunk)
    shutil.copyfileobj(source, writer, chunk)
    writer.finish()


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


def sealing_of(path: Path) -> str:
    """What tells one sealing of a file from another: the salt drawn for it, in hex.

    Raises:
        InputError: not a sealed file.
    """
    with path.open("rb") as stream:
        header = stream.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(MAGIC):
        raise InputError(f"{path}: not a sealed file")
    return header[len(MAGIC) + _FINGERPRINT :][:_SALT].hex()


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
