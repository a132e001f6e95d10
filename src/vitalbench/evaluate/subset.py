"""Some records of one split under many weightings: every metric of every class, with its replicates."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vitalbench.config.schema import MACRO, METRICS, Kind
from vitalbench.evaluate import metrics
from vitalbench.evaluate.bootstrap import Resamples, patient_index, redraw, resample
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.ranking import RankedApart, Ranking
from vitalbench.evaluate.thresholds import Thresholds
from vitalbench.files import digest
from vitalbench.measure.device import cpu_count

FEW_PATIENTS = 5
_BLOCK = 64  # resamples a thread works on at once, fewer where their weights would be more numbers than
_WEIGHTS = 8_000_000
_ELEMENTS = 8_000_000  # of the matrix a group of classes is multiplied as: with a block it bounds memory
Array = NDArray[np.float64]


def stream(seed: int, *names: str) -> list[int]:
    """The seed of the random numbers of something that has names; its place among others is no part of it."""
    return [seed, int(digest(list(names)), 16)]


@dataclass(frozen=True)
class Support:
    """On whom a value rests: the records labelled for it and their patients, and those of a class on either side of it."""

    records: int
    patients: int
    positive_records: int = 0
    positive_patients: int = 0
    negative_patients: int = 0

    @property
    def lacking(self) -> str:
        """Which side of the class has nobody, so that it has no value."""
        sides = (("positive", self.positive_patients), ("negative", self.negative_patients))
        absent = [f"no {side}" for side, patients in sides if not patients]
        return f"{' and '.join(absent)} patient" if absent else ""

    @property
    def thin(self) -> str:
        """Which side of the class has too few patients for an interval."""
        sides = (("positive", self.positive_patients), ("negative", self.negative_patients))
        few = [f"{n} {side} patient{'s' if n != 1 else ''}" for side, n in sides if n < FEW_PATIENTS]
        return f"{' and '.join(few)}, fewer than {FEW_PATIENTS}" if few else ""


def no_interval(thin: str) -> str:
    """Why a value stands alone, as a table tells it; empty where it does not."""
    return f"no interval: {thin}" if thin else ""


@dataclass(frozen=True)
class _Scorer:
    """Something to score under any weights: a class by its sums and ranking, or whole records by their sums."""

    label: str
    sums: metrics.Sums
    ranking: Ranking | RankedApart | None = None
    own: Resamples | None = None  # of a class that loses a truth in the common ones
    keep: tuple[str, ...] | None = None

    def finish(self, w: Array, sums: Array) -> dict[tuple[str, str], Array]:
        """(weightings,) by metric and label, of the weights (records, weightings) and the sums (weightings, columns) of them."""
        found = self.sums.finish(sums)
        if self.ranking is not None:
            found["auroc"], found["auprc"] = self.ranking.auroc_auprc(w)
        return {(name, self.label): value for name, value in found.items() if self.keep is None or name in self.keep}


class Subset:
    """Some records of one split, all or a subgroup, with their resamples.

    Attributes:
        support: on whom each class rests, by its position.
        whole: on whom the metrics of whole records rest: the records labelled for all classes.
        redrawn: the share of resamples redrawn for each class that can be scored, by its position.

    Args:
        folds: (records,) of which fold's model a record's scores are, where they are of several: ranked within it alone.
    """

    def __init__(
        self,
        data: Predictions,
        kind: Kind,
        thresholds: Thresholds,
        resamples: int,
        seed: int,
        names: tuple[str, str],
        folds: NDArray[np.intp] | None = None,
    ) -> None:
        self.data, self.kind, self._folds = data, kind, folds
        self._seed, self._names = seed, names
        self._index, self._patients = patient_index(data.patient_id)
        rng = np.random.default_rng(stream(seed, *names))
        self._drawn = resample(self._index, self._patients, resamples, rng)
        self._weights, self._labelled = data.weights, ~np.isnan(data.y)
        self.support = [self._class_support(k) for k in range(len(data.classes))]
        self.whole = Support(*self._count(np.asarray(self._labelled.all(axis=1))))
        self.redrawn: dict[int, float] = {}
        self._scorers: list[_Scorer] = []
        for k in range(len(data.classes)) if kind != "softlabel" else ():
            if not self.support[k].lacking:
                self._add_class(k, thresholds)
        if kind != "binary":
            self._add_whole_records()

    def _count(self, rows: NDArray[np.bool_]) -> tuple[int, int]:
        """Records and patients."""
        patients = np.bincount(self._index[rows], minlength=self._patients)
        return int(rows.sum()), int(np.count_nonzero(patients))

    def _class_support(self, k: int) -> Support:
        y = self.data.y[:, k]
        return Support(*self._count(self._labelled[:, k]), *self._count(y > 0), self._count(y == 0)[1])

    def labelled_for(self, classes: list[int]) -> Support:
        """The records labelled for one of some classes or more."""
        return Support(*self._count(np.asarray(self._labelled[:, classes].any(axis=1))))

    def _add_class(self, k: int, thresholds: Thresholds) -> None:
        name, y, p, known = self.data.classes[k], self.data.y[:, k], self.data.p[:, k], self._labelled[:, k]
        predicted = self.data.p.argmax(axis=1) == k if self.kind == "multiclass" else p >= thresholds.value[..., k]
        rows = np.flatnonzero(known)
        ranking = (
            Ranking.of(y[known], p[known], rows)
            if self._folds is None
            else RankedApart.of(y[known], p[known], rows, self._folds[known])
        )
        resamples, self.redrawn[k] = redraw(self._drawn, y, stream(self._seed, *self._names, name))
        self._scorers.append(
            _Scorer(
                name,
                metrics.label_sums(y, p, predicted, known),
                ranking,
                None if resamples is self._drawn else resamples,
            )
        )

    def _add_whole_records(self) -> None:
        y, p, known = self.data.y, self.data.p, np.asarray(self._labelled.all(axis=1))
        if self.kind == "multilabel":
            self._scorers.append(_Scorer(MACRO, metrics.fmax_sums(y, p, known)))
        else:
            keep = ("accuracy",) if self.kind == "multiclass" else ("kl", "accuracy", "brier")
            self._scorers.append(_Scorer(MACRO, metrics.record_sums(y, p, known), keep=keep))

    def _groups(self) -> Iterator[list[_Scorer]]:
        """Scorers that share one matrix product: as many as keep it within bounds."""
        group: list[_Scorer] = []
        width = 0
        for scorer in self._scorers:
            columns = scorer.sums.columns.shape[1]
            if group and (scorer.own is not None or (width + columns) * len(self.data) > _ELEMENTS):
                yield group
                group, width = [], 0
            group.append(scorer)
            width += columns
            if scorer.own is not None:
                yield group
                group, width = [], 0
        if group:
            yield group

    def score(self) -> dict[tuple[str, str], Array]:
        """(1 + resamples,) by metric and label: the value, then its replicates."""
        found: dict[tuple[str, str], Array] = {}
        step = max(1, min(_BLOCK, _WEIGHTS // len(self.data)))
        with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
            for group in self._groups():
                columns = np.hstack([scorer.sums.columns for scorer in group])
                edges = np.cumsum([scorer.sums.columns.shape[1] for scorer in group])[:-1]
                block = partial(self._block, group, columns, edges, step)
                parts = list(pool.map(block, [-1, *range(0, len(self._drawn), step)]))
                found |= {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        for metric in METRICS[self.kind]:
            by_class = [found[metric, name] for name in self.data.classes if (metric, name) in found]
            if by_class and (metric, MACRO) not in found:
                found[metric, MACRO] = _mean_of_known(np.array(by_class))
        return found

    def _block(
        self, group: list[_Scorer], columns: Array, edges: NDArray[np.intp], step: int, start: int
    ) -> dict[tuple[str, str], Array]:
        """Score a group under the weights as they are (start -1) or under a block of resamples."""
        drawn = self._drawn if group[0].own is None else group[0].own
        w = self._weights[None, :] if start < 0 else drawn.weights(start, start + step) * self._weights
        found: dict[tuple[str, str], Array] = {}
        by_record = np.ascontiguousarray(w.T)
        for scorer, sums in zip(group, np.split(w @ columns, edges, axis=1), strict=True):
            found |= scorer.finish(by_record, sums)
        return found


def _mean_of_known(stack: Array) -> Array:
    known = ~np.isnan(stack)
    count = known.sum(axis=0)
    mean: Array = np.divide(
        np.where(known, stack, 0).sum(axis=0), count, out=np.full(stack.shape[1], np.nan), where=count > 0
    )
    return mean
