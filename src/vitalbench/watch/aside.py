"""A tracker told from a thread of its own: a network that is slow, or gone, keeps no step waiting."""

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.observers import Listener, told

LAST_WORD = 30.0  # seconds that the end of a run waits for it
_SIGNALLED = 5.0  # and that a run waits that a signal ended


class Aside(Listener):
    """Hands what it is told to another listener, in order, from one thread; batches are not handed on."""

    def __init__(self, inner: Listener, patience: float = LAST_WORD) -> None:
        self.name, self._inner, self._patience = inner.name, inner, patience
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=inner.name, daemon=True)
        self._say: Callable[[str], None] = lambda _: None

    def open(self, say: Callable[[str], None]) -> None:
        """Start the thread."""
        self._say = say
        self._thread.start()
        self._waiting.put(lambda: self._inner.open(say))

    def start(self, begun: Begun, course: Course) -> None:
        """Hand on, with the course as it is now."""
        now = replace(course, history=[dict(row) for row in course.history])
        self._waiting.put(lambda: self._inner.start(begun, now))

    def epoch(self, course: Course, row: dict[str, Any]) -> None:
        """Hand on."""
        now, kept = replace(course, history=list(course.history)), dict(row)
        self._waiting.put(lambda: self._inner.epoch(now, kept))

    def close(self, status: str) -> None:
        """Hand on, and wait for the last word."""
        self._waiting.put(lambda: self._inner.close(status))
        self._waiting.put(None)
        self._thread.join(min(self._patience, _SIGNALLED) if status == "interrupted" else self._patience)
        if self._thread.is_alive():
            self._say(f"warning: {self.name} did not answer in time: what it was told may be lost")

    def _work(self) -> None:
        try:
            while (tell := self._waiting.get()) is not None:
                tell()
        except Exception as error:  # noqa: BLE001 - whatever a tracker's library raises, the run goes on
            self._say(f"warning: {self.name} is told no more of this run: {told(error)}")
