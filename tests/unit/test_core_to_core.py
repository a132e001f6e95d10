"""Where the threads of a measurement are: the latency between them, and the jobs that may be compared."""

import math

import numpy as np
import pytest

from vitalbench.compiled import missing
from vitalbench.config.schema import Protocol
from vitalbench.gate.speed_verdict import Job, judge_speed, settles
from vitalbench.measure import core_to_core
from vitalbench.measure.bench import Bench
from vitalbench.measure.clock import nothing_to_wait_for
from vitalbench.measure.core_to_core import core_to_core_ns
from vitalbench.measure.device import cpu_count
from vitalbench.measure.phases import Phase
from vitalbench.measure.placement import over_reference, placements
from vitalbench.measure.repeats import repeat
from vitalbench.train.engine import prepare_torch

NEAR, FAR = 45.0, 210.0
compiled = pytest.mark.skipif(
    "vitalbench.measure.token_ring" in missing(), reason="no compiler made the ring of threads"
)
several = pytest.mark.skipif(cpu_count() < 2, reason="one processor has no other")


@compiled
@several
def test_a_cache_line_takes_nanoseconds_from_one_processor_to_the_next():
    found = [latency for _ in range(20) if (latency := core_to_core_ns(2)) is not None]
    assert found, "others leave too little of two processors"
    assert all(1 < latency <= core_to_core._MOST_NS for latency in found)


def test_of_one_thread_and_of_more_than_there_are_processors_there_is_none(monkeypatch):
    assert core_to_core_ns(1) is None
    assert core_to_core_ns(cpu_count() + 1) is None
    monkeypatch.setattr(core_to_core, "_ring", None)  # no compiler
    assert core_to_core_ns(2) is None


@compiled
def test_a_ring_of_more_threads_than_it_holds_is_not_begun(monkeypatch):
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 10_000)
    assert core_to_core_ns(5_000) is None


@pytest.mark.parametrize(("seconds", "latency"), [(2e-4, 100.0), (1.0, None)], ids=["a distance", "a wait"])
def test_what_takes_longer_than_any_cache_line_is_no_distance(monkeypatch, seconds, latency):
    now, asked = {"s": 0.0}, []

    def ring(threads, rounds, bursts, lap):
        asked.append(threads * rounds)
        lap()
        for _ in range(bursts):
            now["s"] += seconds
            lap()

    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: now["s"])
    monkeypatch.setattr(core_to_core, "_ring", ring)
    monkeypatch.setattr(core_to_core, "cpu_count", lambda: 2)
    assert core_to_core_ns(2) == (None if latency is None else pytest.approx(latency))
    assert asked == [2000] * (core_to_core._TRIES if latency is None else 1)


def test_placements_are_told_apart_by_a_gap_and_not_by_where_they_lie():
    assert placements([NEAR, FAR, 31.0, 57.0, 235.0]).tolist() == [0, 1, 0, 0, 1]
    assert placements([430.0, 440.0]).tolist() == [0, 0]
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
    moved = math.sqrt(NEAR * FAR)
    assert found.latencies == [NEAR, NEAR, moved, moved, FAR, FAR, FAR, FAR, FAR]


def test_a_phase_is_over_the_reference_as_in_most_of_its_repeats():
    seconds, latencies = [2.0] * 5 + [3.0] * 7, [NEAR] * 5 + [FAR] * 7
    row = Phase("inference", seconds, reference=[1.0] * 12, latencies=latencies).row()
    assert (row["to_reference"], row["core_to_core_ns"]) == (3.0, FAR)
    assert over_reference([2.0] * 7 + [3.0] * 5, [1.0] * 12, [NEAR] * 7 + [FAR] * 5) == (2.0, NEAR)
    # Moved from one to the other meanwhile: neither's.
    assert over_reference([2.0, 2.0, 9.0], [1.0] * 3, [NEAR, NEAR, math.sqrt(NEAR * FAR)]) == (2.0, NEAR)
    assert over_reference([2.0, 3.0, 4.0], [1.0] * 3) == (3.0, None)
    assert over_reference([2.0, 3.0, 9.0], [1.0] * 3, [None, None, None]) == (3.0, None)
    assert over_reference([2.0, 3.0, 9.0], [1.0] * 3, [NEAR, NEAR, None]) == (2.5, NEAR)
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


def test_where_a_job_did_not_see_its_threads_all_are_compared():
    old = [Job(10.0), Job(13.0, FAR), Job(10.1, NEAR)]
    assert judge_speed(old, [Job(10.0, FAR)], 0.08) == judge_speed(
        [job._replace(latency=None) for job in old], [Job(10.0)], 0.08
    )


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
