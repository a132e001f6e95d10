"""How far a run has come, as plain numbers."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Course:
    """A run's place in its course, between two optimiser steps.

    Attributes:
        epoch: the epoch under way, from 1; once it has ended, the one that would follow.
        batch: batches of it that are done. The order of batches follows from seed and epoch, so this is the sampler's position.
        taken: batches done since the run began.
        loss: the sum of the losses of the epoch's batches.
        seconds: spent on the epoch so far, over every process that worked on it, without what was lost.
        waited: of those, seconds without a batch to work on.
        ended: there is nothing more to train.
        history, epoch_seconds: a row and the seconds of every epoch that is done.
        steps: optimiser steps of the epochs that are done.
        kept_epoch: the epoch whose weights are kept.
        saving: seconds of every checkpoint written, apart from the epochs'.
    """

    epoch: int = 1
    batch: int = 0
    taken: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    ended: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    steps: int = 0
    kept_epoch: int = 0
    saving: list[float] = field(default_factory=list)

    @property
    def total_seconds(self) -> float:
        """Seconds of training since the run began."""
        return sum(self.epoch_seconds) + self.seconds

    def took(self, loss: float, waited: float) -> None:
        """Count a batch."""
        self.batch += 1
        self.taken += 1
        self.loss += loss
        self.waited = waited

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Close the epoch under way with its row of the history."""
        self.history.append(row)
        self.epoch_seconds.append(self.seconds)
        self.epoch += 1
        self.batch, self.loss, self.seconds, self.waited = 0, 0.0, 0.0, 0.0
