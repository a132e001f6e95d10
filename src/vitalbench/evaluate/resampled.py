"""Weighted sums on records and on resamples of their patients: what ratios and their intervals come from."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.bootstrap import Resamples, interval, patient_index, redraw, resample
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.ranking import Ranking
from vitalbench.evaluate.subset import FEW_PATIENTS, Support, stream

Array = NDArray[np.float64]
_AT_ONCE = 64  # resamples whose weights are held


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval over patients; None where too few patients vary it, or where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def named(self, name: str) -> dict[str, float | None]:
        """As columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


class Resampled:
    """Records of one split with resamples of their patients.

    Args:
        data: of one split.
        resamples: how many.
        seed: they depend on it and on `name` alone.
    """

    def __init__(self, data: Predictions, resamples: int, seed: int, name: str) -> None:
        self.data, self._stream = data, (seed, name)
        self.index, self.patients = patient_index(data.patient_id)
        drawn = np.random.default_rng(stream(seed, name))
        self.drawn: Resamples = resample(self.index, self.patients, resamples, drawn)

    def redrawn(self, y: Array, *names: str) -> "Resampled":
        """The same with the resamples that lose a truth of a class drawn again, so that every one has a value of it.

        A mean over classes is then of the same classes in every resample.

        Args:
            y: (records,) truth; NaN is neither.
            names: what the new draws depend on.
        """
        if not ((y > 0).any() and (y == 0).any()):
            return self
        found, (seed, name) = copy(self), self._stream
        found.drawn, _ = redraw(self.drawn, y, stream(seed, name, *names))
        return found

    def support(self, y: Array) -> Support:
        """On whom values of a class rest: (records,) truth, NaN where it is not known."""
        held = [self.holders(np.asarray(rows)) for rows in (~np.isnan(y), y > 0, y == 0)]
        return Support(int((~np.isnan(y)).sum()), held[0], int((y > 0).sum()), *held[1:])

    def blocks(self) -> Iterator[Array]:
        """Weights of the records, (weightings, records): as they are, then a block of resamples after the other, one in memory."""
        own = self.data.weights
        yield own[None, :]
        for start in range(0, len(self.drawn), _AT_ONCE):
            yield self.drawn.weights(start, start + _AT_ONCE) * own

    def sums(self, columns: Array) -> Array:
        """(1 + resamples, columns): weighted sums of (records, columns)."""
        return np.concatenate([weights @ columns for weights in self.blocks()])

    def auroc(self, y: Array, p: Array, rows: NDArray[np.bool_] | None = None) -> Array:
        """(1 + resamples,): of a class, (records,) truth and probability, of some records; NaN where a truth is lost."""
        known = ~np.isnan(y)
        at = np.flatnonzero(known if rows is None else rows & known)
        ranking, parts = Ranking.of(y[at], p[at], at), []
        for block in self.blocks():
            w = np.ascontiguousarray(block.T)
            there = (w[at][y[at] > 0].sum(axis=0) > 0) & (w[at][y[at] == 0].sum(axis=0) > 0)
            found = np.full(w.shape[1], np.nan)
            if there.any():
                found[there] = ranking.auroc_auprc(np.ascontiguousarray(w[:, there], dtype=np.float64))[0]
            parts.append(found)
        return np.concatenate(parts)

    def holders(self, rows: NDArray[np.bool_]) -> int:
        """Patients of some records."""
        return len(np.unique(self.index[rows]))

    def ratio(self, above: Array, below: Array, thin: bool = False) -> Value:
        """A ratio of two sums, (1 + resamples,) each; `thin` as of `told`."""
        series = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
        return self.told(series, thin)

    def told(self, series: Array, thin: bool = False) -> Value:
        """A value and its replicates, (1 + resamples,), as a number with an interval.

        Args:
            thin: no interval, since too few patients vary it.
        """
        if np.isnan(series[0]):
            return Value(None)
        if thin or self.patients < FEW_PATIENTS or np.isnan(series[1:]).all():
            return Value(float(series[0]))
        return Value(float(series[0]), *interval(series[1:]))
