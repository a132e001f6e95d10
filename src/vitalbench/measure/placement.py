"""Which times may be compared: those of threads that were as far from one another.

A host, or the system, moves threads between processors that share a cache and ones that do not. Work that is shared out many times
a millisecond takes up to a half longer on the latter, for as long as they stay there, which may be half a second or a minute; the
product of matrices beside it takes no longer. How far apart they are measure/core_to_core.py sees.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Latencies of one placement lie within a factor of 1.9 of one another on the machine seen (30 to 57 ns, 190 to 235), those of two
# placements more than three times apart.
ALIKE = 2.0
Latencies = Sequence[float | None]


def placements(latencies: Sequence[float]) -> NDArray[np.intp]:
    """Which latencies are of the same placement, numbered from the nearest on: another where ALIKE times lie between neighbours.

    >>> placements([41.0, 200.0, 48.0, 230.0]).tolist()
    [0, 1, 0, 1]
    """
    found = np.asarray(latencies, dtype=float)
    order = np.argsort(found)
    further = np.diff(found[order]) > (ALIKE - 1) * found[order][:-1]
    numbers = np.empty(len(found), dtype=np.intp)
    numbers[order] = np.concatenate([[0], np.cumsum(further)])[: len(found)]
    return numbers


def over_reference(
    seconds: Sequence[float], reference: Sequence[float], latencies: Latencies = ()
) -> tuple[float, float | None]:
    """Repeats over the reference operation beside them, and the latency between the threads of those that count.

    Args:
        seconds, reference: of each repeat.
        latencies: of each, in ns, or none. Only repeats of threads as far apart as those of the repeat in the middle count.

    Returns:
        The median ratio; the median latency, or None where it was not seen.

    >>> over_reference([9.0, 3.0, 2.0, 2.2], [2.0] * 4, [210.0, 95.0, 44.0, 47.0])
    (1.05, 45.5)
    """
    ratios = np.asarray(seconds, dtype=float) / np.asarray(reference, dtype=float)
    seen = np.array([math.nan if latency is None else latency for latency in latencies], dtype=float)
    if not np.isfinite(seen).any():
        return float(np.median(ratios)), None
    middle = np.nanpercentile(seen, 50, method="lower")  # one that was seen, not one between two placements
    alike = (seen < middle * ALIKE) & (seen > middle / ALIKE)
    return float(np.median(ratios[alike])), float(np.median(seen[alike]))
