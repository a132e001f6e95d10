"""Resampling patients: how often each record counts in each of many resamples.

A resample draws as many patients as there are, with replacement, and takes all their records. It is held as how often each patient
was drawn, and handed out as record weights, so every metric is written once, for weights, and the point value is the metric at
weight one.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

LEVEL = 95.0
_MOST_DRAWS = 1000  # batches drawn for a rare class before it is given up
_AT_ONCE = 8_000_000  # patients drawn before they are counted: bounds memory, changes no draw
_HOLDERS = 64  # patients looked for at once

Index = NDArray[np.intp]
Times = NDArray[np.uint16]  # that a patient is drawn more than 65,535 times among as many patients or more has chance 0


def patient_index(patients: NDArray[np.object_]) -> tuple[Index, int]:
    """Each record's patient as a number in the order of the sorted ids, and how many there are."""
    names, index = np.unique(patients.astype(str), return_inverse=True)
    return index, len(names)


@dataclass(frozen=True)
class Resamples:
    """Many resamples of the patients.

    Attributes:
        index: (records,) each record's patient.
        times: (resamples, patients) how often each is drawn.
        at: (replaced,) the resamples in whose place others stand, ascending.
        fresh: (replaced, patients) those others.
    """

    index: Index
    times: Times
    at: Index = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    fresh: Times = field(default_factory=lambda: np.empty((0, 0), dtype=np.uint16))

    def __len__(self) -> int:
        return len(self.times)

    def weights(self, start: int, stop: int) -> NDArray[np.uint16]:
        """(stop - start, records): how often each record is taken in these resamples."""
        times = self.times[start:stop]
        first, last = np.searchsorted(self.at, (start, stop))
        if first < last:
            times = times.copy()
            times[self.at[first:last] - start] = self.fresh[first:last]
        return np.take(times, self.index, axis=1)


def _draw(patients: int, count: int, rng: np.random.Generator) -> Times:
    """(count, patients) how often each patient is drawn."""
    times = np.empty((count, patients), dtype=np.uint16)
    step = max(1, _AT_ONCE // patients)
    for start in range(0, count, step):
        rows = min(step, count - start)
        drawn = rng.integers(0, patients, (rows, patients)) + np.arange(rows)[:, None] * patients
        times[start : start + rows] = np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients)
    return times


def resample(index: Index, patients: int, count: int, rng: np.random.Generator) -> Resamples:
    """Draw `count` resamples of the patients whose records `index` tells."""
    return Resamples(index, _draw(patients, count, rng))


def _holding(times: Times, holders: Index) -> NDArray[np.bool_]:
    """Which resamples drew one of some patients; most are settled by the first few of many."""
    held = np.zeros(len(times), dtype=bool)
    for start in range(0, len(holders), _HOLDERS):
        open_rows = np.flatnonzero(~held)
        if not len(open_rows):
            break
        held[open_rows] = times[np.ix_(open_rows, holders[start : start + _HOLDERS])].any(axis=1)
    return held


def valid_for(times: Times, y: NDArray[np.float64], index: Index) -> NDArray[np.bool_]:
    """Which resamples hold a positive and a negative record of a class; NaN is neither."""
    return _holding(times, np.unique(index[y > 0])) & _holding(times, np.unique(index[y == 0]))


def redraw(resamples: Resamples, y: NDArray[np.float64], seed: list[int]) -> tuple[Resamples, float]:
    """Replace the resamples that lose a class of one label; the other labels keep theirs.

    Args:
        resamples: as they were drawn.
        y: (records,) the label's truth, with a positive and a negative record.
        seed: of the stream the new resamples come from.

    Returns:
        The resamples, and the share of draws that were rejected.
    """
    missing = np.flatnonzero(~valid_for(resamples.times, y, resamples.index))
    if not len(missing):
        return resamples, 0.0
    rng, patients = np.random.default_rng(seed), resamples.times.shape[1]
    kept: list[Times] = []
    wanted = rejected = len(missing)
    drawn = len(resamples)
    for _ in range(_MOST_DRAWS):
        batch = _draw(patients, max(wanted, 16), rng)
        good = batch[valid_for(batch, y, resamples.index)]
        kept.append(good[:wanted])
        rejected, drawn = rejected + len(batch) - len(good), drawn + len(batch)
        wanted -= len(kept[-1])
        if not wanted:
            return replace(resamples, at=missing, fresh=np.concatenate(kept)), rejected / drawn
    # a positive and a negative patient exist, so this has chance 0
    raise ArithmeticError("no resample holds both classes")


def interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % percentile interval of replicates, NaN left out."""
    known = replicates[~np.isnan(replicates)]
    low, high = np.percentile(known, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)
