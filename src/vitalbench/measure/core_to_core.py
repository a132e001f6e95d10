"""How far apart the processors are that threads run on: what a cache line takes from one to the next.

What follows of it for times that are compared: measure/placement.py.
"""

import ctypes
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitalbench.compiled import loop
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.device import cpu_count
from vitalbench.measure.placement import LEAST_NS, MOST_NS

_HANDOVERS, _BURSTS = 2000, 5  # a fraction of a millisecond each; the first, in which threads start, does not count
_NANO = 1e9
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_LONGEST = 0.03  # seconds of a look: threads that are kept from the processors by others so long are not seen
_ENDS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
_ring = loop(Path(__file__).with_name("token_ring.c"), ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.c_ssize_t, _ENDS)


@contextmanager
def _signals_later() -> Iterator[None]:
    """Let signals come after a look: what a handler raises within a call from C, ctypes prints and forgets."""
    came: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    held = {one: handler for one in _SIGNALS if main and (handler := signal.getsignal(one)) is not None}
    for one in held:
        signal.signal(one, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for one, handler in held.items():
            signal.signal(one, handler)
    for number in came:
        signal.raise_signal(number)


def core_to_core_ns(threads: int) -> float | None:
    """The latency from one of so many threads to the next, in ns: the least of a few bursts, as others' work is no distance.

    The threads are others than those that work, so they stand for these only where there is one for each processor.

    Returns:
        None of a single thread, of fewer or more than there are processors, where others leave too little of these, and where
        nothing was compiled to see it with.
    """
    if _ring is None or threads < 2 or threads != cpu_count():
        return None
    rounds, laps = max(_HANDOVERS // threads, 1), list[float]()
    watch, whole = Stopwatch(), Stopwatch()

    def ends(burst: int) -> bool:
        if burst:
            laps.append(watch.lap())
        return whole.so_far() > _LONGEST

    with _signals_later():
        _ring(threads, rounds, _BURSTS, _ENDS(ends))
    latency = min(laps[2:], default=math.inf) / (rounds * threads) * _NANO
    return latency if LEAST_NS <= latency <= MOST_NS else None
