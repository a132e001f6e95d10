"""Where the threads of a measurement are: the latency between them, and the jobs that may be compared."""

import math
import signal

import numpy as np
import pytest
from pydantic import ValidationError

from vitalbench.compiled import missing
from vitalbench.config.schema import Protocol
from vitalbench.gate.again import speed_again
from vitalbench.gate.baseline import Speed
from vitalbench.gate.speed_verdict import Job, judge_speed, settles
from vitalbench.measure import core_to_core
from vitalbench.measure.bench import Bench
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.measure.core_to_core import core_to_core_ns
from vitalbench.measure.device import cpu_count
from vitalbench.measure.phases import Phase
from vitalbench.measure.placement import LEAST_NS, MOST_NS, over_reference, placements
from vitalbench.measure.repeats import repeat
from vitalbench.train.engine import prepare_torch

NEAR, FAR = 45.0, 210.0
compiled = pytest.mark.skipif(
    "vitalbench.measure.token_ring" in missing(), reason="no compiler made the ring of threads"
)
several = pytest.mark.skipif(cpu_count() < 2, reason="one processor has no other")


@compiled
@pytest.mark.skipif(cpu_count() < 2, reason="one processor has no other")
def test_a_cache_line_takes_nanoseconds_from_one_processor_to_the_next():
    looks = [core_to_core_ns(cpu_count()) for _ in range(5)]
    found = [latency for latency in looks if latency is not None]
    if not found:
        pytest.skip("others leave too little of the processors")
    assert all(LEAST_NS < latency <= MOST_NS for latency in found)


def test_of_one_thread_and_of_others_than_there_are_processors_there_is_none(monkeypatch):
    """Threads of which some processors have none may be placed anywhere, and not where those that work are."""
    monkeypatch.setattr(core_to_core, "_ring", lambda *_: pytest.fail("looked"))
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 4)
    assert [core_to_core_ns(threads) for threads in (1, 2, 3, 5)] == 4 * [None]
    monkeypatch.setattr(core_to_core, "_ring", None)  # no compiler
    assert core_to_core_ns(4) is None


@compiled
def test_a_ring_of_more_threads_than_it_holds_is_not_begun(monkeypatch):
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 5_000)
    assert core_to_core_ns(5_000) is None


@compiled
def test_a_look_ends_where_others_keep_the_threads_from_the_processors(monkeypatch):
    """Sixty-four threads of which two run at a time: each handover waits for its turn."""
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 64)
    watch = Stopwatch()
    found = core_to_core_ns(64)
    assert found is None or found <= MOST_NS
    assert watch.lap() < 5.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_during_a_look_comes_after_it(monkeypatch, number):
    """Within a call from C, ctypes would print what its handler raises, and go on."""

    class StruckError(Exception):
        pass

    def handler(_number, _frame):
        raise StruckError

    def ring(threads, rounds, bursts, ends):
        signal.raise_signal(number)
        rung.append(ends(1))

    rung, before = [], signal.signal(number, handler)
    monkeypatch.setattr(core_to_core, "_ring", ring)
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 2)
    try:
        with pytest.raises(StruckError):
            core_to_core_ns(2)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert rung == [False]


@pytest.mark.parametrize(("seconds", "latency"), [(2e-4, 100.0), (0.02, None)], ids=["a distance", "a wait"])
def test_what_takes_longer_than_any_cache_line_is_no_distance(monkeypatch, seconds, latency):
    now, bursts_asked = {"s": 0.0}, []

    def ring(threads, rounds, bursts, ends):
        assert threads * rounds == 2000
        ends(1)
        for _ in range(bursts):
            now["s"] += seconds
            bursts_asked.append(1)
            if ends(1):
                break

    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: now["s"])
    monkeypatch.setattr(core_to_core, "_ring", ring)
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 2)
    assert core_to_core_ns(2) == (None if latency is None else pytest.approx(latency))
    assert len(bursts_asked) == (2 if latency is None else 5)


