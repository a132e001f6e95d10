"""How often the gate says what of planted changes, on the spread of the baselines that ship: the table of docs/METHODS.md.

`python -m tests.gate_outcomes` prints it; nothing is timed or trained, jobs and seeds are drawn.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import permutations

import numpy as np

from tests.conftest import ROOT
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.gate import Gate
from vitalbench.gate.again import MOST_FURTHER
from vitalbench.gate.baseline import Accuracy, Baseline, Speed, key_of, read_baseline
from vitalbench.gate.benchmarks import Sessions
from vitalbench.gate.check import Row, check
from vitalbench.gate.found import Found
from vitalbench.gate.speed_verdict import Job
from vitalbench.measure.placement import placements

TRIALS = 400
CHECKS = 200  # of phases: of whole ones that pass as rarely as 19 in 20 a hundred tell too little
CHECKS_OF_SESSIONS = 100
TIMED = 5  # sessions, in docs/ci/github-actions.yml
AGAIN = "measured again"
WHOLE = "a whole check"
SAID = ("pass", "no-verdict", "fail")
THROUGHPUTS = (1.0, 0.85, 1.4)
CHANGES = (0.0, -0.03, 0.03)
SHIPPED = ("xresnet1d101", "s4d", "resnet50")  # that learn, and whose seeds the default suite gates
UNSETTLED = (
    ("xresnet1d101", 10, 2),
    ("xresnet1d101", 10, 10),
    ("xresnet1d101", 24, 24),
    ("s4d", 10, 2),
    ("s4d", 10, 10),
)
# The kinds of machine whose baselines ship. The one has the most seeds, jobs of the other tell where their threads were.
TURIN, MILAN = "amd-epyc-family-26-model-2", "amd-epyc-family-25-model-1"
DEVICES = {"accuracy": TURIN, "speed": MILAN}
_FRESH = 1000  # the first seed of those that the baseline does not have


@cache
def shipped(what: str) -> Baseline:
    """The baseline of the default suite that outcomes on accuracy or on speed are drawn from."""
    return read_baseline(ROOT / f"baselines/quick/{DEVICES[what]}.json")


@cache
def shipped_sessions(device: str) -> Baseline:
    """The baseline of the benchmarks on a device."""
    return read_baseline(ROOT / f"baselines/benchmarks/{device}.json")


def margin(metric: str = "auroc") -> float:
    """Of a metric, as the default suite's gate has it."""
    return ConfigFolder(ROOT / "configs").suite("quick").gate.metrics[metric]


def _accuracy(design: str, metric: str = "auroc") -> Accuracy:
    (row,) = (row for row in shipped("accuracy").accuracy if (row.design, row.metric) == (design, metric))
    return row


def scores(design: str) -> list[float]:
    """What the baseline's seeds of a design scored."""
    return list(_accuracy(design).values.values())


@dataclass
class Trained:
    """Seeds of a changed design, drawn as often as the gate asks for them; trained again they are the same."""

    row: Accuracy
    values: dict[str, float]
    draw: Callable[[Iterable[str]], dict[str, float]]

    def accuracy(self, key: tuple[str, ...], seed: str | None = None) -> Accuracy:
        """Its own again, or another one."""
        return self.row.model_copy(update={"values": self.values if seed is None else self.draw([seed])})

    def speed(self, key: tuple[str, ...], further: int = 1) -> None:
        """None is measured."""

    def exact(self, key: tuple[str, ...]) -> bool:
        """As on a CPU."""
        return True


def of_accuracy(
    design: str, before: int, now: int, change: float, rerun: bool = False, trials: int = TRIALS
) -> Counter[str]:
    """Verdicts on new draws of seeds against new draws of seeds, all normal and as far apart as the baseline's are.

    Args:
        before, now: how many seeds.
        change: of the mean, in the metric's unit.
        rerun: seeds are the baseline's by name, and what they leave open the others of it settle; else they are others.
    """
    known, gate, rng = _accuracy(design), Gate(metrics={"auroc": margin()}), np.random.default_rng(7)
    others = [row for row in shipped("accuracy").accuracy if row != known]  # which did not change, and share the risk
    values = list(known.values.values())
    if len(values) < 2:
        raise ValueError(f"{design}: one seed in the baseline shows no spread to draw with")
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))

    def drawn(centre: float, seeds: Iterable[str]) -> dict[str, float]:
        return {seed: min(1.0, float(rng.normal(centre, sd))) for seed in seeds}

    said: Counter[str] = Counter()
    for _ in range(trials):
        row = known.model_copy(update={"values": drawn(mean, map(str, range(before)))})
        first = 0 if rerun else _FRESH
        again = Trained(row, {}, partial(drawn, mean + change))
        again.values = again.draw(map(str, range(first, first + now)))
        held = shipped("accuracy").model_copy(update={"accuracy": [row, *others], "speed": []})
        found = Found(held.device, held.data, [again.accuracy(()), *others], [], set())
        judged, *_ = check(held, found, gate, {}, again if rerun else None)
        said[judged.judged.verdict] += 1
        said[AGAIN] += judged.confirmed
    return said


