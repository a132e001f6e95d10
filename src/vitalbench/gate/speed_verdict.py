"""Whether a phase is as fast as in its baseline: a tolerance, and the noise between measuring jobs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vitalbench.gate.verdicts import ALPHA, MOST, ON_AN_IDLE_MACHINE, POWER, Judged, first
from vitalbench.measure.placement import placements

_MOST_LOG = 700.0  # e to this is near the largest float
_MOSTLY = 0.75  # of a baseline's jobs
_ROUNDING = 1e-9  # of a sum of weights
_UNSEEN = (
    "where its threads were was not seen, and the baseline's jobs of one placement say otherwise than those of another; "
    "a job that sees it would decide"
)
# What jobs, and sessions of benchmarks, are taken to vary, as if that many had shown it: a baseline of one job knows nothing of it,
# one of twenty hardly asks.
JOBS_VARY, _PRIOR_JOBS = 0.03, 4
# Of normal values: the median absolute deviation over the standard deviation; the share of degrees of freedom that it is worth
# (Rousseeuw & Croux, J Am Stat Assoc 88, 1273, 1993); and by how much the variance of the median over pairs exceeds the mean's.
_MAD_OF_NORMAL, _MAD_WORTH, _PAIRS_VARY = float(stats.norm.ppf(0.75)), 0.37, math.pi / 3

Array = NDArray[np.float64]


def _as_change(log_ratio: float) -> float:
    """A log ratio as a ratio minus 1; one beyond what a number holds is the largest of them."""
    return math.expm1(min(log_ratio, _MOST_LOG))


class Job(NamedTuple):
    """A phase in a measuring job: its time over that of the reference operation, and the latency between its threads, in ns."""

    ratio: float
    latency: float | None = None  # None where it was not seen


@dataclass(frozen=True)
class _Alike:
    """Jobs of both sides whose threads were placed alike: these are compared."""

    before: Sequence[Job]
    now: Sequence[Job]

    @property
    def logs(self) -> tuple[Array, Array]:
        """Logarithms of the ratios of either side."""
        return _logs(self.before), _logs(self.now)

    @property
    def weight(self) -> float:
        """What they add to the certainty of the ratio."""
        return float(_weight(len(self.before), len(self.now)))


def _logs(jobs: Sequence[Job]) -> Array:
    return np.log([job.ratio for job in jobs])


def _seen(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that saw their threads, where half of them or more did; else none."""
    seen = [job for job in jobs if job.latency is not None]
    return seen if 2 * len(seen) >= len(jobs) else []


