"""Batches from the store: random crops for training, every window in order for scoring."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitalbench.config.schema import Window
from vitalbench.data.store import Store

_STATISTICS_BATCH = 256


@dataclass(frozen=True)
class Scale:
    """One mean and standard deviation for all leads, fitted on the training records alone."""

    mean: float
    std: float
    fitted_on: NDArray[np.intp] | None = field(default=None, compare=False, repr=False)  # rows of the store

    @classmethod
    def fit(cls, store: Store, rows: NDArray[np.intp]) -> "Scale":
        """Fit on `rows` of the store, a batch at a time."""
        count, total, squares = 0, 0.0, 0.0
        fitted_on = rows.copy()
        for start in range(0, len(rows), _STATISTICS_BATCH):
            batch = store.read(rows[start : start + _STATISTICS_BATCH]).astype(np.float64)
            count, total, squares = count + batch.size, total + batch.sum(), squares + np.square(batch).sum()
        mean = total / count
        return cls(float(mean), float(np.sqrt(max(squares / count - mean**2, 1e-12))), fitted_on)


def window_samples(window: Window | None, samples: int, rate_hz: int) -> tuple[int, list[int]]:
    """A window's length in samples, and where the windows of a record of `samples` begin."""
    if window is None:
        return samples, [0]
    length, stride = round(window.seconds * rate_hz), round(window.stride_seconds * rate_hz)
    return length, list(range(0, samples - length + 1, stride))


@dataclass(frozen=True)
class Batches:
    """Batches of (records, leads, length) in standardised units with their labels.

    The order of records and the places of crops depend on the seed and the epoch alone, so that any epoch can be made again.
    """

    store: Store
    scale: Scale
    window: Window | None
    batch_size: int

    @property
    def length(self) -> int:
        """Samples a model sees at once."""
        return window_samples(self.window, self.store.samples, self.store.rate_hz)[0]

    @property
    def starts(self) -> list[int]:
        """Where the windows of a record begin when it is scored."""
        return window_samples(self.window, self.store.samples, self.store.rate_hz)[1]

    def _read(self, rows: NDArray[np.intp], start: int | NDArray[np.intp]) -> Tensor:
        batch = self.store.read(rows, start, self.length)
        batch -= self.scale.mean
        batch /= self.scale.std
        return torch.from_numpy(batch)

    def steps(self, records: int, drop_last: bool) -> int:
        """Batches an epoch."""
        whole = records // self.batch_size
        return whole if drop_last and whole else -(-records // self.batch_size)

    def epoch(
        self, rows: NDArray[np.intp], labels: NDArray[np.float32], seed: int, epoch: int, drop_last: bool
    ) -> Iterator[tuple[Tensor, Tensor, NDArray[np.intp]]]:
        """One pass over `rows` in a random order, a random crop each: (input, labels, positions in `rows`)."""
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(rows))
        crop = rng.integers(0, self.store.samples - self.length + 1, len(rows))
        for step in range(self.steps(len(rows), drop_last)):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self._read(rows[chosen], crop[chosen]), torch.from_numpy(labels[chosen]), chosen

    def windows(self, rows: NDArray[np.intp]) -> Iterator[tuple[Tensor, slice]]:
        """Every window of every record, window by window: (input, positions in `rows`)."""
        for start in range(0, len(rows), self.batch_size):
            some = slice(start, min(start + self.batch_size, len(rows)))
            for first in self.starts:
                yield self._read(rows[some], first), some
