"""A label's records from the highest score down: what AUROC and average precision need beyond weighted sums.

By a loop in C (rank_areas.c) where the installation could compile it, and else by numpy a pass an operation: the same areas to
rounding, several times as slowly.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.compiled import loop

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_ssize_t
_IN_C = loop(
    Path(__file__).with_name("rank_areas.c"),
    *(_POINTER, _SIZE),  # weights
    *(_POINTER, _SIZE, _POINTER, _SIZE, _POINTER, _SIZE),  # order, cuts, group
    *(_POINTER, _SIZE, _POINTER),  # positive, positive_cuts
    *(_POINTER, _POINTER),  # auroc, auprc
)
_AT_ONCE = 64  # weightings the loop in C takes, its AT_ONCE; a numpy pass over so many stays in a core's cache


@dataclass(frozen=True)
class Ranking:
    """A label's records from the highest score down, cut where its positives are.

    Only groups of equal scores that hold a positive matter to AUROC and average precision; what lies between two of them is
    one sum. So a weighting costs one gather and one segmented sum, and the rest grows with the positives alone.

    Attributes:
        order: (records,) positions from the highest score to the lowest.
        cuts: the first record of every segment: groups with a positive, and what lies between them.
        group: which segments are such groups.
        positive: (positives,) positions of the positives, highest score first.
        positive_cuts: where each group begins among them.
    """

    order: Index
    cuts: Index
    group: Index
    positive: Index
    positive_cuts: Index

    @classmethod
    def of(cls, y: Array, p: Array, rows: Index) -> "Ranking":
        """Rank the records at `rows`, whose truths and scores are `y` and `p`; there must be a positive one."""
        order = np.argsort(-p, kind="stable")
        first_of_score = np.flatnonzero(np.append(True, np.diff(p[order]) != 0))
        end_of_score = np.append(first_of_score[1:], len(order))
        positive_rank = np.flatnonzero(y[order] > 0)
        score_group = np.searchsorted(first_of_score, positive_rank, side="right") - 1
        held, positive_cuts = np.unique(score_group, return_index=True)
        starts, ends = first_of_score[held], end_of_score[held]
        cuts = np.unique(np.concatenate([[0], starts, ends[ends < len(order)]]))
        return cls(rows[order], cuts, np.searchsorted(cuts, starts), rows[order[positive_rank]], positive_cuts)

    def auroc_auprc(self, w: Array) -> tuple[Array, Array]:
        """Area under the ROC curve (a tie counts half) and average precision.

        Args:
            w: (records, weightings), contiguous; each weighting gives both truths a weight.

        Returns:
            (weightings,) each.
        """
        found = np.empty((2, w.shape[1]))
        for start in range(0, w.shape[1], _AT_ONCE):
            some = np.ascontiguousarray(w[:, start : start + _AT_ONCE], dtype=np.float64)
            found[:, start : start + _AT_ONCE] = self.by_numpy(some) if _IN_C is None else self._by_loop(some)
        return found[0], found[1]

    def _by_loop(self, w: Array) -> Array:
        """(2, weightings) by rank_areas.c."""
        out = np.empty((2, w.shape[1]))
        indices = (self.order, self.cuts, self.group, self.positive)
        sized = [value for index in indices for value in (index.ctypes.data, len(index))]
        assert _IN_C is not None
        _IN_C(w.ctypes.data, w.shape[1], *sized, self.positive_cuts.ctypes.data, out[0].ctypes.data, out[1].ctypes.data)
        return out

    def by_numpy(self, w: Array) -> Array:
        """(2, weightings): as `auroc_auprc`, without compiled code."""
        by_weighting = np.ascontiguousarray(w.T)
        # mode="clip" only spares numpy the check of every index
        segments = np.add.reduceat(np.take(by_weighting, self.order, axis=1, mode="clip"), self.cuts, axis=1)
        positives = np.add.reduceat(
            np.take(by_weighting, self.positive, axis=1, mode="clip"), self.positive_cuts, axis=1
        )
        upto = np.cumsum(segments, axis=1)
        at, gained = upto[:, self.group], np.cumsum(positives, axis=1)
        negatives_upto = at - gained
        negatives_before = negatives_upto - (segments[:, self.group] - positives)
        all_positive, all_negative = gained[:, -1], upto[:, -1] - gained[:, -1]
        crossed = (positives * (negatives_before + negatives_upto)).sum(axis=1)
        precision = (positives * (gained / np.where(at > 0, at, 1))).sum(axis=1)
        return np.stack([1 - crossed / (2 * all_positive * all_negative), precision / all_positive])


@dataclass(frozen=True)
class RankedApart:
    """Rankings of one class of which none is held against another: each fold's records, scored by the fold's own model.

    Two models need not mean the same by a score, so a positive of one fold is compared with the negatives of that fold alone: the
    AUROC is that of the folds weighted by their pairs, the average precision by their positives. Ranking the folds' scores
    together would measure how far the models are apart, too, and puts even a constant below chance (Forman and Scholz, Apples-to-
    apples in cross-validation studies. SIGKDD Explorations 12, 49, 2010).

    Attributes:
        parts: a ranking, and the rows of its positives and of its negatives.
    """

    parts: tuple[tuple[Ranking, Index, Index], ...]

    @classmethod
    def of(cls, y: Array, p: Array, rows: Index, folds: Index) -> "RankedApart":
        """Rank the records at `rows` within their folds; one without both truths says nothing and is left out."""
        parts = []
        for fold in np.unique(folds):
            own = folds == fold
            positive, negative = rows[own & (y > 0)], rows[own & (y == 0)]
            if len(positive) and len(negative):
                parts.append((Ranking.of(y[own], p[own], rows[own]), positive, negative))
        return cls(tuple(parts))

    def auroc_auprc(self, w: Array) -> tuple[Array, Array]:
        """As `Ranking.auroc_auprc`; NaN under weights that leave no fold both truths."""
        areas, totals = np.zeros((2, w.shape[1])), np.zeros((2, w.shape[1]))
        for ranking, positive, negative in self.parts:
            positives, negatives = w[positive].sum(axis=0), w[negative].sum(axis=0)
            told = (positives > 0) & (negatives > 0)
            if not told.any():
                continue
            share = np.stack([positives * negatives, positives])[:, told]
            areas[:, told] += share * np.stack(ranking.auroc_auprc(np.ascontiguousarray(w[:, told])))
            totals[:, told] += share
        found = np.divide(areas, totals, out=np.full_like(areas, np.nan), where=totals > 0)
        return found[0], found[1]