def test_placements_are_told_apart_by_a_gap_and_not_by_where_they_lie():
    assert placements([NEAR, FAR, 31.0, 57.0, 235.0]).tolist() == [0, 1, 0, 0, 1]
    assert placements([430.0, 440.0]).tolist() == [0, 0]
    assert placements([57.0, 104.0, 190.0]).tolist() == [0, 0, 1]  # one between does not make all of them one
    assert placements([]).tolist() == []


def test_a_look_is_taken_every_tenth_of_a_second_and_each_repeat_is_told_what_was_seen_around_it(monkeypatch):
    now, seen = {"s": 0.0}, iter([NEAR, NEAR, FAR, None, FAR, FAR])
    looked = []

    def call() -> None:
        now["s"] += 0.06

    def look() -> float | None:
        looked.append(now["s"])
        now["s"] += 5.0  # is nobody's time
        return next(seen)

    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: now["s"])
    found = repeat(call, Protocol(warmup=1, repeats=9, seconds=0.1), nothing_to_wait_for, None, look)
    assert found.seconds == pytest.approx([0.06] * 9)
    assert len(looked) == 6  # before, after each second repeat, and at the end
    moved = unseen = None
    assert found.latencies == [NEAR, NEAR, moved, moved, unseen, unseen, unseen, unseen, FAR]


def test_a_phase_is_over_the_reference_as_in_most_of_its_repeats():
    seconds, latencies = [2.0] * 5 + [3.0] * 7, [NEAR] * 5 + [FAR] * 7
    row = Phase("inference", seconds, reference=[1.0] * 12, latencies=latencies).row()
    assert (row["to_reference"], row["core_to_core_ns"]) == (3.0, FAR)
    assert over_reference([2.0] * 7 + [3.0] * 5, [1.0] * 12, [NEAR] * 7 + [FAR] * 5) == (2.0, NEAR)
    assert over_reference([2.0, 2.0, 9.0], [1.0] * 3, [NEAR, NEAR, None]) == (2.0, NEAR)  # moved meanwhile
    assert over_reference([2.0, 3.0, 4.0], [1.0] * 3) == (3.0, None)
    assert over_reference([2.0, 3.0, 9.0], [1.0] * 3, [None, None, None]) == (3.0, None)
    # No placement is that of half of them.
    assert over_reference([2.0, 3.0, 9.0], [1.0] * 3, [None, None, FAR]) == (3.0, None)
    assert over_reference([2.0, 3.0, 9.0, 9.5, 9.6], [1.0] * 5, [NEAR, NEAR, FAR, FAR, None]) == (9.0, None)
    assert Phase("inference", seconds).row()["core_to_core_ns"] is None


@pytest.mark.parametrize("threads", [1, 2])
def test_a_measuring_job_looks_at_the_threads_of_its_target(configs, monkeypatch, threads):
    asked = []
    monkeypatch.setattr("vitalbench.measure.bench.core_to_core_ns", lambda threads: asked.append(threads) or NEAR)
    monkeypatch.setattr("vitalbench.measure.limits._LEAST_SECONDS", 0.001)
    target = configs.target("cpu").model_copy(update={"threads": threads})
    accelerator = prepare_torch(target, 0, "fp32")
    bench = Bench(accelerator, target, Protocol(repeats=3, seconds=0.001), "fp32", nothing_to_wait_for, alone=True)
    phase = bench.timed("train_step", lambda: None, 1, "crop", counted=False)
    assert set(asked) == {threads}
    assert phase.latencies == [NEAR] * len(phase.seconds)


def _jobs(rng: np.random.Generator, count: int, change: float = 1.0, seen: bool = True) -> list[Job]:
    """Jobs of which four in ten have their threads far from one another, and take three tenths longer."""
    far = rng.random(count) < 0.4
    ratios = np.exp(rng.normal(0, 0.02, count)) * np.where(far, 1.3, 1.0) * change
    latencies = np.where(far, FAR, NEAR) * np.exp(rng.normal(0, 0.1, count))
    return [Job(ratio, latency if seen else None) for ratio, latency in zip(ratios, latencies, strict=True)]