@dataclass
class Turns:
    """Measuring jobs of changed phases, by what each is about, in the order in which the gate asks for them."""

    jobs: dict[tuple[str, ...], tuple[Speed, Sequence[Job]]]
    throughput: float

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """The next; None where there is none any more."""
        row, jobs = self.jobs[key]
        if further >= len(jobs):
            return None
        return row.of([jobs[further]._replace(ratio=jobs[further].ratio / self.throughput)]), False

    def accuracy(self, key: tuple[str, ...], seed: str | None = None) -> Accuracy | None:
        """None is trained."""
        return None

    def exact(self, key: tuple[str, ...]) -> bool:
        """None is."""
        return False


@cache
def of_speed(jobs: int | None, throughput: float, rerun: bool = True, checks: int = CHECKS) -> dict[str, Counter[str]]:
    """Verdicts on each phase of the suite and on whole checks: all throughputs changed by a factor.

    Args:
        jobs: of the baseline that some of the others are held against, drawn anew for each check and each phase; None holds jobs
            that are drawn from the baseline as it ships against all of it.
        rerun: what one job leaves open is measured again.
        checks: of all phases.

    Returns:
        By phase, and of whole checks under WHOLE.
    """
    rng, rows = np.random.default_rng(5), shipped("speed").speed
    said: dict[str, Counter[str]] = {}
    for _ in range(checks):
        held, turns = [], {}
        for row in rows:
            known = row.jobs
            order = rng.permutation(len(known)) if jobs else rng.integers(len(known), size=1 + MOST_FURTHER)
            held.append(row.of([known[at] for at in order[:jobs]]) if jobs else row)
            turns[key_of(row)] = row, [known[at] for at in order[jobs or 0 :][: 1 + MOST_FURTHER]]
        again = Turns(turns, throughput)
        first = [again.speed(key_of(row), 0) for row in held]
        now = Found("cpu", {}, [], [one[0] for one in first if one], set())
        before = shipped("speed").model_copy(update={"accuracy": [], "speed": held})
        _count(said, check(before, now, Gate(), {}, again if rerun else None))
    return said


@cache
def of_sessions(device: str, together: int | None, throughput: float) -> dict[str, Counter[str]]:
    """Verdicts on each benchmark and on whole checks: sessions of the baseline, held against those that are left.

    Args:
        device: whose baseline it is.
        together: sessions that are held against the others: the first, and those that confirm it; None holds as many as the
            workflow to copy times, drawn from the baseline's own, against all of it as it ships.
        throughput: a change of those, as a factor.

    Returns:
        By benchmark, and of whole checks under WHOLE.
    """
    rows, said, rng = shipped_sessions(device).speed, dict[str, Counter[str]](), np.random.default_rng(5)
    count = _sessions(device)

    def session(values: Iterable[float]) -> Found:
        changed = [
            row.model_copy(update={"values": [value / throughput]}) for row, value in zip(rows, values, strict=True)
        ]
        return Found("cpu", {}, [], changed, set())

    def judge(held: list[Speed], first: Found, *further: Found) -> None:
        before = shipped_sessions(device).model_copy(update={"speed": held})
        _count(said, check(before, first, Gate(), {}, Sessions(list(further)) if further else None))

    if together is None:
        for _ in range(CHECKS_OF_SESSIONS):
            judge(rows, *(session(float(rng.choice(row.values)) for row in rows) for _ in range(TIMED)))
        return said
    for chosen in permutations(range(count), together):
        left = [at for at in range(count) if at not in chosen]
        held = [row.model_copy(update={"values": [row.values[at] for at in left]}) for row in rows]
        judge(held, *(session(row.values[at] for row in rows) for at in chosen))
    return said


def _sessions(device: str) -> int:
    """Sessions that every benchmark of the baseline has: of one that was disturbed there is none in a session."""
    return min(len(row.values) for row in shipped_sessions(device).speed)


def _count(said: dict[str, Counter[str]], rows: Sequence[Row]) -> None:
    """Add the verdicts of a check to those of others."""
    verdicts = {row.judged.verdict for row in rows}
    said.setdefault(WHOLE, Counter())[next(name for name in ("fail", "no-verdict", "pass") if name in verdicts)] += 1
    for row in rows:
        said.setdefault(f"{row.place} {row.what}", Counter()).update([row.judged.verdict, *[AGAIN] * row.confirmed])


def all_rows(said: dict[str, Counter[str]]) -> Counter[str]:
    """The verdicts on rows, all together."""
    return sum((counts for name, counts in said.items() if name != WHOLE), Counter())


def _counts(said: Counter[str]) -> str:
    return " / ".join(str(said[name]) for name in SAID)


