"""What a run tells of itself while it trains. The loop knows one observer, and nothing of what becomes of its words.

An observer changes nothing of a run: it is handed plain numbers, and what it does with them is outside the course that resume
repeats. What it may do is stop a run, between two steps, with a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitalbench.train.course import Course

BUDGET = "budget: "  # what the message of a Stop begins with where a budget is why; such a run may be gone on with


class Stop(Exception):
    """An observer's word that the run must not go on; the message becomes the cell's reason. Where the run stands is saved."""


@dataclass(frozen=True)
class Begun:
    """What a training sets out to do: `epochs`, of `steps` batches each, over `records` training records.

    Attributes:
        least: epochs it takes at the least, where it may stop early; None for all.
    """

    epochs: int
    steps: int
    records: int
    least: int | None = None


class Unobserved:
    """What a run tells, in the order it tells it. This one does not listen."""

    def open(self, say: Callable[[str], None]) -> None:
        """The cell begins; `say` takes a line for its log."""

    def start(self, begun: Begun, course: Course) -> None:
        """Training begins, or goes on from where `course` stands. May raise Stop."""

    def batch(self, course: Course, loss: float) -> None:
        """A batch is done, and nothing of it is saved yet. May raise Stop."""

    def epoch(self, course: Course, row: dict[str, Any]) -> None:
        """An epoch has its row of the history, and is not saved yet."""

    def end(self) -> None:
        """Training is over; what follows is scoring."""

    def close(self, status: str) -> None:
        """The cell ended in a status, or was interrupted."""
