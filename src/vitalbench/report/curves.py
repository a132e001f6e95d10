"""Curves of predictions: ROC, precision and recall, and reliability, as tables."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_BINS = 10
_MOST_POINTS = 200


def roc(y: NDArray[np.float64], p: NDArray[np.float64]) -> pd.DataFrame | None:
    """False and true positive rates at every threshold, thinned to at most 200 points; None without both truths."""
    known = ~np.isnan(y)
    y, p = y[known], p[known]
    if not (y > 0).any() or not (y == 0).any():
        return None
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    tpr = np.cumsum(y[order])[ends] / y.sum()
    fpr = np.cumsum(1 - y[order])[ends] / (1 - y).sum()
    curve = pd.DataFrame({"false_positive_rate": np.append(0, fpr), "true_positive_rate": np.append(0, tpr)})
    if len(curve) > _MOST_POINTS:
        curve = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, _MOST_POINTS).astype(int))]
    return curve


def precision_recall(y: NDArray[np.float64], p: NDArray[np.float64]) -> pd.DataFrame | None:
    """Precision and recall at every threshold, from the highest, thinned to at most 200 points; None without a positive."""
    known = ~np.isnan(y)
    y, p = y[known], p[known]
    if not (y > 0).any():
        return None
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits = np.cumsum(y[order])[ends]
    curve = pd.DataFrame({"recall": hits / y.sum(), "precision": hits / (ends + 1)})
    if len(curve) > _MOST_POINTS:
        curve = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, _MOST_POINTS).astype(int))]
    return curve


def reliability(y: NDArray[np.float64], p: NDArray[np.float64]) -> pd.DataFrame:
    """Mean probability and share of positives in ten equal-width bins, all classes pooled; empty bins left out."""
    known = ~np.isnan(y)
    y, p = y[known], p[known]
    bin_of = np.minimum((p * _BINS).astype(int), _BINS - 1)
    table = pd.DataFrame({"bin": bin_of, "probability": p, "positive": y}).groupby("bin")
    return table.agg(
        mean_probability=("probability", "mean"), share_positive=("positive", "mean"), labels=("positive", "size")
    ).reset_index()
