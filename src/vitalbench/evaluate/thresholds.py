"""Where a class is decided for: chosen on the validation rows, never on those that are scored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.schema import Kind
from vitalbench.evaluate import metrics
from vitalbench.evaluate.predictions import Predictions


@dataclass(frozen=True)
class Thresholds:
    """The probability at which each class is decided for, and how it was chosen: `val` or `fixed`.

    Attributes:
        value: (classes,), or (records, classes) where records are of several models, each with thresholds of its own.
    """

    value: NDArray[np.float64]
    chosen_on: list[str]


def choose_thresholds(predictions: Predictions, kind: Kind) -> Thresholds:
    """The threshold of best F1 on the weighted `val` rows, a class each; 0.5 where they do not hold both truths."""
    val = predictions.take(predictions.split == "val")
    weight = val.weights
    values, chosen = np.full(len(predictions.classes), 0.5), []
    for k in range(len(predictions.classes)):
        y = val.y[:, k]
        known = ~np.isnan(y)
        if kind in ("multilabel", "binary") and (y[known] > 0).any() and (y[known] == 0).any():
            values[k] = metrics.best_f1_threshold(y[known], val.p[known, k], weight[known])
            chosen.append("val")
        else:
            chosen.append("fixed")
    return Thresholds(values, chosen)
