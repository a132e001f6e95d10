"""A session that goes only where a download may: over HTTP, never from an encrypted line to a plain one, not round for ever."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

import vitalbench
from vitalbench.data.http_answers import MOST_REDIRECTS, shown
from vitalbench.errors import InputError


class _Timed:
    """A connection that waits for the whole head of an answer no longer than for a byte of it.

    A timeout of the socket begins anew with each byte, so that a head which dribbles would hold a job for ever.
    """

    line: socket.socket | None = None

    def connect(self) -> None:
        """Connect, and remember the socket: the library forgets it where the server will close."""
        super().connect()  # type: ignore[misc]
        self.line = self.sock  # type: ignore[attr-defined]

    def getresponse(self) -> Any:
        """The answer's head.

        Raises:
            TimeoutError: it was not whole in time.
        """
        with Watchdog(self, self.timeout):  # type: ignore[attr-defined]
            return super().getresponse()  # type: ignore[misc]


class _Plain(_Timed, urllib3.connection.HTTPConnection):
    pass


class _Encrypted(_Timed, urllib3.connection.HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


class Watchdog:
    """Cuts a line on which nothing that counts came for `seconds`, whatever else did.

    Raises:
        TimeoutError: on the way out, where it was cut.
    """

    def __init__(self, connection: Any, seconds: float) -> None:
        self._connection, self._seconds = connection, seconds
        self._came = self._cut = False

    def __enter__(self) -> Self:
        self._arm()
        return self

    def _arm(self) -> None:
        self._timer = threading.Timer(self._seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        if self._came:
            self._came = False
            self._arm()
            return
        self._cut = True
        line = getattr(self._connection, "line", None)
        if line is not None:
            with contextlib.suppress(OSError):  # closed meanwhile: there is nothing to cut
                line.shutdown(socket.SHUT_RDWR)

    def came(self) -> None:
        """Something that counts came."""
        self._came = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        if self._cut:  # what was read from a line that was cut looks like an answer that ended
            raise TimeoutError(f"nothing that counts came for {self._seconds:g} s") from None


class Session(requests.Session):
    """Of one thread; every redirect is looked at before it is followed."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())
        self.headers["User-Agent"] = f"vitalbench/{vitalbench.__version__}"
        self.max_redirects = MOST_REDIRECTS

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer sends us, if anywhere.

        Raises:
            InputError: to no address, to one that is not HTTP, or from an encrypted to a plain one.
        """
        try:
            target = super().get_redirect_target(resp)
            parts = urlsplit(urljoin(resp.url, target or ""))
            _ = parts.port  # which reads it, and raises where it is none
        except ValueError:
            self._refuse(resp, "what is no address")
        if target is None:
            return None
        if parts.scheme not in ("http", "https"):
            self._refuse(resp, f"a {parts.scheme}: address")
        if resp.url.startswith("https:") and parts.scheme != "https":
            self._refuse(resp, "an unencrypted address")
        return target

    def _refuse(self, resp: requests.Response, where: str) -> NoReturn:
        resp.close()
        raise InputError(f"{shown(resp.url)}: the server redirects to {where}")