@pytest.mark.parametrize(("change", "verdict"), [(1.0, "pass"), (1 / 0.85, "fail"), (1 / 1.4, "fail")])
def test_jobs_of_two_placements_are_told_apart_and_so_is_a_change(change, verdict):
    rng, trials = np.random.default_rng(3), 400
    said = [judge_speed(_jobs(rng, 20), _jobs(rng, 8, change), 0.08).verdict for _ in range(trials)]
    assert said.count(verdict) >= trials * 0.99
    if change == 1 / 0.85:  # which is what looking at the threads is for
        blind = [judge_speed(_jobs(rng, 20, 1.0, False), _jobs(rng, 8, change, False), 0.08) for _ in range(trials)]
        assert [one.verdict for one in blind].count(verdict) < trials * 0.95


def test_the_interval_of_jobs_of_two_placements_holds_the_truth():
    rng, trials = np.random.default_rng(11), 600
    found = [judge_speed(_jobs(rng, 12), _jobs(rng, 6, 1.05), 0.08) for _ in range(trials)]
    held = sum(one.low <= 0.05 <= one.high for one in found)
    assert held >= trials * 0.95 - 3 * math.sqrt(trials * 0.95 * 0.05)


def test_a_job_whose_threads_were_where_none_of_the_baselines_were_has_no_verdict():
    before = [Job(10.0, 41.0), Job(10.1, 52.0), Job(9.9, 47.0)]
    said = judge_speed(before, [Job(13.0, FAR)], 0.08)
    assert (said.verdict, said.needed) == ("no-verdict", 1)
    assert "its threads were 210 ns from one another, those of the baseline's jobs 41-52 ns" in said.reason
    assert not settles(before, [Job(10.0, FAR)], judge_speed(before, [Job(10.0, FAR)], 0.08), 0.08)
    # One of each: the one that can be compared is.
    both = judge_speed(before, [Job(13.0, FAR), Job(10.05, 44.0)], 0.08)
    assert (both.verdict, both.difference) == ("pass", pytest.approx(0.005))


def test_jobs_that_did_not_see_their_threads_are_left_out_beside_those_that_did():
    old, now = [Job(10.0), Job(13.0, FAR), Job(10.1, NEAR)], [Job(10.0, FAR), Job(99.0)]
    assert judge_speed(old, now, 0.08) == judge_speed([Job(13.0, FAR), Job(10.1, NEAR)], [Job(10.0, FAR)], 0.08)
    # Of a baseline of which one of many saw them, all are compared.
    blind = [Job(10.0), Job(10.1), Job(9.9), Job(13.3, NEAR)]
    assert judge_speed(blind, [Job(10.0, NEAR)], 0.08).difference == pytest.approx(-0.005, abs=0.01)
    assert not settles(blind, [Job(13.3, NEAR)], judge_speed(blind, [Job(13.3, NEAR)], 0.08), 0.08)


def test_a_job_that_did_not_see_its_threads_is_held_against_each_placement():
    before = [Job(ratio, NEAR) for ratio in (10.0, 10.1, 9.9)] + [Job(ratio, FAR) for ratio in (13.0, 13.1, 12.9)]
    for now in (10.0, 13.0):
        said = judge_speed(before, [Job(now)], 0.08)
        assert (said.verdict, said.needed, said.difference) == ("no-verdict", 1, pytest.approx(0.0))
        assert "was not seen" in said.reason
    assert judge_speed(before, [Job(20.0)] * 3, 0.08).verdict == "fail"  # of either


def test_placements_of_opposite_mixes_count_by_the_certainty_they_add():
    """Nineteen near and one far against one near and seven far: 95 % of the intervals hold the truth."""
    rng, trials, held = np.random.default_rng(12), 2000, 0
    for _ in range(trials):
        drawn = np.exp(rng.normal(0, 0.03, 28))
        jobs = [Job(ratio, NEAR if at < 19 or at == 20 else FAR) for at, ratio in enumerate(drawn)]
        found = judge_speed(jobs[:20], jobs[20:], 0.08)
        held += found.low <= 0 <= found.high
    assert held >= trials * 0.95 - 2 * math.sqrt(trials * 0.95 * 0.05)


