"""Conformal sets: for each class which truths cannot be ruled out, and how often the true one is among them.

Split conformal prediction with a quantile for each truth of each class (Vovk et al. 2005; label-conditional, or Mondrian). If a new
record is exchangeable with the validation records of its truth, the set holds that truth with at least the level's probability.
Records of a weight stand for as many: the quantile is of their weights and the new record's, so that coverage by weight is what was
asked for (Tibshirani et al. 2019, arXiv 1904.06019).
Test records, several of a patient, need not be: so coverage is measured, with its interval over patients.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.operating import CHOSEN_ON, SPLIT
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.value import Value, told_columns

Array = NDArray[np.float64]
_ALL = "too few calibrate, so all is covered by construction"
TRUTHS = {"positive": 1.0, "negative": 0.0}


def quantile(strangeness: Array, weights: Array, level: float, own: Array) -> Array:
    """How strange new records may be and stay in the set: infinite where too little calibrates them.

    With weights of one it is the ceil((n + 1) level)-th smallest of n.

    Args:
        strangeness, weights: (n,) of the records that calibrate.
        own: (records,) the new ones' weights.

    >>> told = np.array([0.1, 0.2, 0.3, 0.4])
    >>> quantile(told, np.ones(4), 0.8, np.ones(1)), quantile(told[:2], np.ones(2), 0.8, np.ones(1))
    (array([0.4]), array([inf]))
    """
    order = np.argsort(strangeness, kind="stable")
    up_to = np.cumsum(weights[order])
    asked = level * (weights.sum() + own)
    rank = np.searchsorted(up_to, asked * (1 - 1e-9))
    found: Array = np.append(strangeness[order], np.inf)[rank]
    return found


def strangeness(p: Array, truth: float) -> Array:
    """Of a truth: one less the probability given to it."""
    return 1 - p if truth else p


def conformal_rows(predictions: Predictions, level: float, resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a class and truth: how many calibrated it, coverage of the test records of that truth, and what their sets hold.

    Args:
        level: the coverage that is asked for, such as 0.9.
    """
    val, test = (predictions.take(predictions.split == split) for split in (CHOSEN_ON, SPLIT))
    over = Resampled(test, resamples, seed, SPLIT)
    for k, name in enumerate(predictions.classes):
        held, limits, bounded = {}, {}, {}
        for said, truth in TRUTHS.items():
            rows = val.y[:, k] == truth
            calibrating = strangeness(val.p[rows, k], truth)
            limits[said] = len(calibrating)
            limit = quantile(calibrating, val.weights[rows], level, test.weights)
            bounded[said] = bool(np.isfinite(limit).any())
            held[said] = strangeness(test.p[:, k], truth) <= limit
        size = np.add(*(of.astype(int) for of in held.values()))
        for said, truth in TRUTHS.items():
            rows = test.y[:, k] == truth
            if not rows.any():
                continue
            columns = np.column_stack([rows, rows & held[said], *(rows & (size == n) for n in range(3))]).astype(float)
            sums = over.sums(columns)
            covered = over.rate(sums[:, 1], sums[:, 0], rows) if bounded[said] else Value(1.0, why=_ALL)
            yield {
                "label": name,
                "truth": said,
                "level": level,
                "n_calibration": limits[said],
                "bounded": bounded[said],
                **told_columns({"coverage": covered}),
                **{
                    called: float(sums[0, 2 + n] / sums[0, 0]) if sums[0, 0] else None
                    for n, called in enumerate(("empty", "decided", "undecided"))
                },
                "n_records": int(rows.sum()),
                "n_patients": over.holders(rows),
            }
