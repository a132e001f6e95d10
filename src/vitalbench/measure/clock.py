"""The one place that reads the clock around device work.

A stopwatch synchronises the device before it starts and before it stops, so that a kernel still in flight is never left
out. tests/unit/test_layers.py fails if the text of another module reads a clock in a way that it knows.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime


def nothing_to_wait_for() -> None:
    """The synchronisation of a device that finishes its work before it returns: the CPU."""


class Stopwatch:
    """Seconds of wall time around device work.

    >>> watch = Stopwatch()
    >>> watch.lap() >= 0.0
    True
    """

    def __init__(self, synchronise: Callable[[], None] = nothing_to_wait_for) -> None:
        self._synchronise = synchronise
        synchronise()
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the start or the last lap, the device's work included."""
        self._synchronise()
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds

    def so_far(self) -> float:
        """Seconds since the start or the last lap, which goes on; work that the device still has in hand is not waited for."""
        return time.perf_counter() - self._last


def utc_now() -> str:
    """The time of day for provenance, never for a measurement: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def age_seconds(written: str) -> float:
    """Seconds since a time of day that `utc_now` gave.

    >>> age_seconds(utc_now()) < 60
    True
    """
    return (datetime.now(UTC) - datetime.fromisoformat(written)).total_seconds()


def unix_seconds() -> float:
    """The time of day in seconds since 1970, for formats that ask for it so."""
    return time.time()
