"""Where an open release is downloaded from, as a data set's file says it."""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict

LARGEST_FILE_BYTES = 4_000_000_000  # that a server may send for one file, where a data set does not say
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._=+-]+")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def plain_url(key: str, url: str, schemes: tuple[str, ...]) -> None:
    """Refuse an address that could hold a secret, without repeating it."""
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise PydanticCustomError(
            "url", "{key} must begin with {scheme}://", {"key": key, "scheme": " or ".join(schemes)}
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise PydanticCustomError(
            "url", "{key} must hold no user, password, ? or #: what is secret goes to ~/.netrc", {"key": key}
        )


def plain_address(key: str, url: str) -> None:
    """Refuse an address in an object store that could hold a secret, lead out of its prefix, or mean more to a shell."""
    plain_url(key, url, ("s3",))
    parts = urlsplit(url)
    names = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    if not all(_PLAIN_NAME.fullmatch(name) and set(name) != {"."} for name in (parts.netloc, *names)):
        raise PydanticCustomError(
            "url",
            "{key} must be s3://BUCKET/PREFIX of names that hold letters, digits and . _ - = + alone, none of them . or ..",
            {"key": key},
        )


class Archive(Strict):
    """A release in one zip or tar file: its name below `url`, its hash, the most bytes it may unpack to, the folder in it."""

    name: str
    sha256: Sha256
    bytes: Annotated[int, Field(ge=1)]
    folder: str = ""


class Download(Strict):
    """Where an open release is downloaded from and what it is held against (data/fetch.py)."""

    url: str
    checksums: str = "SHA256SUMS.txt"
    checksums_sha256: Sha256 | None = None
    archive: Archive | None = None
    content: Sha256 | None = None
    largest_file_bytes: Annotated[int, Field(ge=1)] = LARGEST_FILE_BYTES

    @model_validator(mode="after")
    def _plain_address(self) -> Self:
        plain_url("url", self.url, ("https",))
        return self
