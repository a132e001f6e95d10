"""Whether two records that are said to be one recording are, by their samples. Of whom nobody says so: split/neighbours.py."""

import numpy as np
from numpy.typing import NDArray

from vitalbench.data.datasets import Record

MIN_CORRELATION = 0.90  # of the middle lead: other filters and rates leave more, two recordings in step 0.85 at most
_LATEST = 2  # samples by which another resampling may move a record


def _physical(record: Record) -> NDArray[np.float64]:
    shown = record.digital[:, : record.recorded].astype(np.float64)
    return np.asarray((shown - record.baseline[:, None]) / record.gain[:, None])


def correlation(one: Record, other: Record) -> float:
    """The correlation of the middle lead of two records of one rate and one list of leads, where they agree best.

    >>> lead = np.sin(np.arange(500) / 7.0)[None]
    >>> a, b = (Record((1000 * x).astype(np.int16), np.ones(1), np.zeros(1)) for x in (lead, 0.3 * np.roll(lead, 1) + 1))
    >>> round(correlation(a, b), 2)
    1.0
    """
    a, b = _physical(one), _physical(other)
    samples = min(a.shape[1], b.shape[1])
    found = [0.0]
    for late in range(-_LATEST, _LATEST + 1):
        x = a[:, max(late, 0) : samples + min(late, 0)]
        y = b[:, max(-late, 0) : samples - max(late, 0)]
        x, y = (side - side.mean(axis=1, keepdims=True) for side in (x, y))
        energy = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
        moving = energy > 0
        if moving.any():
            found.append(float(np.median((x * y).sum(axis=1)[moving] / energy[moving])))
    return max(found)
