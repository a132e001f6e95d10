"""What designs cost in time and money beside one another, and how much of a ratio is noise."""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from vitalbench.results import Results
from vitalbench.tables import number, read_table

Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Spent:
    """A design's training, averaged over its runs.

    Attributes:
        hours: measured step x steps.
        usd: at the target's first price; None where there is none.
        floor: how far apart its step and itself came out in its measuring job, as a fraction; None where that was not told.
        reference_s: what the reference operation took in that job; None where it was not timed.
    """

    hours: float
    usd: float | None
    floor: float | None
    reference_s: float | None


@dataclass(frozen=True)
class TimeRatio:
    """A design's training time over another's.

    Attributes:
        floor: what two jobs differ by without any difference: the floors of both steps and how far apart the reference
            operation was in them; None where one is unknown.
        verdict: of the first: faster, slower or no-verdict.
        why: there is no verdict.
    """

    ratio: float
    cost_ratio: float | None
    floor: float | None
    verdict: str
    why: str


def spent_by_design(results: Results) -> dict[Place, Spent]:
    """By data set, task, design and target. A step that was disturbed or throttled is left out: it gives no ratio."""
    steps = {
        (row["dataset"], row["task"], row["design"], row["target"]): row
        for row in read_table("timing", results.table("timing"))
        if row["phase"] == "train_step" and row["exclusive"] == "true"
    }
    by_price: dict[Place, dict[tuple[str, ...], list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in read_table("cost", results.table("cost")):
        hours, usd = number(row["hours"]), number(row["usd"])
        price = row["provider"], row["sku"], row["purchase"]
        if row["phase"] == "train" and row["basis"] == "measured" and hours is not None and usd is not None:
            by_price[row["dataset"], row["task"], row["design"], row["target"]][price].append((hours, usd))
    found = {}
    for place, prices in by_price.items():
        step = steps.get(place)
        if step is not None and "true" in (step["disturbed"], step["throttled"]):
            continue
        first = next(iter(prices.values()))
        floor = number(step["noise_floor"]) if step else None
        median, over = (number(step["median_s"]), number(step["to_reference"])) if step else (None, None)
        reference = median / over if median and over else None
        hours, usd = (float(np.mean([pair[at] for pair in first])) for at in (0, 1))
        found[place] = Spent(hours, usd, floor, reference)
    return found


def time_ratio(a: Spent, b: Spent) -> TimeRatio | None:
    """a over b; None where one took no time.

    >>> job = Spent(1.0, None, 0.01, 0.002)
    >>> time_ratio(Spent(2.0, None, 0.01, 0.002), job).verdict
    'slower'
    """
    if not a.hours or not b.hours:
        return None
    ratio = a.hours / b.hours
    cost = a.usd / b.usd if a.usd and b.usd else None
    if a.floor is None or b.floor is None or not a.reference_s or not b.reference_s:
        return TimeRatio(
            ratio, cost, None, "no-verdict", "a step has no noise floor: more repeats, on a machine of its own"
        )
    drift = math.log(a.reference_s / b.reference_s)
    floor = math.expm1(math.sqrt(math.log1p(a.floor) ** 2 + math.log1p(b.floor) ** 2 + drift**2))
    if abs(math.log(ratio)) <= math.log1p(floor):
        return TimeRatio(ratio, cost, floor, "no-verdict", f"within the noise of two jobs, {floor:.1%}")
    return TimeRatio(ratio, cost, floor, "slower" if ratio > 1 else "faster", "")
