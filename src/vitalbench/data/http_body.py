"""What an answer says of the body behind it: how long it is, where in the file it begins, how it is packed; and its pace."""

import re
from dataclasses import dataclass

import requests

from vitalbench.data.http_answers import Again, shown
from vitalbench.errors import InputError
from vitalbench.measure.clock import Stopwatch

_NUMBER = "[0-9]{1,15}"  # a petabyte is no file of a release
_SPAN = re.compile(rf"bytes ({_NUMBER})-({_NUMBER})/({_NUMBER}|\*)")
_PACKED_FILES = (".gz", ".tgz")


def _stated_length(response: requests.Response) -> int | None:
    """Bytes on the line; None where the answer does not say."""
    stated = response.headers.get("Content-Length")
    if stated is None or "Transfer-Encoding" in response.headers:
        return None
    if not re.fullmatch(_NUMBER, stated):
        raise Again(f"the server states a length that is none: {stated[:20]!r}")
    return int(stated)


def _range_total(response: requests.Response, start: int, length: int | None) -> int | None:
    """The size of the whole file that a range is part of; None where the answer does not say."""
    span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
    if span is None:
        raise Again("the server answers another range")
    first, last, total = int(span[1]), int(span[2]), None if span[3] == "*" else int(span[3])
    lies = first != start or last < first or length not in (None, last + 1 - first) or (total or last + 1) <= last
    if lies or _packing(response):
        raise Again("the server answers another range")
    return total


def _packing(response: requests.Response) -> str:
    """How the body is packed for the line, though it was asked for plain."""
    return response.headers.get("Content-Encoding", "").strip().lower().replace("identity", "")


@dataclass(frozen=True)
class Body:
    """What an answer says of its body.

    Attributes:
        start: where it begins in the file.
        wire: bytes on the line, packed or not; None where it is not known.
        whole: bytes of the whole file; None where it is not known.
        packed: for the line alone: lengths on it are others than the file's, so that what breaks off cannot be gone on from.
        ends: whether the end of the body can be told from a broken line.
    """

    start: int
    wire: int | None
    whole: int | None
    packed: bool
    ends: bool

    @classmethod
    def of(cls, url: str, response: requests.Response, asked: int) -> "Body":
        """Read the headers of a 200 or a 206 to a request for what begins at `asked`.

        Raises:
            Again: they contradict themselves or the request.
        """
        length, total, start = _stated_length(response), None, 0
        if response.status_code == 206:
            if not asked:
                raise Again("the server answers with a part where the whole was asked for")
            total, start = _range_total(response, asked, length), asked
        # What a server calls the packing of a file that is packed itself is the file.
        packed = bool(_packing(response)) and not url.endswith(_PACKED_FILES)
        whole = total if start else None if packed else length
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        return cls(start, length, whole, packed, length is not None or chunked)


def too_large(url: str, size: int, most: int) -> InputError:
    """The error of a file beyond the limit."""
    return InputError(
        f"{shown(url)}: {size:,} bytes, more than the {most:,} bytes that download.largest_file_bytes allows"
    )


class Pace:
    """Holds a body against the least rate it may come with.

    Args:
        seconds: over which the rate is taken.
        least: bytes a second.
    """

    def __init__(self, seconds: float, least: float) -> None:
        self._over, self._least, self._watch = seconds, least, Stopwatch()
        self._seconds = self._bytes = 0.0

    def receive(self, size: int) -> None:
        """Count a piece.

        Raises:
            Again: less came than there should have; what came does not count as something new.
        """
        self._seconds += self._watch.lap()
        self._bytes += size
        if self._seconds < self._over:
            return
        if self._bytes < self._least * self._seconds:
            raise Again(f"the server sends less than {self._least:g} bytes a second", fruitless=True)
        self._seconds = self._bytes = 0.0
