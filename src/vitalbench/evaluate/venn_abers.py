"""Venn-Abers intervals: what a probability was worth on records whose truth is known.

V. Vovk and I. Petej, Venn-Abers predictors, UAI 2014 (inductive form). A score is put among those of the calibration records once
as a negative and once as a positive; the isotonic fit of each gives the two ends. One of the two is a calibrated probability if the
new record and the calibration records are exchangeable: of the same population, recorded in the same way.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

Array = NDArray[np.float64]


def venn_abers(calibration: Array, truth: Array, score: float) -> tuple[float, float]:
    """The interval of one score.

    Args:
        calibration: (records,) scores of records whose truth is known and that the model was not fitted on.
        truth: (records,) 0 or 1; NaN where a record is not labelled.
        score: of the new record.

    Returns:
        Lower and upper probability; (0, 1) where no calibration record is labelled.

    >>> venn_abers(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.0, 1.0, 1.0]), 0.85)
    (0.5, 1.0)
    """
    known = ~np.isnan(truth)
    ends = []
    for assumed in (0.0, 1.0):
        x, y = np.append(calibration[known], score), np.append(truth[known], assumed)
        ends.append(float(IsotonicRegression(y_min=0, y_max=1).fit(x, y).predict([score])[0]))
    return ends[0], ends[1]


def merged(low: float, high: float) -> float:
    """The one probability that a Venn-Abers interval stands for, within it: of the two ends the mean of least log loss at worst.

    V. Vovk, I. Petej and V. Fedorova, Large-scale probabilistic predictors, NeurIPS 2015, section 4.

    >>> merged(0.25, 0.5)
    0.4
    """
    return high / (1 - low + high)
