"""Work for the processor whose length is known beforehand, for tests on the real clock."""

import itertools
from collections.abc import Callable

from vitalbench.measure.clock import Stopwatch

_TRIED = 20_000


def spun(loops: int) -> Callable[[], int]:
    """Work of a length that follows from `loops` alone."""

    def call() -> int:
        return sum(itertools.repeat(1, loops))

    return call


def loops_of(seconds: float) -> int:
    """As many as take about so long here, and never so few that the clock is what is timed."""
    found = []
    for _ in range(9):
        watch = Stopwatch()
        spun(_TRIED)()
        found.append(watch.lap())
    return max(int(_TRIED * seconds / min(found)), 2_000)
