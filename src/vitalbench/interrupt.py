"""Signals that end a run: kept waiting while a step or a checkpoint is under way, obeyed at once anywhere else."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from vitalbench.errors import Interrupted


class Interrupt:
    """Listens to SIGTERM, SIGINT and a scheduler's warning signal while it is entered.

    A signal raises Interrupted where it arrives, unless it is held: then it is noted in `asked`, and raised on the way out of
    `held` at the latest. In a thread other than the main one, which no signal reaches, it listens to nothing.
    """

    def __init__(self, warning: str) -> None:
        self._signals = (signal.SIGTERM, signal.SIGINT, signal.Signals[f"SIG{warning}"])
        self._before: dict[signal.Signals, Any] = {}
        self._held = False
        self.asked: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._arrived) for number in self._signals}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _arrived(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is Python's
        self.asked = number
        if not self._held:
            self.obey()

    def obey(self) -> None:
        """Raise Interrupted if a signal was noted."""
        if self.asked is not None:
            raise Interrupted(f"ended by {signal.Signals(self.asked).name}", self.asked)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, a signal is noted and nothing more."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
        if not before:
            self.obey()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Within, a signal raises where it arrives, though it be held outside."""
        before, self._held = self._held, False
        try:
            self.obey()
            yield
        finally:
            self._held = before
