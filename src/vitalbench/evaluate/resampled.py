"""Weighted sums on records and on resamples of their patients: what ratios and their intervals come from."""

from collections.abc import Iterator
from copy import copy

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.bootstrap import Resamples, interval, patient_index, redraw, resample
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.ranking import Ranking
from vitalbench.evaluate.subset import Support, stream
from vitalbench.evaluate.value import Value, clopper_pearson, few_patients

Array = NDArray[np.float64]
_AT_ONCE = 64  # resamples whose weights are held


def _alike(series: Array) -> bool:
    """Whether all resamples that have a value have the same one, so that they say nothing of what another sample would give."""
    known = series[1:][~np.isnan(series[1:])]
    return bool(len(known)) and float(np.ptp(known)) <= 1e-12


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

    def ratio(self, above: Array, below: Array, thin: str = "") -> Value:
        """A ratio of two sums, (1 + resamples,) each; `thin` as of `told`."""
        return self.told(_divided(above, below), thin)

    def rate(self, above: Array, below: Array, rows: NDArray[np.bool_], whose: str = "{}") -> Value:
        """The share that some records are of others, sums of both (1 + resamples,), with the interval that its patients allow.

        Of fewer than five patients none. Where all or none of the records count, so do all or none in every resample: then it is
        the exact one, if each patient has one record, of one weight; several of a patient are no independent units: none is told.

        Args:
            rows: (records,) those that the share is of.
            whose: what their patients are, such as `positive {}`.
        """
        rows = rows & (self.data.weights > 0)
        series, patients = _divided(above, below), self.holders(rows)
        if not patients:
            return Value(None, why=f"no {whose.format('patient')}")
        if thin := few_patients(patients, whose):
            return self.told(series, thin)
        if not _alike(series):
            return self.told(series)
        if rows.sum() > patients or np.ptp(self.data.weights[rows]) > 0:
            said = (
                f"all {patients} {whose.format('patients')} alike, several records or weights of them, so no exact one"
            )
            return Value(float(series[0]), why=said)
        return Value(float(series[0]), *clopper_pearson(round(float(series[0]) * patients), patients), exact=True)

    def told(self, series: Array, thin: str = "") -> Value:
        """A value and its replicates, (1 + resamples,), as a number with an interval.

        Args:
            thin: why there is no interval, such as that too few patients vary it.
        """
        if np.isnan(series[0]):
            return Value(None)
        if why := thin or few_patients(self.patients):
            return Value(float(series[0]), why=why)
        if np.isnan(series[1:]).all():
            return Value(float(series[0]), why="no resample has a value")
        if _alike(series):
            return Value(float(series[0]), why="all resamples alike")
        return Value(float(series[0]), *interval(series[1:]))


def _divided(above: Array, below: Array) -> Array:
    quotient: Array = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return quotient