class _Then:
    """Further jobs, one after another."""

    def __init__(self, row, *jobs: Job) -> None:
        self._row, self._jobs = row, jobs

    def speed(self, key, further=1):
        return (self._row.of([self._jobs[further - 1]]), False) if further <= len(self._jobs) else None


@pytest.mark.parametrize("first", [True, False], ids=["the first", "a further one"])
def test_one_job_that_can_be_compared_among_many_confirms_no_failure(first):
    place = {"dataset": "d", "task": "t", "design": "a", "target": "cpu"}
    row = Speed(**place, phase="train_step", batch_size=64, reference="matmul", values=[1.0])
    before = row.of([Job(ratio, NEAR) for ratio in (10.0, 10.1, 9.9, 10.05, 9.95)])
    jobs = [Job(13.0, FAR)] * 7
    jobs.insert(0 if first else 3, Job(13.0, NEAR))
    said, count = speed_again(before, row.of(jobs[:1]), False, 0.08, _Then(row, *jobs[1:]))
    assert (said.verdict, said.needed, count) == ("no-verdict", 1, 8)
    assert said.reason.startswith("the threads of one job alone were placed as the baseline's were")
    # Two of them do.
    jobs[5] = Job(13.1, NEAR)
    assert speed_again(before, row.of(jobs[:1]), False, 0.08, _Then(row, *jobs[1:]))[0].verdict == "fail"


def test_one_comparable_job_beyond_half_of_the_tolerance_is_no_pass():
    place = {"dataset": "d", "task": "t", "design": "a", "target": "cpu"}
    row = Speed(**place, phase="train_step", batch_size=64, reference="matmul", values=[1.0])
    before = row.of([Job(ratio, NEAR) for ratio in (10.0, 10.1, 9.9, 10.05, 9.95)])
    said, count = speed_again(before, row.of([Job(10.7, NEAR)]), False, 0.08, _Then(row, *[Job(15.0, FAR)] * 7))
    assert (said.verdict, said.needed, count) == ("no-verdict", 1, 8)


def test_the_first_further_job_that_is_placed_as_the_baselines_may_settle_it():
    place = {"dataset": "d", "task": "t", "design": "a", "target": "cpu"}
    row = Speed(**place, phase="train_step", batch_size=64, reference="matmul", values=[1.0])
    before = row.of([Job(ratio, NEAR) for ratio in (10.0, 10.1, 9.9, 10.05, 9.95)])
    said, count = speed_again(
        before, row.of([Job(13.0, FAR)]), False, 0.08, _Then(row, Job(10.02, NEAR), Job(1.0, NEAR))
    )
    assert (said.verdict, count) == ("pass", 2)


@pytest.mark.parametrize("latency", [1e300, 0.001, -5.0])
def test_a_latency_that_no_cache_line_takes_is_refused(latency):
    place = {"dataset": "d", "task": "t", "design": "a", "target": "cpu", "phase": "train_step", "batch_size": 64}
    with pytest.raises(ValidationError, match="core_to_core_ns"):
        Speed(**place, reference="matmul", values=[10.0], core_to_core_ns=[latency])


def test_a_near_job_settles_where_the_baselines_near_jobs_lie_near():
    before = [
        Job(10.0, NEAR),
        Job(10.1, NEAR),
        Job(9.9, NEAR),
        Job(13.0, FAR),
        Job(13.1, FAR),
        Job(16.0, FAR),
        Job(11.0, FAR),
    ]
    for now, enough in ((Job(10.05, NEAR), True), (Job(13.05, FAR), False), (Job(10.7, NEAR), False)):
        assert settles(before, [now], judge_speed(before, [now], 0.08), 0.08) is enough
