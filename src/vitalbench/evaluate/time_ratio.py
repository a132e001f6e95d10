"""What designs cost in time and money beside one another, and how much of a ratio is noise."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vitalbench.cell_result import CellResult
from vitalbench.errors import InputError
from vitalbench.measure.noise import POWER, least_pairs
from vitalbench.measure.placement import LEAST_NS, MOST_NS, placements
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Place = tuple[str, str, str, str]
_Row = dict[str, str]
_CELL = ("dataset", "task", "design", "target", "seed", "fold")
_IN_TURN = "time both in turn, `vitalbench measure --against`"


@dataclass(frozen=True)
class Part:
    """What a timed phase adds to the hours of a training.

    Attributes:
        seconds: of the training, all runs together: measured repeat x how often runs did the same.
        repeats: of which `floor` was told.
        floor: how far apart the phase and itself came out in its measuring job, as a fraction; None where that was not told.
        reference_s: what the reference operation took beside it; None where it was not timed.
        beside: what made the measurement one that gives no ratio: disturbed, throttled; empty where nothing did.
        core_to_core_ns: between the threads that it was timed on; None where that was not seen.
    """

    phase: str
    seconds: float
    repeats: int
    floor: float | None
    reference_s: float | None
    beside: str = ""
    core_to_core_ns: float | None = None


@dataclass(frozen=True)
class Spent:
    """A design's training, averaged over its runs.

    Attributes:
        hours: measured step x steps, and features that are kept once.
        usd: at the target's first price; None where there is none.
        floor: how far apart two measurements of those hours come out in one job, as a fraction; None where a part has none.
        reference_s: what the reference operation took in that job; None where it was not timed.
        repeats: the fewest of a part.
        no_ratio: why its hours are held against none.
        no_floor: why `floor` or `reference_s` is None.
        threads: of each part its phase, its share of the hours, and the latency between its threads, in ns; None where not seen.
    """

    hours: float
    usd: float | None
    floor: float | None
    reference_s: float | None
    repeats: int = 0
    no_ratio: str = ""
    no_floor: str = ""
    threads: tuple[tuple[str, float, float | None], ...] = ()


@dataclass(frozen=True)
class TimeRatio:
    """A design's training time over another's.

    Attributes:
        ratio, cost_ratio: None where a phase of one was disturbed or throttled; of costs where one has none, too.
        floor: what two jobs differ by without any difference: the floors of both and how far apart the reference
            operation was in them; and as many times as threads were further from one another in one of them, since nothing takes
            longer by more than that. None where one is unknown.
        verdict: of the first: faster, slower or no-verdict.
        why: there is no verdict, and what would decide.
    """

    ratio: float | None
    cost_ratio: float | None
    floor: float | None
    verdict: str
    why: str


def _no_floor(part: Part) -> str:
    """Why two jobs cannot be held against one another by this phase; empty where they can."""
    least = 2 * least_pairs()
    if part.floor is None:
        return f"{part.phase} has no noise floor: {part.repeats} repeats, {least} at least would tell it"
    return "" if part.reference_s else f"no reference operation was timed beside {part.phase}: {_IN_TURN}"


def spent_on(hours: float, usd: float | None, parts: list[Part]) -> Spent:
    """Hours that are the sum of phases timed one after another: their noise adds up in squares, by each one's share.

    >>> parts = [Part("train_step", 1.0, 22, 0.04, 0.002), Part("features", 3.0, 22, 0.04, 0.002)]
    >>> round(spent_on(1.0, None, parts).floor, 4)  # 0.04 x hypot(1 / 4, 3 / 4)
    0.0316
    """
    whole = sum(part.seconds for part in parts)
    disturbed = dict.fromkeys(f"{part.phase} was {part.beside}" for part in parts if part.beside)
    untold = dict.fromkeys(filter(None, map(_no_floor, parts)))
    no_ratio = f"{', '.join(disturbed)} while it was timed: measure again" if disturbed else ""
    if untold or not whole:
        return Spent(hours, usd, None, None, 0, no_ratio, ", ".join(untold) or "no phase of it was timed alone")
    shares = [part.seconds / whole for part in parts]
    floor = math.hypot(*(share * (part.floor or 0.0) for share, part in zip(shares, parts, strict=True)))
    reference = sum(share * (part.reference_s or 0.0) for share, part in zip(shares, parts, strict=True))
    threads = tuple((part.phase, share, part.core_to_core_ns) for share, part in zip(shares, parts, strict=True))
    return Spent(hours, usd, floor, reference, min(part.repeats for part in parts), no_ratio, "", threads)


def _part(row: _Row, seconds: float) -> Part:
    median, over = number(row["median_s"]), number(row["to_reference"])
    beside = " and ".join(word for word in ("disturbed", "throttled") if row[word] == "true")
    return Part(
        row["phase"],
        seconds,
        int(row["repeats"]),
        number(row["noise_floor"]),
        median / over if median and over else None,
        beside,
        _latency(row),
    )


def _latency(row: _Row) -> float | None:
    """The latency between a phase's threads, in ns; an InputError where no look at threads gives it."""
    found = number(row["core_to_core_ns"])
    if found is not None and not LEAST_NS <= found <= MOST_NS:
        said = f"core_to_core_ns is {row['core_to_core_ns'][:40]!r}; allowed: {LEAST_NS:g} to {MOST_NS:g}, or nothing"
        raise InputError(f"timing.csv: {row['phase']} of {row['design']}: {said}")
    return found


