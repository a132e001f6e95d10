"""Repeats of a call under the protocol: warm-ups apart, then until both the least repeats and the least seconds are reached."""

import math
from collections.abc import Callable
from typing import Any

from vitalbench.config.schema import Protocol
from vitalbench.measure.clock import Stopwatch

Call = Callable[[], Any]


def repeat(
    call: Call, protocol: Protocol, synchronise: Callable[[], None], beside: Call | None = None
) -> tuple[list[float], list[float]]:
    """Seconds of each repeat, and of `beside`, which is called and timed after each of them, where it is given.

    What is beside counts towards the least seconds, so that a call far shorter than it is not repeated for minutes.
    """
    for _ in range(protocol.warmup):
        call()
        if beside:
            beside()
    seconds: list[float] = []
    others: list[float] = []
    watch = Stopwatch(synchronise)
    while len(seconds) < protocol.repeats or sum(seconds) + sum(others) < protocol.seconds:
        call()
        seconds.append(watch.lap())
        if beside:
            beside()
            others.append(watch.lap())
    return seconds, others


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
