"""The key of pseudonyms and of encryption at rest: 32 bytes from a file or the environment, shown to nobody.

VITALBENCH_KEY holds it in hex or base64; VITALBENCH_KEY_FILE names a file with it, raw or in hex or base64, which its owner alone
may read. Each use derives a key of its own (HKDF, RFC 5869), so that what one use shows says nothing of another.
"""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vitalbench.errors import InputError

VARIABLE, FILE_VARIABLE = "VITALBENCH_KEY", "VITALBENCH_KEY_FILE"
BYTES = 32


@dataclass(frozen=True)
class Key:
    """A key and the short name it may be spoken of by."""

    _secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell this key from another and give nothing of it away."""
        return hashlib.sha256(b"vitalbench key fingerprint\0" + self._secret).hexdigest()[:16]

    def derived(self, use: str) -> bytes:
        """32 bytes for one use."""
        return HKDF(SHA256(), BYTES, salt=None, info=b"vitalbench " + use.encode()).derive(self._secret)


def _decoded(content: bytes, where: str) -> Key:
    if len(content) == BYTES:
        return Key(content)
    text = content.strip()
    for decode in (binascii.unhexlify, lambda value: base64.b64decode(value, validate=True)):
        try:
            secret = decode(text)
        except (binascii.Error, ValueError):
            continue
        if len(secret) == BYTES:
            return Key(secret)
    raise InputError(f"{where}: no key; a key is {BYTES} bytes, raw in a file or as 64 hex digits or base64")


def _from_file(path: Path, where: str) -> Key:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise InputError(f"{where}: {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            f"{where}: {path}: others than its owner may use this file (mode {mode & 0o777:o}); chmod 600 it"
        )
    return _decoded(content, f"{where}: {path}")


def find_key(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Key | None:
    """The key in `file`, or where the environment says; None where it says nothing.

    Raises:
        InputError: what is there is no key, or others may read it. No message shows any of it.
    """
    if file is not None:
        return _from_file(file, "--key")
    if environment.get(VARIABLE):
        return _decoded(environment[VARIABLE].encode(), VARIABLE)
    if environment.get(FILE_VARIABLE):
        return _from_file(Path(environment[FILE_VARIABLE]), FILE_VARIABLE)
    return None


def need_key(what_for: str, file: Path | None = None) -> Key:
    """The key, or an InputError that says what it is needed for and where it may come from."""
    key = find_key(file)
    if key is None:
        raise InputError(
            f"{what_for} needs a key: set {FILE_VARIABLE}, a file's name, or {VARIABLE} (docs/CONFIGURATION.md)"
        )
    return key