def _repeated(run: CellResult, rows: dict[str, _Row]) -> Iterator[tuple[str, float]]:
    """The phases that go into a run's hours (cost/table.py), and the seconds of each."""
    facts = run.read("provenance.json")["facts"]
    step, once = rows.get("train_step"), rows.get("features")
    if step is None or not facts.get("steps"):
        return
    yield "train_step", facts["steps"] * float(step["median_s"])
    rate = number(once["per_second"]) if once else None
    if rate and facts.get("featured_records"):
        yield "features", facts["featured_records"] / rate


def _parts(results: Results, runs: list[CellResult], timed: dict[tuple[str, ...], dict[str, _Row]]) -> list[Part]:
    """Each phase of each measuring job that the hours of some runs are made of."""
    first = {results.measurement(run.cell): run for run in reversed(runs)}  # under which timing.csv files a job
    seconds: dict[tuple[tuple[str, ...], str], float] = defaultdict(float)
    for run in runs:
        filed = first[results.measurement(run.cell)].cell.keys
        job = tuple(str(filed[name]) for name in _CELL)
        for phase, taken in _repeated(run, timed.get(job, {})):
            seconds[job, phase] += taken
    return [_part(timed[job][phase], taken) for (job, phase), taken in seconds.items()]


def spent_by_design(results: Results) -> dict[Place, Spent]:
    """By data set, task, design and target. One of which a phase was disturbed or throttled says so: it gives no ratio."""
    timed: dict[tuple[str, ...], dict[str, _Row]] = defaultdict(dict)
    for row in read_table("timing", results.table("timing")):
        if row["exclusive"] == "true":
            timed[tuple(row[name] for name in _CELL)][row["phase"]] = row
    by_price: dict[Place, dict[tuple[str, ...], list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in read_table("cost", results.table("cost")):
        hours, usd = number(row["hours"]), number(row["usd"])
        price = row["provider"], row["sku"], row["purchase"]
        if row["phase"] == "train" and row["basis"] == "measured" and hours is not None and usd is not None:
            by_price[row["dataset"], row["task"], row["design"], row["target"]][price].append((hours, usd))
    found, groups = {}, results.groups
    for place, prices in by_price.items():
        priced = next(iter(prices.values()))
        hours, usd = (float(np.mean([pair[at] for pair in priced])) for at in (0, 1))
        found[place] = spent_on(hours, usd, _parts(results, groups.get(place, []), timed))
    return found


def _would_decide(ratio: float, a: Spent, b: Spent, drift: float) -> str:
    """Of a ratio within the noise of two jobs: how many repeats would tell it four times in five, or that none would."""
    left = math.log(ratio) ** 2 - drift**2
    if left <= 0:
        apart = math.expm1(abs(drift))
        return (
            f"the reference operation itself was {apart:.1%} apart in the two jobs, which no repeats mend: {_IN_TURN}"
        )
    noise = math.hypot(math.log1p(a.floor or 0.0), math.log1p(b.floor or 0.0))
    here = min(a.repeats, b.repeats)
    needed = math.ceil(here * (noise * POWER) ** 2 / left)
    more = (
        f"about {needed:,} repeats ({here:,} here), `repeats` or `seconds` of the suite's protocol"
        if here
        else "more repeats"
    )
    return f"{more}, or {_IN_TURN}"


def _placed_apart(a: Spent, b: Spent) -> tuple[float, str]:
    """How many times as long the hours of one may be since its threads were further apart, at most, and which they are.

    A phase takes no longer by more than the latency between its threads is longer; it counts by its share. Infinitely many where
    that was seen in one of two jobs alone; 1 where it was seen in none.
    """
    more, told = 0.0, list[str]()
    for phase in dict.fromkeys(name for name, *_ in a.threads):
        here, there = ([one for one in of.threads if one[0] == phase] for of in (a, b))
        every = [latency for *_, latency in (*here, *there)]
        seen = [latency for latency in every if latency is not None]
        if not there or not seen:
            continue
        near, far = min(seen), max(seen)
        if len(seen) < len(every):
            more = math.inf
            told.append(f"where the threads of {phase} were was seen in one job alone")
        elif placements(seen).any():
            more += max(sum(share for _, share, _ in of) for of in (here, there)) * (far / near - 1)
            told.append(
                f"threads of {phase} were {near:.0f} ns from one another in one job and {far:.0f} ns in another"
            )
    return 1 + more, "; ".join(told)


def time_ratio(a: Spent, b: Spent) -> TimeRatio | None:
    """a over b; None where one took no time.

    >>> job = Spent(1.0, None, 0.01, 0.002)
    >>> time_ratio(Spent(2.0, None, 0.01, 0.002), job).verdict
    'slower'
    """
    both = (("design_a", a), ("design_b", b))
    disturbed = [f"{name}: {spent.no_ratio}" for name, spent in both if spent.no_ratio]
    if disturbed:
        return TimeRatio(None, None, None, "no-verdict", "; ".join(disturbed))
    if not a.hours or not b.hours:
        return None
    ratio = a.hours / b.hours
    cost = a.usd / b.usd if a.usd and b.usd else None
    if a.floor is None or b.floor is None or not a.reference_s or not b.reference_s:
        untold = [f"{name}: {spent.no_floor}" for name, spent in both if spent.no_floor]
        return TimeRatio(ratio, cost, None, "no-verdict", "; ".join(untold) or "no noise floor: more repeats")
    drift = math.log(a.reference_s / b.reference_s)
    noise = math.hypot(math.log1p(a.floor), math.log1p(b.floor), drift)
    times, apart = _placed_apart(a, b)
    if math.isinf(times):
        return TimeRatio(ratio, cost, None, "no-verdict", f"{apart}: {_IN_TURN}")
    floor = math.expm1(noise + math.log(times))
    if abs(math.log(ratio)) <= math.log1p(floor):
        within = f"within the noise of two jobs, {floor:.1%}; {_would_decide(ratio, a, b, drift)}"
        why = f"{apart}: {_IN_TURN}" if apart else within
        return TimeRatio(ratio, cost, floor, "no-verdict", why)
    return TimeRatio(ratio, cost, floor, "slower" if ratio > 1 else "faster", "")
