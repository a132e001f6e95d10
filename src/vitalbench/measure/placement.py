"""Which times may be compared: those of threads that were as far from one another.

A host, or the system, moves threads between processors that share a cache and ones that do not. Work that is shared out many times
a millisecond takes up to a quarter longer on the latter, for as long as they stay there, half a second or a minute; the product of
matrices beside it takes no longer. How far apart they are measure/core_to_core.py sees.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Latencies of one placement lie within a factor of 2.3 of one another on the machine seen (27 to 62 ns, 179 to 245), those of two
# placements a factor of 2.9 at least.
ALIKE = 2.5
# A cache line takes no less; beyond it threads waited for a processor.
LEAST_NS, MOST_NS = 1.0, 1500.0
_MOSTLY = 0.5  # of the repeats
Latencies = Sequence[float | None]


def placements(latencies: Sequence[float]) -> NDArray[np.intp]:
    """Which latencies are of the same placement, numbered from the nearest on: of those within ALIKE times the least of each.

    >>> placements([41.0, 200.0, 48.0, 230.0]).tolist()
    [0, 1, 0, 1]
    """
    numbers = np.empty(len(latencies), dtype=np.intp)
    number, least = -1, 0.0
    for at in np.argsort(latencies):
        if number < 0 or latencies[at] > ALIKE * least:
            number, least = number + 1, latencies[at]
        numbers[at] = number
    return numbers


def between(before: float | None, after: float | None) -> float | None:
    """The latency of repeats between two looks: None where one saw nothing, or where the threads were moved meanwhile."""
    if before is None or after is None or placements([before, after]).any():
        return None
    return math.sqrt(before * after)


def over_reference(
    seconds: Sequence[float], reference: Sequence[float], latencies: Latencies = ()
) -> tuple[float, float | None]:
    """Repeats over the reference operation beside them, and the latency between the threads of those that count.

    Args:
        seconds, reference: of each repeat.
        latencies: of each, in ns, or none. Only repeats of the placement that most of them are of count.

    Returns:
        The median ratio; the median latency. Where no placement is that of half of the repeats, all of them count, and it is None.

    >>> over_reference([9.0, 3.0, 2.0, 2.2], [2.0] * 4, [210.0, None, 44.0, 47.0])
    (1.05, 45.5)
    """
    ratios = np.asarray(seconds, dtype=float) / np.asarray(reference, dtype=float)
    seen = [at for at, latency in enumerate(latencies) if latency is not None]
    known = np.array([latencies[at] for at in seen], dtype=float)
    placed = placements(known.tolist())
    most = np.bincount(placed).argmax() if seen else 0
    alike = np.flatnonzero(placed == most)
    if not seen or len(alike) < _MOSTLY * len(ratios):
        return float(np.median(ratios)), None
    return float(np.median(ratios[np.array(seen)[alike]])), float(np.median(known[alike]))
