"""Whether a metric is that of its baseline: two one-sided tests within a margin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vitalbench.gate.verdicts import ALPHA, MOST, POWER, Judged, first


def _spread(before: Sequence[float], now: Sequence[float]) -> tuple[float, int]:
    """Standard deviation within both, and its degrees of freedom."""
    freedom = max(len(before) - 1, 0) + max(len(now) - 1, 0)
    squares = sum(float(np.sum(np.square(np.asarray(x) - np.mean(x)))) for x in (before, now))
    return (math.sqrt(squares / freedom) if freedom else math.nan), freedom


def _needed(sd: float, margin: float, before: int, now: int, difference: float, risks: "_Risks") -> int | None:
    """Seeds it takes until the difference seen lies within the margin, or differs from zero, four times in five.

    Args:
        before, now: seeds there are; those of the baseline stay, and the answer is always more than `now`.
    """
    counts = np.arange(now + 1, MOST)
    return first(counts, _settles(sd, margin, np.full(len(counts), before), counts, difference, risks))


def _each_side(sd: float, margin: float, now: int, difference: float, risks: "_Risks") -> int | None:
    """Seeds on each side that would settle it."""
    counts = np.arange(now + 1, MOST)
    return first(counts, _settles(sd, margin, counts, counts, difference, risks))


@cache
def _quantiles(level: float) -> NDArray[np.float64]:
    """Student's t at a level, by degrees of freedom less one."""
    found: NDArray[np.float64] = stats.t.ppf(level, np.arange(1, 2 * MOST))
    return found


def _t(level: float, freedom: NDArray[np.int_]) -> NDArray[np.float64]:
    """The same for many degrees of freedom; of more than are ever asked for it is that of the most."""
    found = _quantiles(level)
    at: NDArray[np.float64] = found[np.minimum(freedom, len(found)) - 1]
    return at


def _settles(
    sd: float, margin: float, before: NDArray[np.int_], now: NDArray[np.int_], difference: float, risks: "_Risks"
) -> NDArray[np.bool_]:
    """Whether so many seeds on either side would, four times in five."""
    freedom, error = np.maximum(before + now - 2, 1), sd * np.sqrt(1 / before + 1 / now)
    within = (margin - abs(difference)) / (_t(1 - risks.within, freedom) + _t((1 + POWER) / 2, freedom))
    differs = abs(difference) / (_t(1 - risks.differs / 2, freedom) + _t(POWER, freedom))
    settled: NDArray[np.bool_] = error <= np.maximum(within, differs)
    return settled


@dataclass(frozen=True)
class _Risks:
    """Of one of several ways to look at a metric.

    Attributes:
        within: that it is taken to lie within the margin, and does not; of each one-sided test.
        differs: that it is taken to differ, and does not.
    """

    within: float
    differs: float


@dataclass(frozen=True)
class _Test:
    """A difference of means, its standard error and its degrees of freedom; and whether every seed that was run now is in it."""

    difference: float
    error: float
    freedom: int
    of_all: bool = True

    def reach(self, alpha: float) -> float:
        """Half of the interval of two one-sided tests at `alpha` each."""
        return float(stats.t.ppf(1 - alpha, self.freedom)) * self.error

    def within(self, margin: float, risks: _Risks) -> bool:
        return abs(self.difference) + self.reach(risks.within) < margin

    def beyond(self, margin: float, risks: _Risks) -> bool:
        return abs(self.difference) > self.reach(risks.differs / 2) and not self.within(margin, risks)

    def detectable(self, risks: _Risks) -> float:
        return float(stats.t.ppf(1 - risks.differs / 2, self.freedom) + stats.t.ppf(POWER, self.freedom)) * self.error


def _of_means(before: Sequence[float], now: Sequence[float], of_all: bool = True) -> list[_Test]:
    """The means of two sides, their variance pooled; none where neither shows any."""
    sd, freedom = _spread(before, now)
    if not freedom:
        return []
    error = sd * math.sqrt(1 / len(before) + 1 / len(now))
    return [_Test(float(np.mean(now) - np.mean(before)), error, freedom, of_all)]


