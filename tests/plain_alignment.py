"""Correlation at every lag written the plain way, a lag at a time: what the fast one must equal, and is timed against."""

import numpy as np


def best_correlation(one: np.ndarray, other: np.ndarray, min_overlap: float) -> float:
    """The largest |correlation| of two records (leads, samples) over whole lags, normalised where they overlap."""
    samples = one.shape[-1]
    reach = int(samples * (1 - min_overlap))
    best = 0.0
    for lag in range(-reach, reach + 1):
        a = one[:, max(lag, 0) : samples + min(lag, 0)]
        b = other[:, max(-lag, 0) : samples - max(lag, 0)]
        best = max(best, abs(float((a * b).sum())) / np.sqrt(float((a * a).sum()) * float((b * b).sum())))
    return best
