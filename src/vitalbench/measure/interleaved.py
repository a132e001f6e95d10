"""Two calls held against one another and the first against itself, in turn, in one job: the only way a ratio gets a verdict."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vitalbench.config.schema import Protocol
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.measure.noise import ALPHA, Shift, Verdict, shift, verdict
from vitalbench.measure.repeats import Call

_LOOKS = (
    1,
    3,
    9,
)  # times the protocol's repeats: more rounds where fewer did not decide, each look at a third of ALPHA


@dataclass(frozen=True)
class Against:
    """A against B.

    Attributes:
        found: how far b is from a.
        again: how far a is from itself, timed in the same rounds: the noise floor.
        verdict: of b.
        a, a_again, b: seconds, in the order of the rounds.
    """

    found: Shift
    again: Shift
    verdict: Verdict
    a: list[float]
    a_again: list[float]
    b: list[float]

    @property
    def floor(self) -> float:
        """How far apart a and itself came out, as a fraction."""
        return abs(math.expm1(math.log(self.again.ratio)))


def interleaved(
    a: Call, b: Call, protocol: Protocol, *, seed: int = 0, synchronise: Callable[[], None] = nothing_to_wait_for
) -> Against:
    """Time rounds of a, a again and b, in an order drawn for each, until there is a verdict or the last look was taken.

    Args:
        protocol: `repeats` rounds at the first look, and `seconds` of them at least.
        seed: of the orders.
    """
    rng, calls = np.random.default_rng(seed), (a, a, b)
    for _ in range(protocol.warmup):
        a()
        b()
    taken: list[list[float]] = [[], [], []]
    watch = Stopwatch(synchronise)
    alpha = ALPHA / len(_LOOKS)
    for look in _LOOKS:
        while len(taken[0]) < look * protocol.repeats or sum(map(sum, taken)) < look * protocol.seconds:
            for which in rng.permutation(3):
                watch.lap()
                calls[which]()
                taken[which].append(watch.lap())
        first, again, second = (np.array(seconds) for seconds in taken)
        found, noise = shift(first, second, alpha), shift(first, again, alpha)
        said = verdict(found, abs(math.expm1(math.log(noise.ratio))))
        if said != "no-verdict":
            break
    return Against(found, noise, said, *taken)
