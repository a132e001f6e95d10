"""What a server's answer means: whether to ask again and when, and which version of a file it is."""

import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from vitalbench.errors import InputError

_LONG_S = 1e9  # longer than anyone waits
MOST_REDIRECTS = 10
AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NO_CONNECTION = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)


class Unreachable(InputError):
    """No connection to a server could be made."""


class Again(Exception):
    """This attempt failed in a way that the next may not.

    Attributes:
        wait_s: what the server asks for, in seconds.
        connected: whether there was a connection.
        fruitless: whether what came does not count, so that it ends after so many attempts.
    """

    def __init__(
        self, reason: str, wait_s: float | None = None, connected: bool = True, fruitless: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait_s, self.connected, self.fruitless = wait_s, connected, fruitless


def shown(url: str) -> str:
    """A URL as messages may show it: without user, password, query or fragment, any of which may be a secret.

    >>> shown("https://user:secret@host:8443/a/b?token=x#y")
    'https://host:8443/a/b'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def asked_wait(response: requests.Response) -> float | None:
    """Seconds of the Retry-After header, which is a number or a date; a date counts from the server's own clock."""
    asked = response.headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", asked):
        return min(float(asked), _LONG_S)
    try:
        until, now = (parsedate_to_datetime(text) for text in (asked, response.headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def validator(response: requests.Response) -> str:
    """What If-Range may hold a later answer against; empty where the server gives nothing that is sure."""
    etag = response.headers.get("ETag", "")
    return response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag


def meaning(url: str, error: requests.RequestException) -> Exception:
    """What a failure of a request means. The library's own text is left out: it may hold tokens."""
    if isinstance(error, requests.TooManyRedirects):
        return InputError(f"{shown(url)}: the server redirects more than {MOST_REDIRECTS} times")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return Again("the server states lengths that contradict each other")
    if isinstance(error, requests.exceptions.SSLError):
        return InputError(
            f"{shown(url)}: the server's certificate is not trusted here; REQUESTS_CA_BUNDLE names others"
        )
    inner = error.args[0] if error.args else None
    cause = getattr(inner, "reason", inner)
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError) or isinstance(
        cause, _NO_CONNECTION
    ):
        unknown = isinstance(cause, urllib3.exceptions.NameResolutionError)
        return Again("its name is not known here" if unknown else "no connection", connected=False)
    if isinstance(error, requests.Timeout):
        return Again("the server stalled")
    if isinstance(error, requests.ConnectionError):
        return Again("the connection broke")
    return InputError(f"{shown(url)}: cannot be asked for ({type(error).__name__})")