def _by_placement(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs that saw their threads, the nearest placement first."""
    placed = placements([job.latency for job in jobs if job.latency is not None])
    return [[jobs[int(at)] for at in np.flatnonzero(placed == one)] for one in range(max(placed, default=-1) + 1)]


def _alike(before: Sequence[Job], now: Sequence[Job]) -> list[_Alike]:
    """Jobs by placement, of those that both sides have; where a side saw its threads in fewer than half of its jobs, all as one.

    Where both saw as many, what did not see its own is left out.
    """
    there, here = _seen(before), _seen(now)
    if not there or not here:
        return [_Alike(before, now)]
    placed = placements([job.latency for job in (*there, *here) if job.latency is not None])
    old, new = np.split(placed, [len(there)])
    return [
        _Alike([there[at] for at in np.flatnonzero(old == one)], [here[at] for at in np.flatnonzero(new == one)])
        for one in np.intersect1d(old, new)
    ]


def comparable(before: Sequence[Job], now: Sequence[Job]) -> list[Job]:
    """The jobs of now that are compared with some of before."""
    return [job for jobs in _alike(before, now) for job in jobs.now]


def _ratio(compared: Sequence[_Alike]) -> float:
    """The logarithm of the ratio of times now to before: the median over pairs, of each placement by the certainty it adds."""
    pairs = [np.subtract.outer(*reversed(jobs.logs)).ravel() for jobs in compared]
    weights = np.concatenate(
        [np.full(len(one), jobs.weight / len(one)) for one, jobs in zip(pairs, compared, strict=True)]
    )
    values = np.concatenate(pairs)
    order = np.argsort(values)
    values, reached = values[order], np.cumsum(weights[order]) / weights.sum()
    low, high = (np.searchsorted(reached, 0.5 + side * _ROUNDING) for side in (-1, 1))
    return float((values[low] + values[high]) / 2)


def _scale(compared: Sequence[_Alike]) -> float:
    """What jobs vary on either side of the median of those alike, as a standard deviation; an odd job hardly moves it either.

    A side's deviations are widened by what its own median takes of them (Croux & Rousseeuw, Comput Stat 1, 411, 1992), so that of
    normal values the mean square is right (of sides of three alone it is two thirds); a side of one has none. 0 where none has any.
    """
    sides = [side for jobs in compared for side in jobs.logs if len(side) > 1]
    apart = [np.abs(side - np.median(side)) * len(side) / (len(side) - 0.8) for side in sides]
    return float(np.median(np.concatenate(apart))) / _MAD_OF_NORMAL if apart else 0.0


def _freedom(jobs: NDArray[np.int_] | int, sides: int = 2) -> Array:
    """Degrees of freedom of what jobs vary: those that their deviations are worth, and the prior's."""
    return np.asarray(_MAD_WORTH * (np.asarray(jobs) - sides) + _PRIOR_JOBS, dtype=np.float64)


def _weight(before: NDArray[np.int_] | int, now: NDArray[np.int_] | int) -> Array:
    return np.asarray(1 / (1 / np.asarray(before) + 1 / np.asarray(now)), dtype=np.float64)


def _error(sd: float, weight: Array | float) -> Array:
    """Standard error of the ratio's logarithm."""
    return np.asarray(sd * np.sqrt(_PAIRS_VARY / np.asarray(weight)), dtype=np.float64)


def _beyond(sd: float, seen: float, freedom: float) -> float:
    """How far beyond a bound a change is found, for a standard error of 1; jobs that vary more than they are taken to show it."""
    power = stats.t.ppf(POWER, freedom - _PRIOR_JOBS) * seen if seen > sd else stats.t.ppf(POWER, freedom) * sd
    return float(power)


def judge_speed(before: Sequence[Job], now: Sequence[Job], tolerance: float, disturbed: bool = False) -> Judged:
    """Whether times over the reference operation are those of the baseline.

    Their ratio is the median over all pairs of a job now and one before whose threads were placed alike (Hodges & Lehmann, Ann Math
    Stat 34, 598, 1963), which an odd job on either side hardly moves. `fail` where it leaves the tolerance to either side and more
    than the noise between measuring jobs explains; `no-verdict` where that noise, or foreign load, could have done it, or where no
    job of the baseline had its threads where those were now.

    Args:
        tolerance: 0.08 lets times be 8 % longer, or shorter by as much as a ratio.
        disturbed: what was measured now was.
    """
    compared = _alike(before, now)
    if not compared:
        return Judged("no-verdict", 0.0, None, None, None, 1, _elsewhere(before, now))
    there = _by_placement(_seen(before))
    if len(there) > 1 and not _seen(now):
        blind = [Job(job.ratio) for job in now]
        each = [judge_speed([Job(job.ratio) for job in jobs], blind, tolerance, disturbed) for jobs in there]
        if len({one.verdict for one in each}) > 1:
            least = min(each, key=lambda one: abs(math.log1p(one.difference)))
            return replace(least, verdict="no-verdict", needed=1, reason=_UNSEEN)
    difference = _ratio(compared)
    a, b = (sum(map(len, side)) for side in zip(*((jobs.before, jobs.now) for jobs in compared), strict=True))
    freedom, seen = float(_freedom(a + b, 2 * len(compared))), _scale(compared)
    sd = math.sqrt(((freedom - _PRIOR_JOBS) * seen**2 + _PRIOR_JOBS * JOBS_VARY**2) / freedom)
    weight = sum(jobs.weight for jobs in compared)
    reach = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * float(_error(sd, weight))
    bound = math.log1p(tolerance)
    low, high = _as_change(difference - reach), _as_change(difference + reach)
    detectable = _as_change(max(bound, reach) + _beyond(sd, seen, freedom) * float(_error(1, weight)))
    ratio = _as_change(difference)
    if abs(difference) <= bound:
        though = ", though foreign work disturbed the measurement" if disturbed else ""
        return Judged("pass", ratio, low, high, detectable, None, f"within {tolerance:.0%}{though}")
    way = "slower" if difference > 0 else "faster, which is as suspicious"
    if disturbed:
        said = f"{way}, but foreign work disturbed the measurement; {ON_AN_IDLE_MACHINE}"
        return Judged("no-verdict", ratio, low, high, detectable, 1, said)
    if abs(difference) <= reach:
        needed, said = _jobs(sd, compared, a < len(before) or b < len(now), difference)
        return Judged("no-verdict", ratio, low, high, detectable, needed, f"{way}, within what jobs vary; {said}")
    return Judged(
        "fail", ratio, low, high, detectable, None, f"{way}: beyond {tolerance:.0%} and the noise between jobs"
    )


def _elsewhere(before: Sequence[Job], now: Sequence[Job]) -> str:
    """That no job of the baseline had its threads where those were now."""
    told = []
    for side in (now, before):
        ends = [
            (min(ns), max(ns)) for jobs in _by_placement(_seen(side)) if (ns := [job.latency or 0.0 for job in jobs])
        ]
        told.append(" and ".join("-".join(dict.fromkeys(f"{end:.0f}" for end in pair)) for pair in ends))
    return (
        f"its threads were {told[0]} ns from one another, those of the baseline's jobs {told[1]} ns: nothing to compare with; "
        "a job of theirs would decide, or one of these in the baseline (`vitalbench baseline update --add`)"
    )


def _jobs(sd: float, compared: Sequence[_Alike], left_out: bool, difference: float) -> tuple[int | None, str]:
    """Jobs beside the baseline's that would tell the difference seen from noise; None where none would, and that in words.

    Args:
        left_out: other jobs were, which were placed elsewhere; those that would tell are counted of these.
    """
    before, now = (sum(map(len, side)) for side in zip(*((jobs.before, jobs.now) for jobs in compared), strict=True))
    counts = np.arange(now + 1, MOST)
    alike = " placed alike" if left_out else ""

    def told(of: NDArray[np.int_]) -> int | None:
        reach = stats.t.ppf(1 - ALPHA / 2, _freedom(of + counts)) * _error(sd, _weight(of, counts))
        return first(counts, reach < abs(difference))

    needed = told(np.full(len(counts), before))
    if needed:
        return needed, f"about {needed} jobs{alike} would tell"
    both = told(counts)
    enough = f"about {both}" if both else f"more than {MOST}"
    return (
        None,
        f"the baseline's jobs{alike}, {before}, are too few whatever is measured now: it takes {enough} on each side",
    )


def settles(before: Sequence[Job], now: Sequence[Job], judged: Judged, tolerance: float) -> bool:
    """Whether one job is enough to pass: within half of the tolerance, as three in four of the baseline's alike are.

    Where jobs lie further apart, one that lies near is as likely an odd job of a phase that changed.

    Args:
        before: the baseline's, each as near or far from their median.
    """
    half = math.log1p(tolerance) / 2
    near = judged.verdict == "pass" and abs(math.log1p(judged.difference)) <= half
    logs = [jobs.logs[0] for jobs in _alike(before, now)]
    return near and all(float(np.mean(np.abs(one - np.median(one)) <= half)) >= _MOSTLY for one in logs)
