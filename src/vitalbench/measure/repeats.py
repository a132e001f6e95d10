"""Repeats of a call under the protocol: warm-ups apart, then until both the least repeats and the least seconds are reached."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vitalbench.config.schema import Protocol
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.placement import between

Call = Callable[[], Any]


_BETWEEN = 0.1  # seconds of repeats from one look at where the threads are to the next


@dataclass
class Repeats:
    """What repeats took, and what was seen beside each.

    Attributes:
        seconds: of each.
        beside: of the call beside it; empty without one.
        latencies: between the threads, in ns; None where that could not be seen or they were moved; empty where nobody looked.
    """

    seconds: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    latencies: list[float | None] = field(default_factory=list)

    def seen(self, before: float | None, after: float | None) -> None:
        """Fill in the latency of the repeats between two looks."""
        self.latencies += [between(before, after)] * (len(self.seconds) - len(self.latencies))


def repeat(
    call: Call,
    protocol: Protocol,
    synchronise: Callable[[], None],
    beside: Call | None = None,
    look: Callable[[], float | None] | None = None,
) -> Repeats:
    """Repeat a call, and `beside` after each time, where it is given.

    What is beside counts towards the least seconds, so that a call far shorter than it is not repeated for minutes.

    Args:
        look: at the latency between threads (measure/core_to_core.py): at the start, between stretches of repeats, and at the end.
    """
    for _ in range(protocol.warmup):
        call()
        if beside:
            beside()
    found, taken, looked = Repeats(), 0.0, 0.0
    before = look() if look else None
    watch = Stopwatch(synchronise)
    while len(found.seconds) < protocol.repeats or taken < protocol.seconds:
        call()
        found.seconds.append(watch.lap())
        if beside:
            beside()
            found.beside.append(watch.lap())
        taken += found.seconds[-1] + (found.beside[-1] if beside else 0.0)
        if look and taken - looked >= _BETWEEN:
            after, looked = look(), taken
            found.seen(before, after)
            before = after
            watch.lap()
    if look:
        found.seen(before, look())
    return found


def repeat_together(
    call: Call, protocol: Protocol, synchronise: Callable[[], None], slowest: Callable[[float], float]
) -> list[float]:
    """The same on several processes, none of which may stop before another: how often is agreed on after the warm-ups.

    Args:
        slowest: the largest of the seconds that the processes tell.
    """
    for _ in range(protocol.warmup):
        call()
    watch = Stopwatch(synchronise)
    call()
    once = slowest(watch.lap())
    seconds: list[float] = []
    for _ in range(max(protocol.repeats, math.ceil(protocol.seconds / once))):
        call()
        seconds.append(watch.lap())
    return seconds
