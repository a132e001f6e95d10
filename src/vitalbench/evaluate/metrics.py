"""Metrics of weighted records, many weightings at once. docs/METRICS.md fixes each definition.

A weighting says how much each record counts: a row of ones gives the value, the rows of a bootstrap its replicates. Most
metrics are functions of a few weighted sums (`Sums`), so that any number of them costs one matrix product; AUROC and average
precision need a ranking (`ranking.py`). A bootstrap's weights are whole numbers, so values equal scikit-learn's to rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ECE_BINS = 15
FMAX_THRESHOLDS = np.arange(101) / 100
KL_EPS = 1e-15


def _ratio(above: Array, below: Array, otherwise: float = np.nan) -> Array:
    return np.divide(above, below, out=np.full_like(above, otherwise), where=below > 0)


@dataclass(frozen=True)
class Sums:
    """Metrics that follow from weighted sums of per-record columns.

    Attributes:
        columns: (records, c); a record that does not count has zeros.
        finish: turns sums of shape (weightings, c) into (weightings,) a metric.
    """

    columns: Array
    finish: Callable[[Array], dict[str, Array]]


def label_sums(y: Array, p: Array, predicted: NDArray[np.bool_], known: NDArray[np.bool_]) -> Sums:
    """One class: f1, accuracy, sensitivity, specificity, ppv, npv of the decision; brier and ece of the probability.

    A ratio without a denominator is NaN (f1: 0). ece: |mean probability - share of positives| in 15 equal-width bins, weighted
    by their records.

    Args:
        y, p: (records,) truth and probability.
        predicted: (records,) the decision.
        known: (records,) where `y` is given.
    """
    truth = np.where(known, y, 0.0)
    bin_of = np.minimum((p * ECE_BINS).astype(np.intp), ECE_BINS - 1)
    gaps = np.zeros((len(p), ECE_BINS))
    gaps[np.arange(len(p)), bin_of] = (p - truth) * known
    hit, miss, alarm = truth * predicted, truth * ~predicted, (1 - truth) * predicted * known
    columns = np.column_stack([known, hit, miss, alarm, np.square(p - truth) * known, gaps])

    def finish(sums: Array) -> dict[str, Array]:
        everything, tp, fn, fp, squared = sums[:, :5].T
        tn = everything - tp - fn - fp
        return {
            "f1": _ratio(2 * tp, 2 * tp + fp + fn, otherwise=0.0),
            "accuracy": _ratio(tp + tn, everything),
            "sensitivity": _ratio(tp, tp + fn),
            "specificity": _ratio(tn, tn + fp),
            "ppv": _ratio(tp, tp + fp),
            "npv": _ratio(tn, tn + fn),
            "brier": _ratio(squared, everything),
            "ece": _ratio(np.abs(sums[:, 5:]).sum(axis=1), everything),
        }

    return Sums(columns, finish)


def fmax_sums(y: Array, p: Array, known: NDArray[np.bool_]) -> Sums:
    """Sample-centric F-max of the PTB-XL benchmark, over the records whose classes are all known.

    At each threshold 0, 0.01 ... 1 a class is predicted where its probability reaches it. Precision is averaged over the records
    with a prediction, recall over the records with a class; F-max is the highest harmonic mean of the two averages.

    Args:
        y, p: (records, classes).
        known: (records,).
    """
    truth = np.where(known[:, None], y, 0.0)
    positives = truth.sum(axis=1)
    has_class = positives > 0
    columns = [has_class.astype(np.float64)]
    for threshold in FMAX_THRESHOLDS:
        predicted = (p >= threshold) & known[:, None]
        hits, count = (predicted * truth).sum(axis=1), predicted.sum(axis=1).astype(np.float64)
        columns += [
            _ratio(hits, count, otherwise=0.0),
            (count > 0).astype(np.float64),
            _ratio(hits, positives, otherwise=0.0),
        ]

    def finish(sums: Array) -> dict[str, Array]:
        precision = _ratio(sums[:, 1::3], sums[:, 2::3])
        recall = _ratio(sums[:, 3::3], np.broadcast_to(sums[:, :1], sums[:, 3::3].shape))
        best = np.nan_to_num(_ratio(2 * precision * recall, precision + recall)).max(axis=1)
        return {"fmax": np.where(sums[:, 0] > 0, best, np.nan)}

    return Sums(np.column_stack(columns), finish)


def record_sums(y: Array, p: Array, known: NDArray[np.bool_]) -> Sums:
    """Records whose classes exclude one another: kl, accuracy of the most probable class, brier summed over classes.

    kl is the mean Kullback-Leibler divergence KL(y || p) in nats, probabilities clipped at 1e-15.
    """
    truth = np.where(known[:, None], y, 0.0)
    divergence = np.where(truth > 0, truth * (np.log(np.maximum(truth, KL_EPS)) - np.log(np.maximum(p, KL_EPS))), 0.0)
    right = (truth.argmax(axis=1) == p.argmax(axis=1)) & known
    squared = np.square(p - truth).sum(axis=1) * known
    columns = np.column_stack([known, divergence.sum(axis=1), right, squared]).astype(np.float64)

    def finish(sums: Array) -> dict[str, Array]:
        everything, total, hits, error = sums.T
        return {
            "kl": _ratio(total, everything),
            "accuracy": _ratio(hits, everything),
            "brier": _ratio(error, everything),
        }

    return Sums(columns, finish)


def best_f1_threshold(y: Array, p: Array, w: Array) -> float:
    """The probability at which predicting a class gives the highest F1 of weighted records; the lowest where several tie.

    Args:
        y, p, w: (records,) truth, probability and weight; a positive record has a weight above 0.
    """
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    tp, predicted = np.cumsum((w * y)[order])[ends], np.cumsum(w[order])[ends]
    f1 = 2 * tp / ((w * y).sum() + predicted)
    best = np.flatnonzero(f1 == f1.max())[-1]
    return float(p[order][ends[best]])