def _tests(before: dict[str, float], now: dict[str, float]) -> list[_Test]:
    """The means of all seeds; where two seeds or more are on both sides, their differences; beside such, those of now alone."""
    known, shared = list(before.values()), sorted(set(before) & set(now))
    new = [value for seed, value in now.items() if seed not in before]
    found = _of_means(known, list(now.values()))
    if len(shared) > 1:
        pairs = np.array([now[seed] - before[seed] for seed in shared])
        error = float(pairs.std(ddof=1)) / math.sqrt(len(pairs))
        found.append(_Test(float(pairs.mean()), error, len(pairs) - 1, of_all=not new))
    if shared and new:
        found += _of_means(known, new, of_all=False)
    return found


def _same(shared: int, before: int) -> str:
    fewer = "" if shared == before else f", {shared} of the baseline's {before}"
    return f"the same values for the same seeds{fewer}"


def judge_accuracy(before: dict[str, float], now: dict[str, float], margin: float, rows: int = 1) -> Judged:
    """Whether values by seed are those of the baseline within a margin.

    The same values of the same seeds pass at once, and say nothing of other seeds, which are then judged alone. Else the difference
    is tested against both ends of the margin: `pass` where it lies within, `fail` where it does not and differs from zero as well,
    `no-verdict` where the seeds are too few for either. Seeds that both sides have are also compared in pairs, and those beside
    them that the baseline does not have with all of its own; the ways share the risk. What leaves some of the seeds out may fail,
    and passes nothing.

    Args:
        rows: metrics that are judged in the same check, and share the risk of a false failure.
    """
    shared = set(before) & set(now)
    if shared and all(before[seed] == now[seed] for seed in shared):
        new = {seed: value for seed, value in now.items() if seed not in shared}
        same = _same(len(shared), len(before))
        if not new:
            return Judged("pass", 0.0, 0.0, 0.0, None, None, same)
        judged = judge_accuracy(before, new, margin, rows)
        return replace(judged, reason=f"{same}; of the {len(new)} that it does not have: {judged.reason}")
    tests = _tests(before, now)
    if not tests:
        difference = float(np.mean(list(now.values())) - np.mean(list(before.values())))
        if shared and abs(difference) > margin:
            return Judged(
                "fail", difference, None, None, None, None, "the same seed, beyond the margin; no spread known"
            )
        return Judged("no-verdict", difference, None, None, None, 2, "one seed on each side shows no spread")
    risks = _Risks(ALPHA / len(tests), ALPHA / len(tests) / rows)
    beyond = [test for test in tests if test.beyond(margin, risks)]
    passes = any(test.within(margin, risks) for test in tests if test.of_all) and all(test.of_all for test in beyond)
    told = beyond if beyond and not passes else [test for test in tests if test.of_all]
    surest = min(told, key=lambda test: test.reach(risks.within))
    reach = surest.reach(risks.within)
    terms = surest.difference, surest.difference - reach, surest.difference + reach, surest.detectable(risks)
    if passes:
        return Judged("pass", *terms, None, f"within {margin:g}")
    if beyond:
        return Judged("fail", *terms, None, f"differs from the baseline, and not within {margin:g}")
    sd = _spread(list(before.values()), list(now.values()))[0]
    needed = _needed(sd, margin, len(before), len(now), surest.difference, risks)
    both = None if needed else _each_side(sd, margin, max(len(before), len(now)), surest.difference, risks)
    enough = f"about {both}" if both else f"more than {MOST}"
    said = f"neither within {margin:g} nor different; " + (
        f"about {needed} seeds would settle it"
        if needed
        else f"the baseline's seeds, {len(before)}, are too few whatever is run now: it takes {enough} on each side"
    )
    return Judged("no-verdict", *terms, needed, said)
