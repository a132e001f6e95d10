"""How often the gate says what of planted changes, on the spread of the baselines that ship: the table of docs/METHODS.md.

`python -m tests.gate_outcomes` prints it; nothing is timed or trained, jobs and seeds are drawn.
"""

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
from vitalbench.gate.baseline import Accuracy, Baseline, Speed, read_baseline
from vitalbench.gate.benchmarks import Sessions
from vitalbench.gate.check import check
from vitalbench.gate.found import Found

TRIALS = 400
OF_A_PHASE = 200
AGAIN = "measured again"
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
_FRESH = 1000  # the first seed of those that the baseline does not have


@cache
def shipped(suite: str = "quick") -> Baseline:
    """The baseline of a suite, the default one or `benchmarks`, on the kind of machine that its tests run on."""
    return read_baseline(ROOT / f"baselines/{suite}/amd-epyc-family-26-model-2.json")


def margin(metric: str = "auroc") -> float:
    """Of a metric, as the default suite's gate has it."""
    return ConfigFolder(ROOT / "configs").suite("quick").gate.metrics[metric]


def _accuracy(design: str, metric: str = "auroc") -> Accuracy:
    (row,) = (row for row in shipped().accuracy if (row.design, row.metric) == (design, metric))
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

    def accuracy(self, key: tuple[str, ...], seeds: tuple[str, ...] = ()) -> Accuracy:
        """Its own again, or further ones."""
        return self.row.model_copy(update={"values": self.draw(seeds) if seeds else self.values})

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
    values = list(known.values.values())
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))

    def drawn(centre: float, seeds: Iterable[str]) -> dict[str, float]:
        return {seed: min(1.0, float(rng.normal(centre, sd))) for seed in seeds}

    said: Counter[str] = Counter()
    for _ in range(trials):
        row = known.model_copy(update={"values": drawn(mean, map(str, range(before)))})
        first = 0 if rerun else _FRESH
        again = Trained(row, {}, partial(drawn, mean + change))
        again.values = again.draw(map(str, range(first, first + now)))
        held = shipped().model_copy(update={"accuracy": [row], "speed": []})
        found = Found(held.device, held.data, [again.accuracy(())], [], set())
        (judged,) = check(held, found, gate, {}, again if rerun else None)
        said[judged.judged.verdict] += 1
        said[AGAIN] += judged.confirmed
    return said


@dataclass
class Jobs:
    """Measuring jobs of a changed phase, drawn from those of a baseline as often as the gate asks for one."""

    row: Speed
    pool: Sequence[float]
    throughput: float
    rng: np.random.Generator

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool]:
        """One more."""
        value = float(self.rng.choice(self.pool)) / self.throughput
        return self.row.model_copy(update={"values": [value]}), False

    def accuracy(self, key: tuple[str, ...], seeds: tuple[str, ...] = ()) -> Accuracy | None:
        """None is trained."""
        return None

    def exact(self, key: tuple[str, ...]) -> bool:
        """None is."""
        return False


def of_speed(
    jobs: int | None, throughput: float, rerun: bool = True, trials: int = TRIALS, only: Sequence[Speed] | None = None
) -> Counter[str]:
    """Verdicts on a phase whose throughput changed by a factor and whose jobs vary as the baseline's, and how often it asks again.

    Args:
        jobs: of a baseline that is drawn too, from what the jobs of all phases are apart from their medians; None holds against
            each phase as it ships in turn, and draws new jobs from its own.
        rerun: what one job leaves open is measured again.
        only: these phases instead of all.
    """
    rng, rows = np.random.default_rng(5), only or shipped().speed
    apart = [value / float(np.median(row.values)) for row in rows for value in row.values]
    said: Counter[str] = Counter()
    for trial in range(trials):
        row = rows[trial % len(rows)]
        pool = row.values if jobs is None else apart
        before = row if jobs is None else row.model_copy(update={"values": rng.choice(pool, jobs).tolist()})
        again = Jobs(before, pool, throughput, rng)
        now = Found("cpu", {}, [], [again.speed(())[0]], set())
        held = shipped().model_copy(update={"accuracy": [], "speed": [before]})
        (judged,) = check(held, now, Gate(), {}, again if rerun else None)
        said[judged.judged.verdict] += 1
        said[AGAIN] += judged.confirmed
    return said


def of_sessions(together: int, throughput: float) -> dict[str, Counter[str]]:
    """Verdicts on each benchmark, in every session that its baseline has, held against those that are left.

    Args:
        together: sessions that are held against the others: the first, and those that confirm it.
        throughput: a change of those, as a factor.
    """
    said: dict[str, Counter[str]] = {}
    for row in shipped("benchmarks").speed:
        for chosen in permutations(range(len(row.values)), together):
            left = [value for at, value in enumerate(row.values) if at not in chosen]
            first, *further = (
                Found("cpu", {}, [], [row.model_copy(update={"values": [row.values[at] / throughput]})], set())
                for at in chosen
            )
            held = shipped("benchmarks").model_copy(update={"speed": [row.model_copy(update={"values": left})]})
            (judged,) = check(held, first, Gate(), {}, Sessions(further) if further else None)
            said.setdefault(row.design, Counter())[judged.judged.verdict] += 1
    return said


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
    yield f"| baseline | now | no change | throughput -15 % | throughput +40 % | no change, {AGAIN} |"
    yield "|---|---|---:|---:|---:|---:|"
    for jobs in (5, 10, None):
        for rerun in (True, False):
            yield speed_line(jobs, rerun)
    yield ""
    yield f"| phase, as it ships | jobs | no change | throughput -15 % | throughput +40 % | {legend} of |"
    yield "|---|---:|---:|---:|---:|---:|"
    yield from map(phase_line, shipped().speed)
    yield ""
    yield f"| benchmarks: baseline | now | no change | throughput -15 % | throughput +40 % | {legend} of |"
    yield "|---|---|---:|---:|---:|---:|"
    yield from map(sessions_line, (1, 2, 3))


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


def speed_line(jobs: int | None, rerun: bool) -> str:
    """One line of the lower table."""
    found = [of_speed(jobs, throughput, rerun) for throughput in THROUGHPUTS]
    said = " | ".join(map(_counts, found))
    held = f"{jobs} jobs, drawn" if jobs else "as it ships"
    measured = f"1 to {1 + MOST_FURTHER} jobs" if rerun else "1 job, `--no-rerun`"
    return f"| {held} | {measured} | {said} | {found[0][AGAIN]} |"


def phase_line(row: Speed) -> str:
    """One line of the table by phase."""
    said = " | ".join(_counts(of_speed(None, change, trials=OF_A_PHASE, only=[row])) for change in THROUGHPUTS)
    batch = f" of {row.batch_size}" if row.phase == "inference" else ""
    return f"| {row.design}, {row.phase}{batch} | {len(row.values)} | {said} | {OF_A_PHASE} |"


def sessions_line(together: int) -> str:
    """One line of the lowest table."""
    found = [sum(of_sessions(together, throughput).values(), Counter()) for throughput in THROUGHPUTS]
    left = len(shipped("benchmarks").speed[0].values) - together
    said = " | ".join(map(_counts, found))
    return f"| {left} sessions | {together} of the others | {said} | {found[0].total()} |"


if __name__ == "__main__":
    for told in table():
        print(told)
