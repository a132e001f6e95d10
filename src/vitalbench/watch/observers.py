"""Everyone who is told of a run. One that fails is dropped and named once in the log: no run ends, or changes, because of it."""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from vitalbench.train.course import Course
from vitalbench.train.observer import Begun, Unobserved

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET|CREDENTIAL", re.I)


class Listener(Unobserved):
    """An observer that only listens, with a name for messages."""

    name = ""


def told(error: Exception) -> str:
    """An error in one line, without what the environment holds secret and without a URL's user and password."""
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for name, value in os.environ.items():
        if len(value) >= 4 and _SECRET.search(name):
            line = line.replace(value, "***")
    return re.sub(r"://[^/@\s]+@", "://***@", line)[:300]


class Observers(Unobserved):
    """Tells the listeners, who cannot stop anything, and then the budget, which can.

    Args:
        listeners: in the order they are told.
        budget: its Stop goes through.
    """

    def __init__(self, listeners: Sequence[Listener], budget: Unobserved) -> None:
        self._listeners, self._budget = list(listeners), budget
        self._say: Callable[[str], None] = lambda _: None
        self._closed = False

    def _tell(self, tell: Callable[[Unobserved], None]) -> None:
        for listener in list(self._listeners):
            try:
                tell(listener)
            except Exception as error:  # noqa: BLE001 - whatever a tracker's library raises, the run goes on
                self._listeners.remove(listener)
                self._say(f"warning: {listener.name} is told no more of this run: {told(error)}")

    def open(self, say: Callable[[str], None]) -> None:
        """Open all."""
        self._say = say
        self._tell(lambda listener: listener.open(say))
        self._budget.open(say)

    def start(self, begun: Begun, course: Course) -> None:
        """Tell all; the budget may raise Stop."""
        self._tell(lambda listener: listener.start(begun, course))
        self._budget.start(begun, course)

    def batch(self, course: Course, loss: float) -> None:
        """Tell all; the budget may raise Stop."""
        self._tell(lambda listener: listener.batch(course, loss))
        self._budget.batch(course, loss)

    def epoch(self, course: Course, row: dict[str, Any]) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.epoch(course, row))

    def end(self) -> None:
        """Tell all."""
        self._tell(lambda listener: listener.end())

    def close(self, status: str) -> None:
        """Tell all, once."""
        if not self._closed:
            self._closed = True
            self._tell(lambda listener: listener.close(status))
