"""One file over HTTP: resumed where it broke off, asked for again with patience, and taken only when its hash is right."""

import hashlib
import random
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from vitalbench.config.publisher import LARGEST_FILE_BYTES
from vitalbench.data.http_answers import AGAIN, Again, Unreachable, asked_wait, meaning, shown, validator
from vitalbench.data.http_body import Body, Pace, too_large
from vitalbench.data.http_session import Session, Watchdog
from vitalbench.errors import InputError

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, in seconds.

    Attributes:
        attempts: in a row that bring nothing new.
        first_attempts: the same before any server has answered: an offline machine should hear so soon.
        first_wait_s: after a failure; doubled each time, times a random 0.5 to 1.5 so that streams do not return together.
        longest_wait_s: most of such a wait.
        longest_asked_s: most that a server may ask for by Retry-After; asked for more, the download ends.
        connect_s: for a connection.
        stall_s: without a byte.
        slow_s: over which a rate is taken.
        slowest_bytes_s: least of such a rate, in bytes a second; a line that is slower counts as one that brings nothing.
    """

    attempts: int = 6
    first_attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    longest_asked_s: float = 600.0
    connect_s: float = 10.0
    stall_s: float = 30.0
    slow_s: float = 60.0
    slowest_bytes_s: float = 100.0


class Stopped(Exception):
    """Another stream failed, so this one has no reason to go on."""


class HttpFile:
    """Fetches files one after the other over one session.

    Args:
        patience: how long to wait for what.
        stop: set when the whole download is given up.
        received: called with the bytes of each piece as it comes.
        expected: called with the bytes a whole file will have, where the server says.
        most_bytes: of one file.
    """

    def __init__(
        self,
        patience: Patience,
        stop: threading.Event,
        received: Callable[[int], None],
        expected: Callable[[int], None],
        most_bytes: int = LARGEST_FILE_BYTES,
    ) -> None:
        self._patience, self._stop, self._received, self._expected = patience, stop, received, expected
        self._answered = False
        self._session, self._most_bytes = Session(), most_bytes

    def fetch(self, url: str, target: Path, partial: Path, sha256: str | None) -> str:
        """Fetch one file whole.

        Args:
            url: where it is.
            target: the name it takes once it is whole and right, never before.
            partial: where it grows, on the same file system; what is there already is resumed.
            sha256: what its hash must be; None takes what comes.

        Returns:
            Its SHA-256.

        Raises:
            InputError: the server does not have it or will not give it, or what it gives is wrong twice.
            Unreachable: no connection.
            Stopped: the whole download was given up.
        """
        partial.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            found = self._patiently(url, partial, sha256 is not None)
            if sha256 in (None, found):
                target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
                _tag(partial).unlink(missing_ok=True)
                return found
            _forget(partial)
        raise InputError(f"{shown(url)}: its SHA-256 is {found}, which must be {sha256}; fetched twice and removed")

    def _patiently(self, url: str, partial: Path, verified: bool) -> str:
        """Attempt after attempt until the file is whole; returns its hash."""
        failures, farthest = 0, 0
        while True:
            try:
                return self._attempt(url, partial, verified)
            except Again as problem:
                reached = partial.stat().st_size if partial.is_file() else 0
                failures = 1 if reached > farthest and not problem.fruitless else failures + 1
                farthest = max(reached, farthest)
                self._give_up_or_wait(url, problem, failures)

    def _give_up_or_wait(self, url: str, problem: Again, failures: int) -> None:
        patience = self._patience
        if failures >= (patience.attempts if self._answered else patience.first_attempts):
            if not problem.connected:
                raise Unreachable(f"{urlsplit(url).hostname} cannot be reached: {problem}")
            raise InputError(f"{shown(url)}: {problem}; given up after {failures} attempts that brought nothing new")
        wait = min(patience.first_wait_s * 2 ** (failures - 1), patience.longest_wait_s) * (0.5 + random.random())
        if problem.wait_s is not None:
            if problem.wait_s > patience.longest_asked_s:
                raise InputError(f"{shown(url)}: {problem}, and asks to come back in {problem.wait_s:.0f} s")
            wait = max(wait, problem.wait_s)
        if self._stop.wait(wait):
            raise Stopped

    def _attempt(self, url: str, partial: Path, verified: bool) -> str:
        """One request for what is missing; returns the hash of the whole."""
        start, version = _resumable(partial)
        headers = {"Accept-Encoding": "identity"}  # lengths and ranges are then the file's own
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        try:
            with closing(self._answer(url, headers)) as response:
                if response.status_code == 416:
                    _forget(partial)
                    raise Again("the server has no such range")
                return self._receive(url, response, partial, start, verified)
        except TimeoutError:
            raise Again("the server sends what is no part of the file", fruitless=True) from None
        except requests.RequestException as error:
            raise meaning(url, error) from None
        except urllib3.exceptions.HTTPError as error:  # while the file comes
            stalled = isinstance(error, urllib3.exceptions.ReadTimeoutError)
            raise Again("the server stalled" if stalled else "the connection broke") from None

    def _answer(self, url: str, headers: dict[str, str]) -> requests.Response:
        """The server's answer, where it is one to read on."""
        patience = self._patience
        response = self._session.get(url, headers=headers, stream=True, timeout=(patience.connect_s, patience.stall_s))
        self._answered = True
        if response.status_code in (200, 206, 416):
            return response
        response.close()
        told = f"{response.status_code} {response.reason or ''}".strip()
        if response.status_code in AGAIN:
            raise Again(f"the server answers {told}", asked_wait(response))
        raise InputError(f"{shown(url)}: the server answers {told}")

    def _receive(self, url: str, response: requests.Response, partial: Path, asked: int, verified: bool) -> str:
        try:
            body = Body.of(url, response, asked)
        except Again:
            _forget(partial)
            raise
        if not (body.ends or verified):
            raise InputError(f"{shown(url)}: the server states no length, so a part could be taken for the whole")
        hashed = hashlib.sha256()
        if body.start:
            with partial.open("rb") as stream:
                hashed = hashlib.file_digest(stream, "sha256")
        else:
            _forget(partial)
            version = "" if body.packed else validator(response)
            if version:
                _tag(partial).write_text(version, encoding="utf-8")
        self._make_sure_of_room(url, body, partial)
        size, pace = body.start, Pace(self._patience.slow_s, self._patience.slowest_bytes_s)
        with (
            partial.open("ab" if body.start else "wb") as stream,
            Watchdog(response.raw.connection, self._patience.slow_s + self._patience.stall_s) as watchdog,
        ):
            # What has arrived, however little: a line that breaks every few kilobytes gets there too.
            while piece := response.raw.read1(_CHUNK, decode_content=body.packed):
                if self._stop.is_set():
                    raise Stopped
                watchdog.came()
                size += len(piece)
                if size > self._most_bytes:
                    _forget(partial)
                    raise too_large(url, size, self._most_bytes)
                stream.write(piece)
                hashed.update(piece)
                self._received(len(piece))
                pace.receive(len(piece))
        if body.whole is not None and size != body.whole:
            raise Again(f"the server sent {size:,} of {body.whole:,} bytes")
        if body.wire is not None and response.raw.tell() != body.wire:
            raise Again(f"the server sent {response.raw.tell():,} of {body.wire:,} bytes")
        return hashed.hexdigest()

    def _make_sure_of_room(self, url: str, body: Body, partial: Path) -> None:
        if body.whole is None:
            return
        if body.whole > self._most_bytes:
            raise too_large(url, body.whole, self._most_bytes)
        self._expected(body.whole)
        free = shutil.disk_usage(partial.parent).free
        if body.whole - body.start > free:
            raise InputError(
                f"{shown(url)}: {body.whole - body.start:,} bytes to come, {free:,} free in {partial.parent}"
            )


def _tag(partial: Path) -> Path:
    """Beside a partial file: which version of the server's file it is a part of."""
    return partial.with_name(f"{partial.name}.tag")


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _tag(partial).unlink(missing_ok=True)


def _resumable(partial: Path) -> tuple[int, str]:
    """How many bytes are here, and of which version; none where the version is not known."""
    try:
        version = _tag(partial).read_bytes().decode("ascii")
        return (partial.stat().st_size, version) if version.isprintable() and version else (0, "")
    except (FileNotFoundError, UnicodeDecodeError):  # not there, or no header of an answer: begun anew
        return 0, ""
