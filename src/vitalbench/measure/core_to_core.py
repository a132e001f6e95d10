"""How far apart the processors are that threads run on: what a cache line takes from one to the next.

A host, or the system, moves threads between processors that share a cache and ones that do not. Work that is shared out many times
a millisecond takes a third longer on the latter, for as long as they stay there, which may be half a second or a minute; the
product of matrices beside it takes no longer. So times are compared that are of threads as near to one another.
"""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.compiled import loop
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.device import cpu_count

# Latencies of one placement lie within a factor of 1.9 of one another on the machine seen (30 to 57 ns, 190 to 235), those of two
# placements more than three times apart.
ALIKE = 2.0
_HANDOVERS, _BURSTS = 2000, 5  # a fraction of a millisecond each; the first, in which threads start, does not count
_MOST_NS = 1500.0  # beyond which threads waited for a processor, and not for a cache line
_TRIES = 3
_NANO = 1e9
_LAP = ctypes.CFUNCTYPE(None)
_ring = loop(Path(__file__).with_name("token_ring.c"), ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t, _LAP)

Latencies = Sequence[float | None]


def core_to_core_ns(threads: int) -> float | None:
    """The latency from one of so many threads to the next, in ns: the least of a few bursts, as others' work is no distance.

    Returns:
        None of a single thread, of more than there are processors, where others leave too little of these, and where nothing was
        compiled to see it with.
    """
    if _ring is None or not 1 < threads <= cpu_count():
        return None
    rounds = max(_HANDOVERS // threads, 1)
    for _ in range(_TRIES):
        laps: list[float] = []
        watch = Stopwatch()
        _ring(threads, rounds, _BURSTS, _LAP(lambda watch=watch, laps=laps: laps.append(watch.lap())))
        latency = min(laps[2:], default=math.inf) / (rounds * threads) * _NANO
        if latency <= _MOST_NS:
            return latency
    return None


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
