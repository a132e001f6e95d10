"""Resampling patients: how often each record counts in each of many resamples.

A resample draws as many patients as there are, with replacement, and takes all their records. It is held as record weights, so
every metric is written once, for weights, and the point value is the metric at weight one.
"""

import numpy as np
from numpy.typing import NDArray

_LEVEL = 95.0
_MOST_DRAWS = 1000  # batches drawn for a rare class before it is given up


def patient_index(patients: NDArray[np.object_]) -> tuple[NDArray[np.intp], int]:
    """Each record's patient as a number in the order of the sorted ids, and how many there are."""
    names, index = np.unique(patients.astype(str), return_inverse=True)
    return index, len(names)


def resample(index: NDArray[np.intp], patients: int, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw `count` resamples of the patients: (count, records) how often each record is taken."""
    drawn = rng.integers(0, patients, (count, patients))
    offset = np.arange(count)[:, None] * patients
    times = np.bincount((drawn + offset).ravel(), minlength=count * patients).reshape(count, patients)
    return np.ascontiguousarray(times[:, index], dtype=np.int32)


def valid_for(weights: NDArray[np.int32], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which resamples hold a positive and a negative record of a class; NaN is neither."""
    positives, negatives = (weights @ truth.astype(np.int32) for truth in (y > 0, y == 0))
    both: NDArray[np.bool_] = (positives > 0) & (negatives > 0)
    return both


def redraw(
    weights: NDArray[np.int32], y: NDArray[np.float64], index: NDArray[np.intp], patients: int, seed: list[int]
) -> tuple[NDArray[np.int32], float]:
    """Replace the resamples that lose a class of one label; the other labels keep theirs.

    Args:
        weights: (resamples, records).
        y: (records,) the label's truth, with a positive and a negative record.
        index, patients: from `patient_index`.
        seed: of the stream the new resamples come from.

    Returns:
        The weights, and the share of draws that were rejected.
    """
    ok = valid_for(weights, y)
    if ok.all():
        return weights, 0.0
    rng = np.random.default_rng(seed)
    out = weights.copy()
    missing = np.flatnonzero(~ok)
    rejected, drawn = len(missing), len(weights)
    for _ in range(_MOST_DRAWS):
        fresh = resample(index, patients, max(len(missing), 16), rng)
        good = fresh[valid_for(fresh, y)]
        used = min(len(good), len(missing))
        out[missing[:used]] = good[:used]
        rejected, drawn = rejected + len(fresh) - len(good), drawn + len(fresh)
        missing = missing[used:]
        if not len(missing):
            return out, rejected / drawn
    raise ArithmeticError(
        "no resample holds both classes"
    )  # a positive and a negative patient exist, so this has chance 0


def interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % percentile interval of replicates, NaN left out."""
    known = replicates[~np.isnan(replicates)]
    low, high = np.percentile(known, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return float(low), float(high)
