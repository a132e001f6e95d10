"""What a value says beside its baseline: accuracy by two one-sided tests, speed by a tolerance and the noise between jobs.

Both look to either side: a design that is suddenly better or faster is as suspicious as one that is worse or slower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Verdict = Literal["pass", "fail", "no-verdict"]
ON_AN_IDLE_MACHINE = "one more measurement on an idle machine would decide"
# Of each one-sided test (Schuirmann, J Pharmacokinet Biopharm 15, 657, 1987), and of a difference, which of metrics is one that all
# of a check share (Bonferroni).
_ALPHA = 0.05
_POWER = 0.8
_MOST_SEEDS = 1000  # that are ever said to be needed
_MOST_LOG = 700.0  # e to this is near the largest float
_MOSTLY = 0.75  # of a baseline's jobs
# What jobs, and sessions of benchmarks, are taken to vary, as if that many had shown it: a baseline of one job knows nothing of it,
# one of twenty hardly asks.
JOBS_VARY, _PRIOR_JOBS = 0.03, 4
# Of normal values: the median absolute deviation over the standard deviation; the share of degrees of freedom that it is worth
# (Rousseeuw & Croux, J Am Stat Assoc 88, 1273, 1993); and by how much the variance of the median over pairs exceeds the mean's.
_MAD_OF_NORMAL, _MAD_WORTH, _PAIRS_VARY = float(stats.norm.ppf(0.75)), 0.37, math.pi / 3


@dataclass(frozen=True)
class Judged:
    """A verdict and its terms.

    Attributes:
        difference: now minus before, in the metric's unit; of speed the ratio of times now to before, minus 1.
        low, high: of its interval; None where there is none.
        detectable: the least difference that these numbers of seeds or jobs would find four times in five.
        needed: how many seeds or jobs it would take to settle a `no-verdict`; None elsewhere, and where none would.
        reason: in a few words.
    """

    verdict: Verdict
    difference: float
    low: float | None
    high: float | None
    detectable: float | None
    needed: int | None
    reason: str


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
    counts = np.arange(now + 1, _MOST_SEEDS)
    return _first(counts, _settles(sd, margin, np.full(len(counts), before), counts, difference, risks))


def _each_side(sd: float, margin: float, now: int, difference: float, risks: "_Risks") -> int | None:
    """Seeds on each side that would settle it."""
    counts = np.arange(now + 1, _MOST_SEEDS)
    return _first(counts, _settles(sd, margin, counts, counts, difference, risks))


def _first(counts: NDArray[np.int_], settled: NDArray[np.bool_]) -> int | None:
    return int(counts[settled.argmax()]) if settled.any() else None


@cache
def _quantiles(level: float) -> NDArray[np.float64]:
    """Student's t at a level, by degrees of freedom less one."""
    found: NDArray[np.float64] = stats.t.ppf(level, np.arange(1, 2 * _MOST_SEEDS))
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
    within = (margin - abs(difference)) / (_t(1 - risks.within, freedom) + _t((1 + _POWER) / 2, freedom))
    differs = abs(difference) / (_t(1 - risks.differs / 2, freedom) + _t(_POWER, freedom))
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
        return float(stats.t.ppf(1 - risks.differs / 2, self.freedom) + stats.t.ppf(_POWER, self.freedom)) * self.error


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
    risks = _Risks(_ALPHA / len(tests), _ALPHA / len(tests) / rows)
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
    enough = f"about {both}" if both else f"more than {_MOST_SEEDS}"
    said = f"neither within {margin:g} nor different; " + (
        f"about {needed} seeds would settle it"
        if needed
        else f"the baseline's seeds, {len(before)}, are too few whatever is run now: it takes {enough} on each side"
    )
    return Judged("no-verdict", *terms, needed, said)


def _as_change(log_ratio: float) -> float:
    """A log ratio as a ratio minus 1; one beyond what a number holds is the largest of them."""
    return math.expm1(min(log_ratio, _MOST_LOG))