def table() -> Iterator[str]:
    """The table's lines."""
    legend = " / ".join(SAID)
    yield f"| baseline | now | no change | -0.03 | +0.03 | {legend} of {TRIALS} | no change, trained further |"
    yield "|---|---|---:|---:|---:|---|---:|"
    yield from map(shipped_line, SHIPPED)
    for design, before, now in UNSETTLED:
        yield accuracy_line(design, before, now)
    yield ""
    yield f"| baseline | now | no change | throughput -15 % | throughput +40 % | {legend} of | no change, {AGAIN} |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for jobs in (5, 10, None):
        for rerun in (True, False):
            yield speed_line(jobs, rerun)
    whole = [of_speed(None, throughput, rerun=False)[WHOLE] for throughput in THROUGHPUTS]
    yield _line(["as it ships", f"1 job, drawn, `--no-rerun`, {WHOLE}"], whole, 0)
    yield ""
    yield f"| phase, as it ships | no change | throughput -15 % | throughput +40 % | {legend} of |"
    yield "|---|---:|---:|---:|---:|"
    for name in of_speed(None, 1.0):
        yield _line([name], [of_speed(None, change)[name] for change in THROUGHPUTS])
    yield ""
    yield "| phase | near: jobs, ns | far: jobs, ns | far over near | three in four lie within | if nobody looked |"
    yield "|---|---:|---:|---:|---:|---:|"
    yield from map(placement_line, shipped("speed").speed)
    for device in (MILAN, TURIN):
        yield ""
        yield f"| benchmarks, {device} | now | no change | throughput -15 % | throughput +40 % | {legend} of |"
        yield "|---|---|---:|---:|---:|---:|"
        for together in (1, 2, 3, None):
            yield from sessions_lines(device, together)


def shipped_line(design: str) -> str:
    """A line of the upper table: as many seeds as the baseline that ships has, against the suite's own and then the others."""
    known, suite = len(scores(design)), ConfigFolder(ROOT / "configs").suite("quick")
    own = next(len(grid.seeds) for grid in suite.grids if design in grid.designs)
    found = [of_accuracy(design, known, own, change, rerun=True) for change in CHANGES]
    now = f"{own} to {known} seeds, as it ships"
    return f"| {known} seeds | {now} | {' | '.join(map(_counts, found))} | {_varies(design)} | {found[0][AGAIN]} |"


def accuracy_line(design: str, before: int, now: int) -> str:
    """Another: so many seeds, and no others."""
    said = " | ".join(_counts(of_accuracy(design, before, now, change)) for change in CHANGES)
    return f"| {before} seeds | {now} seeds, `--no-rerun` | {said} | {_varies(design)} | 0 |"


def _varies(design: str) -> str:
    return f"{design}: {float(np.std(scores(design), ddof=1)):.4f} between seeds"


def _line(names: Sequence[str], found: Sequence[Counter[str]], *more: object) -> str:
    """Verdicts on as many rows, unchanged and with the changes planted."""
    of = sum(found[0][name] for name in SAID)
    return "| " + " | ".join([*names, *map(_counts, found), str(of), *map(str, more)]) + " |"


def speed_line(jobs: int | None, rerun: bool) -> str:
    """One line of the table of phases, all of them together."""
    found = [all_rows(of_speed(jobs, throughput, rerun)) for throughput in THROUGHPUTS]
    held, others = (f"{jobs} jobs", " of the others") if jobs else ("as it ships", ", drawn")
    measured = f"1 to {1 + MOST_FURTHER} jobs{others}" if rerun else f"1 job{others}, `--no-rerun`"
    return _line([held, measured], found, found[0][AGAIN])


def placement_line(row: Speed) -> str:
    """A line of where the threads of a phase's jobs were, of those that saw it: the nearest placement, and all others together."""
    seen = [job for job in row.jobs if job.latency is not None]
    ratios, latencies = np.log([job.ratio for job in seen]), [job.latency for job in seen if job.latency is not None]
    near = placements(latencies) == 0
    sides = [ratios[near], ratios[~near]]
    told = [
        _jobs([latency for latency, one in zip(latencies, near, strict=True) if one == side]) for side in (True, False)
    ]
    over = f"{math.exp(float(np.median(sides[1]) - np.median(sides[0]))):.2f}" if near.any() and not near.all() else "-"
    apart = np.concatenate([side - np.median(side) for side in sides if len(side)]), ratios - np.median(ratios)
    within, blind = (f"{float(np.quantile(np.abs(one), 0.75)):.1%}" for one in apart)
    return f"| {row.design}/{row.target} {row.phase} of {row.batch_size} | {' | '.join(told)} | {over} | {within} | {blind} |"


def _jobs(latencies: list[float]) -> str:
    return f"{len(latencies)}: {min(latencies):.0f} to {max(latencies):.0f}" if latencies else "0"


def sessions_lines(device: str, together: int | None) -> Iterator[str]:
    """The lines of so many sessions: benchmarks one by one, and whole checks."""
    all_of_them = max(len(row.values) for row in shipped_sessions(device).speed)
    held = [f"{_sessions(device) - together} sessions", f"{together} of the others"] if together else []
    held = held or [f"{all_of_them} sessions, as it ships", f"{TIMED}, drawn"]
    found = [of_sessions(device, together, throughput) for throughput in THROUGHPUTS]
    yield _line(held, list(map(all_rows, found)))
    yield _line([held[0], f"{held[1]}, {WHOLE}"], [said[WHOLE] for said in found])


if __name__ == "__main__":
    for told in table():
        print(told)
