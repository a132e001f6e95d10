"""Batches from the store: random crops for training, every window in order for scoring."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitalbench.config.augmentation import Augment
from vitalbench.config.dataset import Image, Signal
from vitalbench.config.design import Design, Window
from vitalbench.train.augment import augmented
from vitalbench.train.shares import BORROWED, own_share

_STATISTICS_BATCH = 256


class Source(Protocol):
    """Where batches are read: a store, or what can be read like one (data/store.py)."""

    @property
    def samples(self) -> int:
        """Of a record, along its last axis."""

    @property
    def rate_hz(self) -> int:
        """Samples a second; 0 where no axis is time."""

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """(records, leads, length) in millivolt; of images (records, channels, height, length)."""


@dataclass(frozen=True)
class Scale:
    """One mean and standard deviation for all channels, fitted on the training records alone."""

    mean: float
    std: float
    fitted_on: NDArray[np.intp] | None = field(default=None, compare=False, repr=False)  # rows of the store

    @classmethod
    def fit(cls, store: Source, rows: NDArray[np.intp]) -> "Scale":
        """Fit on `rows` of the store, a batch at a time."""
        count, total, squares = 0, 0.0, 0.0
        fitted_on = rows.copy()
        for start in range(0, len(rows), _STATISTICS_BATCH):
            batch = store.read(rows[start : start + _STATISTICS_BATCH]).astype(np.float64)
            count, total, squares = count + batch.size, total + batch.sum(), squares + np.square(batch).sum()
        mean = total / count
        return cls(float(mean), float(np.sqrt(max(squares / count - mean**2, 1e-12))), fitted_on)

    def facts(self, unit: str) -> dict[str, float]:
        """What a run tells of it, in the data set's unit; `told` reads it."""
        return {f"mean_{unit}": self.mean, f"std_{unit}": self.std}

    @classmethod
    def told(cls, facts: Mapping[str, float], unit: str) -> "Scale":
        """The scale that a run told."""
        return cls(facts[f"mean_{unit}"], facts[f"std_{unit}"])


def window_samples(window: Window | None, samples: int, rate_hz: int) -> tuple[int, list[int]]:
    """A window's length in samples, and where the windows of a record of `samples` begin."""
    if window is None:
        return samples, [0]
    length, stride = round(window.seconds * rate_hz), round(window.stride_seconds * rate_hz)
    return length, list(range(0, samples - length + 1, stride))


def seen(design: Design, shape: Signal | Image) -> tuple[tuple[int, ...], list[int]]:
    """The shape of what a design's model is given of a record, and where the windows of a record begin.

    Args:
        shape: of the data set's records.
    """
    length, starts = window_samples(design.window, shape.space[-1], shape.rate_hz)
    return (len(design.leads or shape.names), *shape.space[:-1], length), starts


@dataclass(frozen=True)
class Batches:
    """Batches of (records, *what a model sees) in standardised units with their labels.

    The order of records, the places of crops and what augmentation does to them depend on the seed and the epoch alone, so that
    any epoch can be made again, and by any number of processes: each reads its own share of every batch.
    """

    store: Source
    scale: Scale
    window: Window | None
    batch_size: int
    augment: Augment | None = None
    rank: int = 0
    ranks: int = 1

    @property
    def length(self) -> int:
        """Samples a model sees at once, along the last axis."""
        return window_samples(self.window, self.store.samples, self.store.rate_hz)[0]

    @property
    def starts(self) -> list[int]:
        """Where the windows of a record begin when it is scored."""
        return window_samples(self.window, self.store.samples, self.store.rate_hz)[1]

    def _scaled(self, batch: NDArray[np.float32]) -> Tensor:
        batch -= self.scale.mean
        batch /= self.scale.std
        return torch.from_numpy(batch)

    def steps(self, records: int, drop_last: bool) -> int:
        """Batches an epoch."""
        whole = records // self.batch_size
        return whole if drop_last and whole else -(-records // self.batch_size)

    def epoch(
        self,
        rows: NDArray[np.intp],
        labels: NDArray[np.float32],
        seed: int,
        epoch: int,
        drop_last: bool,
        first: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor, NDArray[np.intp]]]:
        """One pass over `rows` in a random order, a random crop each: (input, labels, positions in `rows`).

        Input and labels are of this process's share (of BORROWED records where that is empty), the positions the whole batch's.

        Args:
            first: batches to leave out at the start, for an epoch that is gone on with; the others are what they would be.
        """
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(rows))
        reach = min(math.ceil(self.length * self.augment.reach), self.store.samples) if self.augment else self.length
        crop = rng.integers(0, self.store.samples - reach + 1, len(rows))
        for step in range(first, self.steps(len(rows), drop_last)):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            own = chosen[own_share(len(chosen), self.rank, self.ranks)]
            own = own if len(own) else chosen[:BORROWED]
            batch = self.store.read(rows[own], crop[own], reach)
            if self.augment:
                at = rows[own].tolist()
                batch = augmented(batch, self.length, self.store.rate_hz, self.augment, seed, epoch, at)
            yield self._scaled(batch), torch.from_numpy(labels[own]), chosen

    def windows(self, rows: NDArray[np.intp]) -> Iterator[tuple[Tensor, slice]]:
        """Every window of every record of this process's shares, window by window: (input, positions in `rows`).

        Where a share is empty the input is a record all the same, to be left out: all processes take as many steps.
        """
        for start in range(0, len(rows), self.batch_size):
            share = own_share(min(self.batch_size, len(rows) - start), self.rank, self.ranks)
            some = slice(start + share.start, start + share.stop)
            read = rows[some] if some.stop > some.start else rows[start : start + 1]
            for first in self.starts:
                yield self._scaled(self.store.read(read, first, self.length)), some