def _scale(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """What jobs vary on either side of their own median, as a standard deviation; an odd job hardly moves it either.

    A side's deviations are widened by what its own median takes of them (Croux & Rousseeuw, Comput Stat 1, 411, 1992), so that of
    normal values the mean square is right; a side of one has none. 0 where neither has.
    """
    sides = [side for side in (a, b) if len(side) > 1]
    apart = [np.abs(side - np.median(side)) * len(side) / (len(side) - 0.8) for side in sides]
    return float(np.median(np.concatenate(apart))) / _MAD_OF_NORMAL if apart else 0.0


def _freedom(before: NDArray[np.int_] | int, now: NDArray[np.int_] | int) -> NDArray[np.float64]:
    """Degrees of freedom of what jobs vary: those that their deviations are worth, and the prior's."""
    return np.asarray(_MAD_WORTH * (np.asarray(before) + now - 2) + _PRIOR_JOBS, dtype=np.float64)


def _error(sd: float, before: NDArray[np.int_] | int, now: NDArray[np.int_] | int) -> NDArray[np.float64]:
    """Standard error of the ratio's logarithm."""
    return np.asarray(sd * np.sqrt(_PAIRS_VARY * (1 / np.asarray(before) + 1 / np.asarray(now))), dtype=np.float64)


def _beyond(sd: float, seen: float, freedom: float) -> float:
    """How far beyond a bound a change is found, for a standard error of 1; jobs that vary more than they are taken to show it."""
    power = stats.t.ppf(_POWER, freedom - _PRIOR_JOBS) * seen if seen > sd else stats.t.ppf(_POWER, freedom) * sd
    return float(power)


def judge_speed(before: Sequence[float], now: Sequence[float], tolerance: float, disturbed: bool = False) -> Judged:
    """Whether times over the reference operation are those of the baseline.

    Their ratio is the median over all pairs of a job now and one before (Hodges & Lehmann, Ann Math Stat 34, 598, 1963), which an
    odd job on either side hardly moves. `fail` where it leaves the tolerance to either side and more than the noise between
    measuring jobs explains; `no-verdict` where that noise, or foreign load, could have done it.

    Args:
        before, now: a value a measuring job.
        tolerance: 0.08 lets times be 8 % longer, or shorter by as much as a ratio.
        disturbed: what was measured now was.
    """
    a, b = np.log(np.asarray(before)), np.log(np.asarray(now))
    difference = float(np.median(np.subtract.outer(b, a)))
    freedom, seen = float(_freedom(len(a), len(b))), _scale(a, b)
    sd = math.sqrt(((freedom - _PRIOR_JOBS) * seen**2 + _PRIOR_JOBS * JOBS_VARY**2) / freedom)
    reach = float(stats.t.ppf(1 - _ALPHA / 2, freedom)) * float(_error(sd, len(a), len(b)))
    bound = math.log1p(tolerance)
    low, high = _as_change(difference - reach), _as_change(difference + reach)
    detectable = _as_change(max(bound, reach) + _beyond(sd, seen, freedom) * float(_error(1, len(a), len(b))))
    ratio = _as_change(difference)
    if abs(difference) <= bound:
        though = ", though foreign work disturbed the measurement" if disturbed else ""
        return Judged("pass", ratio, low, high, detectable, None, f"within {tolerance:.0%}{though}")
    way = "slower" if difference > 0 else "faster, which is as suspicious"
    if disturbed:
        said = f"{way}, but foreign work disturbed the measurement; {ON_AN_IDLE_MACHINE}"
        return Judged("no-verdict", ratio, low, high, detectable, 1, said)
    if abs(difference) <= reach:
        needed, said = _jobs(sd, len(a), len(b), difference)
        return Judged("no-verdict", ratio, low, high, detectable, needed, f"{way}, within what jobs vary; {said}")
    return Judged(
        "fail", ratio, low, high, detectable, None, f"{way}: beyond {tolerance:.0%} and the noise between jobs"
    )


def _jobs(sd: float, before: int, now: int, difference: float) -> tuple[int | None, str]:
    """Jobs beside the baseline's that would tell the difference seen from noise; None where none would, and that in words."""
    counts = np.arange(now + 1, _MOST_SEEDS)

    def told(of: NDArray[np.int_]) -> int | None:
        reach = stats.t.ppf(1 - _ALPHA / 2, _freedom(of, counts)) * _error(sd, of, counts)
        return _first(counts, reach < abs(difference))

    needed = told(np.full(len(counts), before))
    if needed:
        return needed, f"about {needed} jobs would tell"
    both = told(counts)
    enough = f"about {both}" if both else f"more than {_MOST_SEEDS}"
    return None, f"the baseline's jobs, {before}, are too few whatever is measured now: it takes {enough} on each side"


def settles(before: Sequence[float], judged: Judged, tolerance: float) -> bool:
    """Whether one job is enough to pass: it lies within half of the tolerance, and so do three in four of the baseline's jobs.

    Where jobs lie further apart, one that lies near is as likely an odd job of a phase that changed.

    Args:
        before: the baseline's, each as near or far from their median.
    """
    half = math.log1p(tolerance) / 2
    apart = np.abs(np.log(before) - np.median(np.log(before)))
    near = judged.verdict == "pass" and abs(math.log1p(judged.difference)) <= half
    return near and float(np.mean(apart <= half)) >= _MOSTLY
