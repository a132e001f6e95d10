"""How far apart the processors are that threads run on: what a cache line takes from one to the next.

What follows of it for times that are compared: measure/placement.py.
"""

import ctypes
import math
from pathlib import Path

from vitalbench.compiled import loop
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.device import cpu_count

_HANDOVERS, _BURSTS = 2000, 5  # a fraction of a millisecond each; the first, in which threads start, does not count
_MOST_NS = 1500.0  # beyond which threads waited for a processor, and not for a cache line
_TRIES = 3
_NANO = 1e9
_LAP = ctypes.CFUNCTYPE(None)
_ring = loop(Path(__file__).with_name("token_ring.c"), ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t, _LAP)


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
