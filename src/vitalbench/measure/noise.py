"""The noise floor: how far apart two timings of the very same thing come out, and what a ratio has to exceed to mean anything.

Timings are compared in pairs, one of each kind after another in an order that is drawn: a machine that slows down slows both, and
where there is no difference the sign of every pair's log ratio is a coin toss whatever the noise looks like. So the signed-rank
interval (Hodges & Lehmann, Ann Math Stat 34, 598, 1963) is exact, and one disturbed repeat among many hardly moves it.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALPHA = (
    0.001  # of one verdict: of 200 comparisons of a thing with itself more than two are false alarms once in 880 times
)
_BOTH_SIDES = 2
_MOST_PAIRS = (
    128  # more are taken together, a median of neighbours each, which is as symmetric about no difference as they are
)
POWER = 0.84 / 3.29 + 1  # how much beyond the floor a ratio has to lie to be found four times in five
Verdict = Literal["faster", "slower", "no-verdict"]
Array = NDArray[np.float64]


def least_pairs(alpha: float = ALPHA) -> int:
    """Pairs without which no difference, however large, is told from chance.

    >>> least_pairs(0.001)
    11
    """
    return math.ceil(math.log2(_BOTH_SIDES / alpha))


@functools.cache
def _critical(pairs: int, alpha: float) -> int:
    """How many of the sorted Walsh averages lie outside the interval on each side: exact, by counting sign patterns."""
    counts = np.zeros(pairs * (pairs + 1) // 2 + 1)
    counts[0] = 1.0
    for rank in range(1, pairs + 1):  # each rank is in the sum or not
        counts[rank:] += counts[:-rank].copy()
        counts /= 2.0
    tail = np.cumsum(counts)
    return int(np.searchsorted(tail, alpha / 2, side="right"))


@dataclass(frozen=True)
class Shift:
    """How far b is from a, as a ratio of their times, with the interval that holds at 1 - alpha.

    Attributes:
        ratio: of b to a: the Hodges-Lehmann estimate; nan without a pair.
        low, high: of the interval; 0 and infinity where the pairs are too few for any.
        pairs: compared.
    """

    ratio: float
    low: float
    high: float
    pairs: int

    @property
    def floor(self) -> float:
        """The half-width of the interval as a ratio: 0.03 where 3 % is lost in the noise; infinite where nothing can be told."""
        if self.low <= 0 or not math.isfinite(self.high):
            return math.inf
        return max(self.high / self.ratio, self.ratio / self.low) - 1

    @property
    def reach(self) -> float:
        """How far from 1 a ratio has to be for these pairs to find it four times in five."""
        return math.expm1(math.log1p(self.floor) * POWER)


def shift(a: Array, b: Array, alpha: float = ALPHA) -> Shift:
    """Compare paired timings.

    Args:
        a, b: (pairs,) seconds, each pair measured one right after the other, in an order that was drawn.
        alpha: the share of intervals that may miss the truth.
    """
    logs = np.log(np.asarray(b, dtype=float)) - np.log(np.asarray(a, dtype=float))
    pairs = len(logs)
    if not pairs:
        return Shift(math.nan, 0.0, math.inf, 0)
    if pairs > _MOST_PAIRS:
        logs = np.array([np.median(some) for some in np.array_split(logs, _MOST_PAIRS)])
    upper = np.triu_indices(len(logs))
    walsh = np.sort((logs[upper[0]] + logs[upper[1]]) / 2)
    middle = float(np.exp(np.median(walsh)))
    if pairs < least_pairs(alpha):
        return Shift(middle, 0.0, math.inf, pairs)
    out = max(_critical(len(logs), alpha) - 1, 0)
    return Shift(middle, float(np.exp(walsh[out])), float(np.exp(walsh[-1 - out])), pairs)


def itself(seconds: list[float]) -> Shift:
    """A timing held against itself: its repeats in pairs, whose order is drawn afterwards, since all of them are the same thing.

    >>> itself([1.0, 1.0] * 11).floor
    0.0
    """
    even = np.asarray(seconds[: len(seconds) // 2 * 2], dtype=float).reshape(-1, 2)
    flipped = np.random.default_rng(len(even)).random(len(even)) < 0.5
    even[flipped] = even[flipped, ::-1]
    return shift(even[:, 0], even[:, 1])


def verdict(found: Shift, floor: float) -> Verdict:
    """What a ratio of b to a says of b: nothing where its interval holds 1, or where it lies within the floor.

    Args:
        floor: of the same thing against itself, in the same job.
    """
    if found.low <= 1 <= found.high or not abs(math.log(found.ratio)) > math.log1p(floor):
        return "no-verdict"
    return "slower" if found.ratio > 1 else "faster"


def pairs_for(found: Shift, ratio: float) -> int | None:
    """How many pairs it would take to tell a ratio from 1 on a machine as noisy as this one; None where that cannot be said."""
    if not math.isfinite(found.floor) or ratio <= 0 or ratio == 1:
        return None
    needed = math.ceil(found.pairs * (math.log1p(found.reach) / abs(math.log(ratio))) ** 2)
    return max(needed, least_pairs())
