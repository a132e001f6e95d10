"""The regression gate: planted changes are caught, no change passes, and what cannot be told says what would decide it."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import ROOT, resolved
from tests.gate_outcomes import (
    CHECKS,
    MILAN,
    SAID,
    THROUGHPUTS,
    TURIN,
    WHOLE,
    accuracy_line,
    all_rows,
    of_accuracy,
    of_sessions,
    of_speed,
    placement_line,
    scores,
    sessions_lines,
    shipped,
    shipped_line,
    speed_line,
    table,
)
from tests.gate_outcomes import TRIALS as DRAWN
from tests.spinning import loops_of, spun
from vitalbench import cli
from vitalbench.cell_result import CellResult
from vitalbench.commands import baseline as baseline_command
from vitalbench.commands import check as check_command
from vitalbench.config.gate import Gate
from vitalbench.config.schema import Protocol
from vitalbench.config.strict import validated
from vitalbench.errors import ConfigError, GateError, InputError, Interrupted
from vitalbench.files import read_json, write_json
from vitalbench.gate import rerun
from vitalbench.gate.accuracy_verdict import judge_accuracy
from vitalbench.gate.again import MOST_FURTHER, DidNotTrainError
from vitalbench.gate.baseline import (
    Accuracy,
    Baseline,
    Change,
    Speed,
    key_of,
    path_of,
    read_baseline,
    slug,
    write_baseline,
)
from vitalbench.gate.benchmarks import BESIDE, FOREIGN, REFERENCE, found_in_benchmarks
from vitalbench.gate.check import check, not_judged
from vitalbench.gate.found import Found
from vitalbench.gate.speed_verdict import JOBS_VARY, Job, judge_speed, settles
from vitalbench.gate.told import annotations, as_json, line, summary, unjudged
from vitalbench.gate.update import updated
from vitalbench.measure.clock import nothing_to_wait_for
from vitalbench.measure.placement import over_reference
from vitalbench.measure.repeats import repeat
from vitalbench.results import Results, grouped

PLACE = {"dataset": "d", "task": "t", "design": "a", "target": "cpu"}
TASKS = {"t": {"primary": "auroc", "margin": 0.02}}
TRIALS = 20


def seeds(rng, mean: float, count: int, first: int = 0) -> dict[str, float]:
    """Scores 0.009 apart, which is no design's: what follows here is about the arithmetic alone."""
    return {str(first + seed): value for seed, value in enumerate(rng.normal(mean, 0.009, count))}


@pytest.mark.parametrize(("change", "verdict"), [(-0.03, "fail"), (0.03, "fail"), (0.0, "pass")])
def test_where_seeds_vary_as_the_baselines_an_accuracy_that_left_is_caught_by_24_a_side_and_no_change_passes(
    change, verdict
):
    assert of_accuracy("xresnet1d101", 24, 24, change)[verdict] >= DRAWN * 19 / 20


def test_ten_seeds_a_side_are_too_few_for_the_widest_design_and_two_against_ten_enough_for_the_narrowest():
    assert of_accuracy("xresnet1d101", 10, 10, 0.0)["pass"] < DRAWN * 19 / 20
    assert of_accuracy("s4d", 10, 2, -0.03)["fail"] >= DRAWN * 19 / 20
    assert of_accuracy("s4d", 10, 2, 0.0)["pass"] >= DRAWN * 19 / 20


def test_two_of_the_widest_designs_seeds_against_its_baseline_say_what_they_can_and_cannot_catch():
    known = accuracy({str(seed): value for seed, value in enumerate(scores("xresnet1d101")[:10])})
    now = accuracy({"100": np.mean(scores("xresnet1d101")) - 0.03, "101": np.mean(scores("xresnet1d101"))})
    (row,) = check(baseline([known]), found([now]), Gate(), TASKS)
    assert "the baseline's seeds, 10, are too few whatever is run now: it takes about" in line(row)
    assert row.judged.detectable > 0.03
    assert line(row).endswith(f"; a change of {row.judged.detectable:.4f} would be caught here four times in five")


def test_the_methods_tell_counts_that_are_drawn_and_not_typed():
    told = (ROOT / "docs/METHODS.md").read_text()
    assert accuracy_line("xresnet1d101", 24, 24) in told
    assert shipped_line("s4d") in told
    assert speed_line(5, True) in told
    assert all(placement_line(row) in told for row in shipped("speed").speed)
    assert "\n".join(sessions_lines(TURIN, 2)) in told


@pytest.mark.slow
def test_the_methods_whole_table_is_what_the_command_prints():
    assert "\n".join(table()) in (ROOT / "docs/METHODS.md").read_text()


def test_the_same_values_of_the_same_seeds_pass_whatever_their_spread():
    before = {"0": 0.7, "1": 0.9}
    assert judge_accuracy(before, dict(before), 0.01).verdict == "pass"
    assert judge_accuracy(before, {"0": 0.7, "1": 0.92}, 0.01).verdict != "pass"


@pytest.mark.parametrize("away", [0.0, 1e-7], ids=["to the last digit", "all but the last digits"])
@pytest.mark.parametrize(("change", "verdict"), [(0.0, "pass"), (-0.03, "fail"), (-0.3, "fail")])
def test_seeds_that_come_back_the_same_pass_nothing_for_those_that_the_baseline_does_not_have(away, change, verdict):
    rng, said = np.random.default_rng(12), Counter()
    for _ in range(200):
        before = seeds(rng, 0.8, 10)
        same = {seed: value + away * rng.normal() for seed, value in before.items()}
        said[judge_accuracy(before, same | seeds(rng, 0.8 + change, 10, first=100), 0.02).verdict] += 1
    assert said[verdict] >= 190, said


def test_one_new_seed_among_many_that_hardly_moved_is_not_averaged_away():
    before = seeds(np.random.default_rng(13), 0.8, 20)
    now = {seed: value + 1e-7 * int(seed) for seed, value in before.items()} | {"100": 0.7}
    assert judge_accuracy(before, now, 0.02).verdict == "fail"


def test_new_seeds_beside_the_same_are_told_apart_and_too_few_of_them_are_no_verdict():
    before = {"0": 0.8, "1": 0.81}
    found = judge_accuracy(before, before | {"2": 0.805}, 0.02)
    assert found.verdict == "no-verdict"
    assert found.reason.startswith("the same values for the same seeds; of the 1 that it does not have: neither within")
    assert judge_accuracy({"0": 0.8}, {"0": 0.8, "1": 0.1}, 0.02).verdict == "no-verdict"
    assert judge_accuracy(before, before | {"2": 0.1}, 0.02).verdict == "fail"


def test_the_interval_is_that_of_two_one_sided_tests():
    found = judge_accuracy({"0": 0.80, "1": 0.82}, {"2": 0.81, "3": 0.83}, 0.05)
    error = 2**0.5 * 0.01  # pooled: both pairs are 0.02 apart
    assert found.difference == pytest.approx(0.01)
    assert found.high - found.difference == pytest.approx(2.9199855803537256 * error)  # t of 2 degrees, 95 %
    assert found.verdict == "no-verdict"
    assert judge_accuracy({"0": 0.80, "1": 0.82}, {"2": 0.81, "3": 0.83}, found.high + 1e-9).verdict == "pass"


def test_two_seeds_that_both_fell_by_as_much_are_caught_in_pairs():
    before = {"0": 0.797, "1": 0.809}
    assert judge_accuracy(before, {"0": 0.767, "1": 0.7791}, 0.02).verdict == "fail"
    assert judge_accuracy(before, {"0": 0.7969, "1": 0.8092}, 0.02).verdict == "pass"


def test_other_draws_of_the_same_seeds_raise_no_more_alarms_than_they_may():
    rng = np.random.default_rng(3)
    said = [judge_accuracy(seeds(rng, 0.8, 5), seeds(rng, 0.8, 5), 0.001).verdict for _ in range(1000)]
    assert said.count("fail") <= 1000 * 0.05 + 3 * (1000 * 0.05) ** 0.5


def test_a_no_verdict_says_what_would_decide_it():
    rng = np.random.default_rng(0)
    found = judge_accuracy(seeds(rng, 0.80, 10), seeds(rng, 0.81, 2, first=50), 0.012)
    assert found.verdict == "no-verdict"
    assert found.detectable > 0.012
    assert "seeds" in found.reason
    one = judge_accuracy({"0": 0.8}, {"1": 0.8}, 0.01)
    assert (one.verdict, one.needed) == ("no-verdict", 2)


@pytest.fixture(scope="module")
def loops() -> int:
    return loops_of(0.5e-3)


def job(loops: int, change: float = 1.0) -> float:
    """A measuring job on the real clock: work whose time is changed by a factor, over the reference beside it."""
    protocol = Protocol(warmup=1, repeats=22, seconds=0.001)
    taken = repeat(spun(int(loops * change)), protocol, nothing_to_wait_for, spun(loops))
    return over_reference(taken.seconds, taken.beside)[0]


class Again:
    """Measures the planted work once more."""

    def __init__(self, loops: int, change: float) -> None:
        self.work = loops, change

    def speed(self, key, further=1):
        return speed([job(*self.work)]), False

    def accuracy(self, key, seed=None):
        return None

    def exact(self, key):
        return False


def speed(values: list[float]) -> Speed:
    return Speed(**PLACE, phase="train_step", batch_size=64, reference="matmul-fp32-512", values=values)


def of_ratios(before, now, tolerance: float, **more):
    """The verdict on jobs whose threads nobody looked at."""
    return judge_speed([Job(ratio) for ratio in before], [Job(ratio) for ratio in now], tolerance, **more)


def accuracy(values: dict[str, float]) -> Accuracy:
    return Accuracy(**PLACE, metric="auroc", values=values)


def baseline(accuracies: list[Accuracy] = (), speeds: list[Speed] = (), data: dict[str, str] | None = None) -> Baseline:
    change = Change(date="2026-01-01", reason="first")
    return Baseline(
        version=1,
        suite="s",
        device="cpu",
        data=data or {},
        accuracy=list(accuracies),
        speed=list(speeds),
        changes=[change],
    )


def found(accuracies: list[Accuracy] = (), speeds: list[Speed] = (), data: dict[str, str] | None = None) -> Found:
    return Found("cpu", data or {}, list(accuracies), list(speeds), set())


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    ("throughput", "verdict"), [(0.85, "fail"), (1.40, "fail"), (1.0, "pass")], ids=["-15 %", "+40 %", "no change"]
)
def test_a_throughput_that_left_to_either_side_is_caught_on_a_real_clock_and_no_change_passes(
    loops, throughput, verdict
):
    before = baseline(speeds=[speed([job(loops) for _ in range(10)])])
    change = 1 / throughput
    said = [
        check(before, found(speeds=[speed([job(loops, change)])]), Gate(), TASKS, Again(loops, change))[0]
        for _ in range(TRIALS)
    ]
    assert [row.judged.verdict for row in said].count(verdict) >= 19


def test_foreign_load_makes_no_failure():
    said = of_ratios([10.0, 10.1, 10.05], [14.0], 0.08, disturbed=True)
    assert (said.verdict, said.needed) == ("no-verdict", 1)
    assert said.reason.endswith("disturbed the measurement; one more measurement on an idle machine would decide")
    assert of_ratios([10.0, 10.1, 10.05], [14.0], 0.08).verdict == "fail"


def test_a_ratio_within_what_jobs_vary_is_measured_again_and_not_failed():
    wide = of_ratios([10.0, 13.0, 8.0, 11.0, 9.0], [12.0], 0.08)
    assert wide.verdict == "no-verdict"
    assert wide.needed > 1
    assert wide.detectable > 0.08


def test_a_failure_that_a_second_measurement_does_not_show_is_none():
    before = baseline(speeds=[speed([10.0, 10.1, 9.9, 10.05])])

    class Fine(Again):
        def speed(self, key, further=1):
            return speed([9.9 + 0.1 * further]), False

    (row,) = check(before, found(speeds=[speed([11.9])]), Gate(), TASKS, Fine(1, 1))
    assert (row.confirmed, row.now) == (True, 1 + MOST_FURTHER)
    assert row.judged.verdict == "pass"


class Drawn(Again):
    """Further jobs with the values and disturbances that are given."""

    def __init__(self, *jobs: tuple[float, bool]) -> None:
        self.jobs = jobs

    def speed(self, key, further=1):
        value, disturbed = self.jobs[further - 1]
        return speed([value]), disturbed


def measured(first: float, *further: tuple[float, bool], disturbed: bool = False):
    now = found(speeds=[speed([first])])
    now.disturbed.update({key_of(speed([first]))} if disturbed else ())
    (row,) = check(baseline(speeds=[speed([10.0, 10.1, 9.9, 10.05])]), now, Gate(), TASKS, Drawn(*further))
    return row.judged.verdict, row.now


def test_a_job_within_half_of_the_tolerance_passes_alone_and_one_beyond_it_is_measured_as_often_as_may_be():
    assert measured(10.2) == ("pass", 1)
    assert measured(10.6, *MOST_FURTHER * [(11.9, False)]) == ("fail", 1 + MOST_FURTHER)  # an odd job hid the change
    assert measured(11.9, *MOST_FURTHER * [(10.6, False)]) == ("pass", 1 + MOST_FURTHER)


def test_of_disturbed_jobs_none_counts_beside_one_that_was_not_and_one_of_those_is_no_confirmation():
    calm, busy = MOST_FURTHER * [(11.9, False)], MOST_FURTHER * [(14.0, True)]
    assert measured(14.0, *calm, disturbed=True) == ("fail", 1 + MOST_FURTHER)
    assert measured(14.0, (10.1, False), *calm, disturbed=True) == ("pass", 2)
    assert measured(11.9, *busy) == ("no-verdict", 1 + MOST_FURTHER)
    assert measured(14.0, *busy, disturbed=True) == ("no-verdict", 1 + MOST_FURTHER)


def test_each_further_job_of_a_design_runs_once_however_many_of_its_phases_ask(monkeypatch, tmp_path):
    step, other = speed([9.0]), speed([3.0]).model_copy(update={"batch_size": 8})
    results = SimpleNamespace(folder=tmp_path)
    monkeypatch.setattr(rerun, "measurements", lambda _: [("a run", tmp_path / "measure/d/t/a/cpu.json")])
    monkeypatch.setattr(rerun, "place_of", lambda _: ("d", "t", "a", "cpu"))
    ran = []
    monkeypatch.setattr(
        rerun.Rerun,
        "_measure",
        lambda _, name, run: ran.append(name) or {key_of(row): (row, False) for row in (step, other)},
    )
    again = rerun.Rerun(results, "cpu")
    for further in (1, 2, 3):
        assert again.speed(key_of(step), further) == (step, False)
        assert again.speed(key_of(other), further) == (other, False)
    assert ran == 3 * ["d/t/a/cpu"]
    assert again.speed(key_of(step.model_copy(update={"phase": "features"})), 1) is None
    assert again.speed(("d", "t", "other", "cpu")) is None


def test_a_place_is_trained_with_another_seed_on_each_fold_and_with_a_pre_training_of_its_own(project, monkeypatch):
    resolved(project, suite="frozen")
    results, trained = Results(project / "results/frozen"), []
    (results.folder / "splits").mkdir(exist_ok=True)

    def command(*arguments):
        again = Path(arguments[2])
        if arguments[0] == "train":
            assert arguments[4] in {run.cell.path for run in Results(again).cells}
            left = again / "runs" / arguments[4] / "status.json"
            left.parent.mkdir(parents=True)
            write_json(left, {"status": "measured", "reason": ""})
            trained.append(arguments[4].split("/")[2:])

    monkeypatch.setattr(rerun, "_command", command)
    monkeypatch.setattr(rerun, "device_here", lambda _: None)
    monkeypatch.setattr(rerun, "accuracy_of", lambda *_: [])
    monkeypatch.setattr(CellResult, "read", lambda *_: {"rows": []})
    monkeypatch.setattr(Results, "groups", property(lambda of: grouped(of.cells)))
    place = next(place for place in results.groups if place[2] == "s4-12x128-tuned")
    rerun.Rerun(results, "cpu").accuracy((*map(str, place), "auroc"), "77")
    start = results.design("s4-12x128-tuned").pretrained
    assert trained == [[start, "cpu", "seed77-fold0"], ["s4-12x128-tuned", "cpu", "seed77-fold0"]]


@pytest.mark.parametrize("seed", ["1" * 5000, "-1", "01"])
def test_a_seed_that_no_training_could_have_is_refused_where_the_baseline_is_read(tmp_path, seed):
    content = baseline([accuracy({"0": 0.8})], data={"d": "x"}).model_dump()
    content["accuracy"][0]["values"] = {seed: 0.8}
    (tmp_path / "b.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"key 'accuracy\.0\.values\.") as refused:
        read_baseline(tmp_path / "b.json")
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("ends", ["well", "badly", "elsewhere", "by a signal"])
def test_training_again_leaves_the_results_of_a_suite_of_whatever_name_as_they_are(project, monkeypatch, ends):
    resolved(project)
    folder = project / "results/quick"
    (folder / "splits").mkdir(exist_ok=True)
    kept = project / "results/quick.again/keep.txt"
    kept.parent.mkdir()
    kept.write_text("another suite's")
    before, seen = {path.name for path in folder.parent.iterdir()}, []

    def command(*arguments):
        seen.append(Path(arguments[2]))
        assert (seen[-1] / "config/suite.json").is_file()
        assert read_json(seen[-1] / "config/checkpoints.json")["backup"] is None
        assert read_json(seen[-1] / "config/watching.json")["trackers"] == []
        if ends == "by a signal":
            os.kill(os.getpid(), signal.SIGTERM)
        left = seen[-1] / "runs" / arguments[4] / "status.json"
        left.parent.mkdir(parents=True, exist_ok=True)
        write_json(left, {"status": "measured" if ends == "well" else "failed", "reason": "no"})

    monkeypatch.setattr(rerun, "_command", command)
    monkeypatch.setattr(rerun, "device_here", lambda _: "another" if ends == "elsewhere" else "cpu")
    monkeypatch.setattr(CellResult, "read", lambda *_: {"rows": []})
    monkeypatch.setattr(Results, "groups", property(lambda of: grouped(of.cells)))
    monkeypatch.setattr(rerun, "accuracy_of", lambda *_: [])
    results = Results(folder)
    place = next(iter(results.groups))
    refused = {
        "badly": pytest.raises(DidNotTrainError, match="is failed: no"),
        "elsewhere": pytest.raises(GateError, match="is of 'cpu', and run again"),
        "by a signal": pytest.raises(Interrupted, match="SIGTERM"),
    }
    with refused.get(ends, nullcontext()):
        rerun.Rerun(results, "cpu").accuracy((*map(str, place), "auroc"))
    assert bool(seen) == (ends != "elsewhere")  # which is seen before anything is trained
    assert {path.name for path in seen}.isdisjoint(before)
    assert kept.read_text() == "another suite's"
    assert {path.name for path in folder.parent.iterdir()} == before


@pytest.mark.parametrize("here", ["Xeon", "EPYC"])
def test_jobs_of_another_device_than_the_results_are_not_joined_with_theirs(monkeypatch, tmp_path, here):
    row, results = speed([9.0]), SimpleNamespace(folder=tmp_path)
    monkeypatch.setattr(rerun, "measurements", lambda _: [("a run", tmp_path / "measure/d/t/a/cpu.json")])
    monkeypatch.setattr(rerun, "place_of", lambda _: ("d", "t", "a", "cpu"))
    monkeypatch.setattr(rerun, "speeds_of", lambda *_: [(row, False)])
    monkeypatch.setattr(
        rerun, "_command", lambda *arguments: Path(arguments[-1]).write_text(json.dumps({"device_name": here}))
    )

    def refused():
        said = "is of 'Xeon', and run again here it is of 'EPYC'"
        return nullcontext() if here == "Xeon" else pytest.raises(GateError, match=said)

    now = Found("Xeon", {}, [], [row], set())
    with refused():
        assert baseline_command._measured_again(now, results, 2) == ""
        assert now.speed[0].values == [9.0, 9.0]
    with refused():
        assert rerun.Rerun(results, "Xeon").speed(key_of(row)) == (row, False)


@pytest.fixture
def checked(project, monkeypatch):
    """Check what was found in the default suite, whose measuring jobs and trainings cannot be run again; and how often one was."""
    resolved(project)
    monkeypatch.chdir(project)
    tried = []

    def command(*arguments):
        tried.append(arguments[0])
        raise InputError("the store is gone")

    monkeypatch.setattr(rerun, "_command", command)
    monkeypatch.setattr(rerun, "device_here", lambda _: "cpu")
    monkeypatch.setattr(rerun, "measurements", lambda _: [("a run", Path("results/quick/measure/d/t/a/cpu.json"))])
    monkeypatch.setattr(rerun, "place_of", lambda _: ("d", "t", "a", "cpu"))
    monkeypatch.setattr(check_command, "_ended", lambda _: None)

    def run(before: Baseline, now: Found) -> list[str]:
        monkeypatch.setattr(check_command, "found_in", lambda *_: now)
        write_baseline(Path("b.json"), before.model_copy(update={"suite": "quick"}))
        cli.run(["check", "--results", "results/quick", "--baseline", "b.json", "--json", "out.json"])
        return tried

    return run


def test_what_cannot_be_run_again_keeps_its_first_verdict_and_says_why(checked, capsys):
    values = {str(seed): 0.80 + 0.001 * seed for seed in range(5)}
    step, slow, near = (speed([9.0]).model_copy(update={"batch_size": size}) for size in (1, 8, 64))
    before = baseline([accuracy(values)], [step, slow, near], {"d": "x"})
    worse = accuracy({seed: value - 0.1 for seed, value in values.items()})
    off = [row.model_copy(update={"values": [value]}) for row, value in ((step, 14.0), (slow, 13.0), (near, 9.6))]
    with pytest.raises(GateError, match="1 pass, 0 no-verdict, 3 fail"):
        checked(before, found([worse], off, {"d": "x"}))
    told = json.loads(Path("out.json").read_text())
    assert told["verdict"] == "fail"
    assert [row["confirmed"] for row in told["rows"]] == 4 * [False]
    scored, *timed = (row["judged"]["reason"] for row in told["rows"])
    assert scored.startswith("differs from the baseline, and not within 0.02; not trained again: ")
    assert all(reason.endswith("; further job 1 did not run: the store is gone") for reason in timed)
    shown = capsys.readouterr().err
    assert shown.count("the store is gone") == len(timed)
    assert "not trained again: results/quick/splits: no such file or directory" in shown
    near_alone = baseline(speeds=[near])
    assert checked(near_alone, found(speeds=off[2:])) == 2 * ["measure"]  # once a check, whatever asks
    assert json.loads(Path("out.json").read_text())["verdict"] == "pass"


def test_jobs_before_one_that_cannot_be_run_are_judged_and_it_is_told():
    class Ends(Drawn):
        def speed(self, key, further=1):
            if further > len(self.jobs):
                raise InputError("no room")
            return super().speed(key, further)

    before, now = baseline(speeds=[speed([10.0, 10.1, 9.9, 10.05])]), found(speeds=[speed([11.9])])
    (row,) = check(before, now, Gate(), TASKS, Ends((11.9, False), (11.8, False)))
    assert (row.judged.verdict, row.now, row.confirmed) == ("fail", 3, True)
    assert row.judged.reason.endswith("; further job 3 did not run: no room")


def test_a_first_job_that_those_after_it_do_not_bear_out_is_no_failure():
    now, further = (
        found(speeds=[speed([11.5])]),
        [(value, False) for value in (10.7, 10.75, 10.77, 10.79, 10.85, 10.9, 10.91)],
    )
    before = baseline(speeds=[speed([10.0] * 20)])
    (row,) = check(before, now, Gate(), TASKS, Drawn(*further))
    assert row.judged.verdict == "no-verdict"
    assert row.judged.needed == 1
    assert row.judged.reason.endswith("not when it was measured again; one more measurement would decide")


def share(jobs: int | None, throughput: float, verdict: str, rerun: bool = True) -> float:
    """Of the verdicts on all phases of the default suite."""
    said = all_rows(of_speed(jobs, throughput, rerun))
    return said[verdict] / sum(said[name] for name in SAID)


@pytest.mark.parametrize(("throughput", "verdict"), [(0.85, "fail"), (1.4, "fail"), (1.0, "pass")])
def test_where_jobs_vary_as_the_baselines_a_throughput_that_left_is_caught_and_no_change_passes(throughput, verdict):
    assert share(None, throughput, verdict) >= 19 / 20
    assert share(10, throughput, verdict) >= 19 / 20
    assert share(5, throughput, verdict) >= 19 / 20


@pytest.mark.parametrize("jobs", [10, None], ids=["10 against the others", "as it ships"])
def test_it_holds_of_each_phase_of_the_baseline_and_of_whole_checks(jobs):
    for name in of_speed(jobs, 1.0):
        same, slower, faster = (of_speed(jobs, change)[name] for change in THROUGHPUTS)
        assert same["pass"] >= CHECKS * 19 / 20, name
        assert faster["fail"] >= CHECKS * 19 / 20, name
        assert slower["fail"] >= CHECKS * 19 / 20, name


def _settled(before: list[float], now: float) -> bool:
    jobs = [Job(ratio) for ratio in before]
    return settles(jobs, [Job(now)], of_ratios(before, [now], 0.08), 0.08)


def test_one_job_settles_nothing_where_those_of_the_baseline_lie_far_apart():
    near, apart = [10.0, 10.1, 9.9, 10.2], [10.0, 14.0, 9.9, 13.8]
    for before, enough in ((near, True), (apart, False)):
        assert _settled(before, float(np.median(before))) is enough
    assert not _settled(near, 10.7)


def test_one_job_alone_would_not_do():
    """It passes what did not change, and catches what did, both less often than nineteen times in twenty."""
    assert share(5, 1.0, "pass", rerun=False) < 0.9
    assert share(5, 0.85, "fail", rerun=False) < 0.9
    for jobs in (5, 10, None):
        assert share(jobs, 1.0, "pass", rerun=False) < share(jobs, 1.0, "pass")
        assert share(jobs, 0.85, "fail", rerun=False) <= share(jobs, 0.85, "fail")


@pytest.mark.parametrize("sd", [0.03, 0.058])
@pytest.mark.parametrize(("before", "now"), [(5, 4), (18, 1), (18, 6)])
def test_a_change_of_speed_that_is_said_to_be_detectable_is_found_four_times_in_five(before, now, sd):
    rng = np.random.default_rng(4)

    def drawn(count: int, change: float = 1.0) -> list[float]:
        return (10 * change * np.exp(rng.normal(0, sd, count))).tolist()

    # The middle of what many such jobs are told: the scale of a few is as likely too low as too high.
    told = float(np.median([of_ratios(drawn(before), drawn(now), 0.08).detectable for _ in range(300)]))
    said = [of_ratios(drawn(before), drawn(now, 1 + told), 0.08).verdict for _ in range(300)]
    assert said.count("fail") / 300 == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(("before", "now"), [(4, 1), (5, 6), (18, 6)])
def test_jobs_that_vary_as_they_are_taken_to_differ_from_themselves_no_more_often_than_they_may(before, now):
    rng, trials = np.random.default_rng(8), 600
    draws = [np.exp(rng.normal(0, JOBS_VARY, before + now)) for _ in range(trials)]
    failed = sum(of_ratios(jobs[:before], jobs[before:], 1e-9).verdict == "fail" for jobs in draws)
    assert failed <= trials * 0.05 + 3 * (trials * 0.05) ** 0.5


def test_an_odd_job_on_either_side_moves_neither_the_ratio_nor_what_jobs_are_seen_to_vary():
    calm = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02]
    still = of_ratios(calm, [9.98, 10.03, 10.01], 0.08)
    odd = of_ratios([*calm, 15.0], [9.98, 10.03, 10.01, 14.0], 0.08)
    assert odd.difference == pytest.approx(still.difference, abs=0.01)
    assert odd.high - odd.low < 1.2 * (still.high - still.low)


@pytest.mark.parametrize(("device", "together"), [(TURIN, 2), (TURIN, 3), (MILAN, 3)])
def test_of_the_benchmarks_sessions_few_fail_beside_the_others_and_changes_are_caught(device, together):
    same, slower, faster = (all_rows(of_sessions(device, together, change)) for change in THROUGHPUTS)
    rows = sum(same[name] for name in SAID)
    assert same["pass"] >= rows * 19 / 20
    assert same["fail"] <= rows / 50
    assert faster["fail"] >= rows * 19 / 20
    assert slower["fail"] >= rows * 19 / 20


@pytest.mark.parametrize("device", [TURIN, MILAN])
def test_of_as_many_sessions_as_the_workflow_times_against_all_of_the_baselines_15_per_cent_is_caught(device):
    same, slower, faster = (of_sessions(device, None, change) for change in THROUGHPUTS)
    rows = sum(all_rows(same)[name] for name in SAID)
    assert all_rows(same)["pass"] >= rows * 19 / 20
    assert all_rows(slower)["fail"] >= rows * 19 / 20
    assert all_rows(faster)["fail"] >= rows * 19 / 20
    assert same[WHOLE]["fail"] <= same[WHOLE].total() / 20


def test_jobs_that_would_tell_are_counted_with_the_baselines_as_they_are():
    said = of_ratios([10.0, 14.0, 8.0], [11.2], 0.08)
    assert said.needed is None
    assert "the baseline's jobs, 3, are too few" in said.reason
    told = of_ratios([10.0, 10.9, 9.2, 10.4, 9.6, 10.2], [11.1], 0.08)
    assert (told.verdict, told.needed) == ("no-verdict", 2)


def test_an_accuracy_that_does_not_fail_when_trained_again_is_no_failure():
    values = {str(seed): 0.80 + 0.001 * seed for seed in range(5)}
    worse = {seed: value - 0.1 for seed, value in values.items()}

    class Fine(Again):
        def accuracy(self, key, seed=None):
            return accuracy(values)

    (row,) = check(baseline([accuracy(values)]), found([accuracy(worse)]), Gate(), TASKS, Fine(1, 1))
    assert row.judged.verdict == "no-verdict"
    assert "trained again" in row.judged.reason
    (alone,) = check(baseline([accuracy(values)]), found([accuracy(worse)]), Gate(), TASKS)
    assert alone.judged.verdict == "fail"


def test_what_is_in_the_baseline_alone_fails_and_what_is_new_is_not_judged():
    rows = check(baseline([accuracy({"0": 0.8})], [speed([9.0])]), found(), Gate(), TASKS)
    assert [row.judged.verdict for row in rows] == ["fail", "fail"]
    assert check(baseline(), found([accuracy({"0": 0.8})], [speed([9.0])]), Gate(), TASKS) == []


def test_what_is_new_is_listed_in_one_line_and_is_the_nearest_of_what_is_gone(capsys):
    new = [
        accuracy({"0": 0.8}).model_copy(update={"design": "renamed-b"}),
        accuracy({"0": 0.1}).model_copy(update={"metric": "ece"}),
    ]
    old = baseline([accuracy({"0": 0.8}).model_copy(update={"design": "renamed-a"})], [speed([9.0])])
    now = found(new, [speed([9.0]), speed([9.0]).model_copy(update={"batch_size": 8})])
    rows = check(old, now, Gate(), TASKS)
    assert (
        rows[0].judged.reason == "in the baseline, and not in these results; nearest of what is new: d/t/renamed-b/cpu"
    )
    left = not_judged(old, now)
    assert left == ["d/t/renamed-b/cpu auroc", "d/t/a/cpu ece", "d/t/a/cpu train_step of 8"]
    assert as_json(rows, "b.json", "cpu", left)["not_judged"] == left
    assert annotations([], left) == [f"::notice title=vitalbench not judged::{unjudged(left)}"]
    assert unjudged(left) in summary(rows, left)
    assert "`vitalbench baseline update --add` takes it in" in unjudged(left)  # without --add the other seeds are lost
    assert "not judged" not in summary(rows)


def test_other_records_give_no_verdict_on_accuracy():
    rows = check(
        baseline([accuracy({"0": 0.8, "1": 0.81})], data={"d": "x"}),
        found([accuracy({"0": 0.5, "1": 0.51})], data={"d": "y"}),
        Gate(),
        TASKS,
    )
    assert [row.judged.verdict for row in rows] == ["no-verdict"]


def test_other_records_of_one_data_set_leave_the_others_gated_and_hide_nothing_that_is_gone():
    other = accuracy({"0": 0.8, "1": 0.81}).model_copy(update={"dataset": "e"})
    gone = accuracy({"0": 0.8}).model_copy(update={"design": "gone"})
    worse = {"0": 0.5, "1": 0.51}
    rows = check(
        baseline([accuracy({"0": 0.8, "1": 0.81}), other, gone], data={"d": "x", "e": "same"}),
        found([accuracy(worse), other.model_copy(update={"values": worse})], data={"d": "y", "e": "same"}),
        Gate(),
        TASKS,
    )
    assert [row.judged.verdict for row in rows] == ["no-verdict", "fail", "fail"]
    assert rows[2].judged.reason == "in the baseline, and not in these results"


def test_a_run_without_a_value_fails_though_others_have_one():
    before = baseline([accuracy({"0": 0.8, "1": 0.81})])
    now = found([accuracy({"0": 0.8})])
    now.gaps[key_of(accuracy({"0": 0.8}))] = ["seed1-fold0"]
    (row,) = check(before, now, Gate(), TASKS)
    assert (row.judged.verdict, row.judged.reason) == ("fail", "no value in seed1-fold0")


def test_what_the_gate_no_longer_names_is_told_and_not_dropped():
    old = accuracy({"0": 0.8}).model_copy(update={"metric": "ece"})
    (row,) = check(baseline([old]), found([old]), Gate(), TASKS)
    assert (row.judged.verdict, row.judged.reason) == (
        "no-verdict",
        "not gated: the suite's gate names no margin for it",
    )
    assert "not compared" in line(row)


def test_on_a_cpu_results_that_training_again_does_not_give_stay_failed():
    values = {str(seed): 0.80 + 0.001 * seed for seed in range(5)}

    class Fine(Again):
        def accuracy(self, key, seed=None):
            return accuracy(values)

        def exact(self, key):
            return True

    worse = {seed: value - 0.1 for seed, value in values.items()}
    (row,) = check(baseline([accuracy(values)]), found([accuracy(worse)]), Gate(), TASKS, Fine(1, 1))
    assert row.judged.verdict == "fail"
    assert "not what their code gives" in row.judged.reason


@pytest.fixture
def rng():
    return np.random.default_rng(3)


class Trains(Again):
    """Trains further seeds of changed code; what was found comes back, or does not."""

    def __init__(self, now, further, exact=True, back=None):
        self.own, self.further, self.same, self.asked = back or now, further, exact, []

    def accuracy(self, key, seed=None):
        self.asked.append(seed)
        if seed is None:
            return accuracy(self.own)
        if isinstance(self.further.get(seed), InputError):
            raise self.further[seed]
        return accuracy({seed: self.further[seed]})

    def exact(self, key):
        return self.same


def judged_further(known, now, again, gate=None):
    (row,) = check(baseline([accuracy(known)]), found([accuracy(now)]), gate or Gate(), TASKS, again)
    return row


@pytest.mark.parametrize(("change", "verdict"), [(0.0, "pass"), (-0.03, "fail"), (0.03, "fail")])
def test_what_two_seeds_leave_open_the_other_seeds_of_the_baseline_settle(rng, change, verdict):
    known = seeds(rng, 0.8, 24)
    later = seeds(rng, 0.8 + change, 24)
    now = {seed: later[seed] for seed in ("0", "1")} | {"1": later["0"] + 0.01}
    again = Trains(now, later)
    assert check(baseline([accuracy(known)]), found([accuracy(now)]), Gate(), TASKS)[0].judged.verdict != "pass"
    row = judged_further(known, now, again)
    assert (row.judged.verdict, row.now, row.confirmed) == (verdict, 24, True)
    assert [seed for seed in again.asked if seed] == [str(seed) for seed in range(2, 24)]
    assert "22 further seeds trained" in line(row)
    assert (None in again.asked) == ("trained again" in line(row)) >= (verdict == "fail")  # no failure without


def test_further_seeds_are_no_more_than_the_suite_says_and_none_where_they_would_say_nothing(rng):
    known = seeds(rng, 0.8, 10)
    now = {"0": 0.81, "1": 0.82}
    again = Trains(now, known)
    assert judged_further(known, now, again, Gate(further_seeds=3)).now == 5
    assert [seed for seed in again.asked if seed] == ["2", "3", "4"]
    none = Trains(now, known)
    assert judged_further(known, now, none, Gate(further_seeds=0)).now == 2
    assert not any(none.asked)
    same = Trains({}, known)
    row = judged_further(known, {"0": known["0"], "77": 0.8}, same)
    assert (row.now, row.confirmed, same.asked) == (2, False, [])  # the code is the same: so would the other seeds be


def test_a_first_look_that_fails_is_no_failure_where_all_seeds_lie_within(rng):
    known = {str(seed): 0.8 + 0.001 * (seed % 3) for seed in range(12)}
    now = {"0": 0.83, "1": 0.8305}
    again = Trains(now, known)
    assert check(baseline([accuracy(known)]), found([accuracy(now)]), Gate(), TASKS)[0].judged.verdict == "fail"
    row = judged_further(known, now, again)
    assert (row.judged.verdict, row.now) == ("pass", 12)
    gone = judged_further(known, now, Trains(now, known | {"4": InputError("the store is gone")}))
    assert gone.now == 4  # those before it count
    assert gone.judged.reason.endswith("; seed 4 and those after it were not trained: the store is gone")


def test_a_seed_of_the_baseline_that_no_longer_trains_is_a_failure():
    known = {str(seed): 0.8 + 0.001 * (seed % 3) for seed in range(12)}
    now = {"0": 0.83, "1": 0.8}
    row = judged_further(
        known, now, Trains(now, known | {"4": DidNotTrainError("d/t/a is failed: loss is not finite")})
    )
    assert (row.judged.verdict, row.confirmed) == ("fail", True)
    assert row.judged.reason == "the baseline's seeds no longer train: d/t/a is failed: loss is not finite"


def test_on_a_cpu_a_value_that_does_not_come_back_fails_however_little_it_differs():
    known = {str(seed): 0.8 + 0.001 * (seed % 3) for seed in range(5)}
    now = {"0": 0.83, "1": 0.8}
    row = judged_further(known, now, Trains(now, known, back={"0": 0.8295, "1": 0.8}))
    assert row.judged.verdict == "fail"
    assert "not what their code gives" in row.judged.reason


def test_on_a_gpu_a_failure_of_all_seeds_stays_one_only_if_both_trainings_fail(rng):
    known, worse = seeds(rng, 0.8, 12), seeds(rng, 0.7, 12)
    now = {seed: worse[seed] for seed in ("0", "1", "2")}
    assert judged_further(known, now, Trains(now, worse, exact=False)).judged.verdict == "fail"
    fine = {seed: known[seed] + 0.001 for seed in now}
    row = judged_further(known, now, Trains(now, known, exact=False, back=fine))
    assert row.judged.verdict != "fail"


def test_on_a_cpu_one_altered_score_among_two_seeds_is_trained_again():
    values = {"0": 0.80, "1": 0.81}

    class Known(Again):
        def __init__(self, known, exact=True):
            self.known, self.same = known, exact

        def accuracy(self, key, seed=None):
            return accuracy(self.known)

        def exact(self, key):
            return self.same

    def judged(now, known, exact=True):
        (row,) = check(baseline([accuracy(values)]), found([accuracy(now)]), Gate(), TASKS, Known(known, exact))
        return row.judged.verdict, row.confirmed

    altered = {"0": 0.80, "1": 0.99}
    assert judged(altered, values) == ("fail", True)
    assert judged(altered, altered) == ("no-verdict", True)  # other code gives that
    assert judged(altered, values, exact=False) == ("no-verdict", False)
    little = {"0": 0.80, "1": 0.815}
    assert judged(little, values)[1] is False
    new = values | {"2": 0.70}
    assert judged(new, values | {"2": 0.79}) == ("fail", True)
    assert judged(new, new) == ("no-verdict", True)
    assert judged(values | {"2": 0.82}, values) == ("no-verdict", False)


@pytest.mark.parametrize("margins", [{"metrics": {"auroc": 5.0}}, {"speed": 1e9}, {"metrics": {"auroc": 0.0}}])
def test_a_margin_that_lets_anything_pass_is_refused(margins):
    with pytest.raises(ConfigError, match=r"less than 1|greater than 0"):
        validated(Gate, margins, "suite")


def test_the_same_measuring_job_is_not_added_twice():
    first = updated(None, found(speeds=[speed([9.0])]), "s", "first", "2026-01-01", add=False).baseline
    with pytest.raises(InputError, match="nothing in these results that it does not have; nothing is written"):
        updated(first, found(speeds=[speed([9.0])]), "s", "again", "2026-01-02", add=True)
    wider = updated(first, found(speeds=[speed([9.0, 9.1])]), "s", "again", "2026-01-02", add=True).baseline
    assert wider.speed[0].values == [9.0, 9.1]


def test_jobs_are_added_with_where_their_threads_were(tmp_path):
    placed = speed([9.0]).model_copy(update={"core_to_core_ns": [45.0]})
    first = updated(None, found(speeds=[placed]), "s", "first", "2026-01-01", add=False).baseline
    more = speed([9.0, 9.2]).model_copy(update={"core_to_core_ns": [45.0, 210.0]})
    wider = updated(first, found(speeds=[more]), "s", "again", "2026-01-02", add=True).baseline
    assert wider.speed[0].jobs == [Job(9.0, 45.0), Job(9.2, 210.0)]
    write_baseline(tmp_path / "b.json", wider)
    assert read_baseline(tmp_path / "b.json") == wider
    blind = updated(wider, found(speeds=[speed([9.1])]), "s", "once more", "2026-01-03", add=True).baseline
    assert blind.speed[0].jobs[-1] == Job(9.1, None)
    old = updated(None, found(speeds=[speed([9.0])]), "s", "first", "2026-01-01", add=False).baseline
    assert updated(old, found(speeds=[more]), "s", "x", "2026-01-02", add=True).baseline.speed[0].jobs == [
        Job(9.0, None),
        Job(9.2, 210.0),
    ]


@pytest.mark.parametrize(
    ("latencies", "said"), [([45.0], "of 1 jobs, and values of 2"), ([45.0, -1.0], "greater than or equal to 1")]
)
def test_a_baseline_whose_jobs_and_latencies_do_not_go_together_is_refused(tmp_path, latencies, said):
    told = baseline(speeds=[speed([9.0, 9.1])]).model_dump()
    told["speed"][0]["core_to_core_ns"] = latencies
    (tmp_path / "b.json").write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=said):
        read_baseline(tmp_path / "b.json")


def test_an_update_that_would_be_refused_measures_nothing(monkeypatch, tmp_path):
    results = SimpleNamespace(suite={"suite": "s", "gate": {}})
    monkeypatch.setattr(baseline_command, "Results", lambda _folder: results)
    monkeypatch.setattr(baseline_command, "problems", lambda _results: [])
    monkeypatch.setattr(baseline_command, "found_in", lambda *_: found(speeds=[speed([9.0])]))
    asked, path = [], tmp_path / "b.json"

    class Measures:
        def __init__(self, *_given) -> None:
            pass

        def speed(self, key, further):
            asked.append(further)
            if further == 3:
                raise InputError("no room")
            return speed([9.0 + further / 10]), False

    monkeypatch.setattr(baseline_command, "Rerun", Measures)
    arguments = ["baseline", "update", "--results", "r", "--reason", "x", "--baseline", str(path), "--jobs", "5"]
    with pytest.raises(InputError, match=r"of s of 'cpu' \(.*b\.json\): there is none to add to; leave out --add"):
        cli.run([*arguments, "--add"])
    assert (asked, path.exists()) == ([], False)
    # And what was measured until one no longer ran is kept.
    with pytest.raises(
        InputError, match=r"further job 3 of 4 did not run: no room; what was measured before is in .*b\.json"
    ):
        cli.run(arguments)
    assert asked == [1, 2, 3]
    assert read_baseline(path).speed[0].values == [9.0, 9.1, 9.2]


def test_a_seed_that_is_there_with_another_value_is_not_written_over_by_adding():
    first = updated(None, found([accuracy({"0": 0.8})]), "s", "first", "2026-01-01", add=False).baseline
    with pytest.raises(InputError, match="seed 0 is in it with another value"):
        updated(first, found([accuracy({"0": 0.4, "1": 0.8})]), "s", "more", "2026-01-02", add=True)


def test_of_results_with_a_gap_no_baseline_is_written():
    now = found([accuracy({"0": 0.8})])
    now.gaps["d", "t", "a", "cpu", "auroc"] = ["seed1-fold0"]
    with pytest.raises(InputError, match="d/t/a/cpu/auroc has no value in seed1-fold0"):
        updated(None, now, "s", "first", "2026-01-01", add=False)


def test_without_its_records_nothing_passes():
    before = baseline([accuracy({"0": 0.8})], data={"d": "x"})
    (row,) = check(before, found([accuracy({"0": 0.8})]), Gate(), TASKS)
    assert (row.judged.verdict, row.judged.reason) == ("fail", "its records are not beside these results")


def test_fewer_seeds_than_the_baselines_are_told():
    assert judge_accuracy({"0": 0.8, "1": 0.9}, {"0": 0.8}, 0.02).reason.endswith("1 of the baseline's 2")


def test_a_row_that_a_baseline_lists_twice_is_refused(tmp_path):
    path = tmp_path / "b.json"
    path.write_text(json.dumps(baseline([accuracy({"0": 0.8})] * 2).model_dump()))
    with pytest.raises(InputError, match="listed twice"):
        read_baseline(path)


def test_benchmarks_are_of_the_processor_that_their_file_names_and_of_one_name_each(tmp_path):
    path = tmp_path / "a.json"
    written(path, **{REFERENCE: 0.002, "test_reading": 0.01})
    assert found_in_benchmarks(path).device == "A CPU"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({"benchmarks": told["benchmarks"]}))
    with pytest.raises(InputError, match=r"machine_info\.cpu\.brand_raw"):
        found_in_benchmarks(path)
    path.write_text(json.dumps(told | {"machine_info": {"cpu": {"brand_raw": "Another CPU"}}}))
    assert found_in_benchmarks(path).device == "Another CPU"
    path.write_text(json.dumps(told | {"machine_info": {"cpu": {"brand_raw": "A CPU", "family": 6, "model": 85}}}))
    assert found_in_benchmarks(path).device == "A CPU (family 6, model 85)"
    path.write_text(json.dumps({"benchmarks": [*told["benchmarks"], told["benchmarks"][1]]}))
    with pytest.raises(InputError, match="two benchmarks are named 'test_reading'"):
        found_in_benchmarks(path)


def test_where_the_baseline_has_too_few_seeds_it_says_how_many_would_do():
    said = judge_accuracy({"0": 0.80, "1": 0.82}, {"2": 0.79, "3": 0.81}, 0.011)
    assert said.verdict == "no-verdict"
    assert "on each side" in said.reason


def test_a_margin_is_the_suites_or_the_tasks_own_and_other_metrics_are_not_gated():
    gate = Gate(metrics={"ece": 0.05})
    assert gate.margin("ece", TASKS["t"]) == 0.05
    assert gate.margin("auroc", TASKS["t"]) == 0.02
    assert gate.margin("fmax", TASKS["t"]) is None


def test_a_baseline_is_widened_or_written_anew_and_keeps_its_reasons():
    first = updated(None, found([accuracy({"0": 0.8})], [speed([9.0])]), "s", "first", "2026-01-01", add=False).baseline
    wider = updated(
        first, found([accuracy({"1": 0.81})], [speed([9.2])]), "s", "seeds", "2026-01-02", add=True
    ).baseline
    assert wider.accuracy[0].values == {"0": 0.8, "1": 0.81}
    assert wider.speed[0].values == [9.0, 9.2]
    assert [change.reason for change in wider.changes] == ["first", "seeds"]
    anew = updated(wider, found([accuracy({"5": 0.9})]), "s", "another model", "2026-01-03", add=False).baseline
    assert anew.accuracy[0].values == {"5": 0.9}
    assert anew.speed == []
    with pytest.raises(InputError, match="its records of d are others"):
        updated(first, found(data={"d": "other"}), "s", "x", "2026-01-04", add=True)
    known = found([accuracy({"0": 0.8})], data={"d": "its own"})
    first = updated(None, known, "s", "first", "2026-01-01", add=False).baseline
    with pytest.raises(InputError, match="its records of d are others"):  # of which nothing is known now
        updated(first, found([accuracy({"1": 0.8})]), "s", "x", "2026-01-04", add=True)
    with pytest.raises(InputError, match="there is none to add to"):
        updated(None, found(), "s", "x", "2026-01-04", add=True)


def test_a_baseline_is_widened_by_a_further_data_set_and_keeps_the_records_of_one_that_is_not_here():
    first = updated(None, found([accuracy({"0": 0.8})]), "s", "first", "2026-01-01", add=False).baseline
    other = accuracy({"0": 0.7}).model_copy(update={"dataset": "e"})
    both = updated(first, found([other], data={"e": "its own"}), "s", "more", "2026-01-02", add=True).baseline
    assert both.data == {**first.data, "e": "its own"}
    assert [row.dataset for row in both.accuracy] == ["d", "e"]
    pruned = updated(
        first, found([other], data={"e": "its own"}), "s", "x", "2026-01-02", add=True, prune=True
    ).baseline
    assert pruned.data == {"e": "its own"}


def test_a_disturbed_phase_is_not_written():
    row = speed([9.0])
    disturbed = Found("cpu", {}, [accuracy({"0": 0.8})], [row], {key_of(row)})
    first = updated(None, disturbed, "s", "first", "2026-01-01", add=False)
    assert first.baseline.speed == []
    assert first.left_out == ["d/t/a/cpu/train_step/64/matmul-fp32-512"]
    with pytest.raises(InputError, match="nothing to write"):
        updated(None, Found("cpu", {}, [], [row], {key_of(row)}), "s", "first", "2026-01-01", add=False)


@pytest.mark.parametrize("add", [False, True])
def test_of_a_disturbed_phase_the_old_row_stays_and_that_is_said(add):
    row, other = speed([9.0]), speed([3.0]).model_copy(update={"phase": "inference"})
    before = baseline([accuracy({"0": 0.8})], [speed([8.0, 8.1])])
    now = Found("cpu", {}, [accuracy({"0": 0.8})], [row, other], {key_of(row)})
    after = updated(before, now, "s", "again", "2026-01-02", add=add)
    assert {one.phase: one.values for one in after.baseline.speed} == {"train_step": [8.0, 8.1], "inference": [3.0]}
    assert after.disturbed == ["d/t/a/cpu/train_step/64/matmul-fp32-512"]
    alone = Found("cpu", {}, [accuracy({"0": 0.8})], [row], {key_of(row)})
    with pytest.raises(InputError, match="foreign work disturbed 1 phases; nothing is written"):
        updated(before, alone, "s", "again", "2026-01-02", add=add)


def test_what_is_gone_stays_with_add_is_pruned_when_asked_and_goes_without_and_each_is_told():
    dead = accuracy({"0": 0.8}).model_copy(update={"design": "dead"})
    before = baseline([accuracy({"0": 0.8}), dead], [speed([9.0])])
    now = found([accuracy({"1": 0.81})], [speed([9.1])])

    def designs(**how):
        after = updated(before, now, "s", "again", "2026-01-02", **how)
        return [row.design for row in after.baseline.accuracy], after.gone, after.gone_stay

    assert designs(add=True) == (["a", "dead"], ["d/t/dead/cpu/auroc"], True)
    assert designs(add=True, prune=True) == (["a"], ["d/t/dead/cpu/auroc"], False)
    assert designs(add=False) == (["a"], ["d/t/dead/cpu/auroc"], False)


@pytest.mark.parametrize(("suite", "device"), [("other", "cpu"), ("s", "another cpu")])
def test_a_baseline_of_another_suite_or_device_is_not_written_over(suite, device):
    first = updated(None, found(speeds=[speed([9.0])]), "s", "first", "2026-01-01", add=False).baseline
    now = Found(device, {}, [], [speed([9.0])], set())
    for add in (False, True):
        with pytest.raises(InputError, match="name another --baseline"):
            updated(first, now, suite, "x", "2026-01-02", add=add)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_baseline_of_no_number_is_refused_and_passes_nothing(tmp_path, value):
    path = tmp_path / "b.json"
    for rows in ({"accuracy": [accuracy({"0": 0.8}).model_dump()]}, {"speed": [speed([9.0]).model_dump()]}):
        content = baseline().model_dump() | rows
        for row in (*content["accuracy"], *content["speed"]):
            row["values"] = {"0": value} if "metric" in row else [value]
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match="values"):
            read_baseline(path)


def test_a_baseline_that_holds_nothing_is_refused(tmp_path):
    path = tmp_path / "b.json"
    path.write_text(json.dumps(baseline().model_dump()))
    with pytest.raises(InputError, match="both empty"):
        read_baseline(path)


def test_speeds_beyond_all_measure_get_a_verdict():
    assert of_ratios([1e-300], [1e300], 0.08).verdict == "fail"
    assert of_ratios([1e300], [1e-300], 0.08).verdict == "fail"


def test_more_seeds_than_there_are_would_settle_what_these_did_not():
    rng = np.random.default_rng(11)
    said = [judge_accuracy(seeds(rng, 0.80, 10), seeds(rng, 0.808, 6, first=50), 0.012) for _ in range(200)]
    open_ones = [one for one in said if one.verdict == "no-verdict"]
    assert open_ones
    assert all(one.needed is None or one.needed > 6 for one in open_ones)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 9}, "version 9; allowed: 1"),
        ({"speed": [{"dataset": "d"}]}, "speed"),
        ({"acuracy": []}, "nearest: accuracy"),
        ({"changes": []}, "changes"),
        ({"changes": [{"date": "yesterday", "reason": "x"}]}, "changes.0.date' is 'yesterday': must be a day"),
        (
            {"accuracy": [accuracy({"3": 0.5}).model_dump() | {"values": {"3": 1.7}}]},
            "auroc of seed 3 is 1.7; allowed: 0 to 1",
        ),
        (
            {"accuracy": [accuracy({"3": 0.5}).model_dump() | {"values": {"3": -3.0}}]},
            "auroc of seed 3 is -3; allowed: 0 to 1",
        ),
        (
            {"accuracy": [accuracy({"3": 0.5}).model_dump() | {"metric": "kl", "values": {"3": -0.1}}]},
            "allowed: 0 to inf",
        ),
        (
            {"accuracy": [accuracy({"3": 0.5}).model_dump() | {"metric": "aurocc"}]},
            "'aurocc' is not known; .*nearest: auroc",
        ),
    ],
)
def test_a_damaged_baseline_is_told_in_one_line(tmp_path, change, said):
    path = tmp_path / "b.json"
    path.write_text(json.dumps(baseline().model_dump() | change))
    with pytest.raises((InputError, ConfigError), match=said) as refused:
        read_baseline(path)
    assert "b.json" in str(refused.value)
    assert "\n" not in str(refused.value)


HOSTILE = ("x\n::error title=evil::injected", "\x1b[2Jx", "x\rpass", "x\u2028y")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_that_could_pass_for_another_line_is_refused_wherever_it_is_read(tmp_path, text, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "b.json"
    fine = baseline([accuracy({"0": 0.8})], [speed([9.0])], {"d": "x"}).model_dump()
    for kind, keys in (("accuracy", ("dataset", "task", "design", "target")), ("speed", ("phase", "reference"))):
        for key in keys:
            path.write_text(json.dumps(fine | {kind: [fine[kind][0] | {key: text}]}))
            with pytest.raises(ConfigError, match=rf"'{kind}\.0\.{key}' is .*printable text in one line"):
                read_baseline(path)
    changes = [{"date": "2026-01-01", "reason": text}]
    for change in ({"suite": text}, {"device": text}, {"data": {text: "x"}}, {"changes": changes}, {text: 1}):
        path.write_text(json.dumps(fine | change))
        with pytest.raises(ConfigError) as refused:
            read_baseline(path)
        assert str(refused.value).isprintable()
    path.write_text(json.dumps(fine | {"changes": [{"date": "2026-01-01", "reason": "  "}]}))
    with pytest.raises(ConfigError, match=r"'changes\.0\.reason' is '  ': is blank"):
        read_baseline(path)
    same = written(path, **{REFERENCE: 0.002, "test_reading": 0.01})
    with pytest.raises(InputError, match="--reason is not printable text in one line"):
        cli.run(["baseline", "update", "--benchmarks", same, "--reason", text])
    for cpu in ({"brand_raw": text}, {"brand_raw": "A CPU", "family": text, "model": 1}):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"machine_info": {"cpu": cpu}}))
        with pytest.raises(InputError, match=r"machine_info\.cpu.*(printable text in one line|a whole number)"):
            cli.run(["check", "--benchmarks", same])
    assert "::error" not in capsys.readouterr().err


def test_an_error_is_one_line_whatever_it_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vitalbench", "check", "--benchmarks", "x\n::error::injected"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: x\\n::error::injected: no such file\n"


def test_a_baseline_says_its_version_and_a_metric_without_an_upper_end_has_none(tmp_path):
    path = tmp_path / "b.json"
    content = baseline([Accuracy(**PLACE, metric="kl", values={"3": 7.5})], data={"d": "x"}).model_dump()
    path.write_text(json.dumps(content))
    assert read_baseline(path).accuracy[0].values == {"3": 7.5}
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "version"}))
    with pytest.raises(ConfigError, match="key 'version' is missing"):
        read_baseline(path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"speeds": [speed([1e-200, 1e200])]}, "d/t/a/cpu/train_step/64/matmul-fp32-512: 1e-200 times the reference"),
        ({"speeds": [speed([1.0, 1e200])]}, r"1e\+200 times the reference operation; allowed: 1e-07 to 1e\+07"),
        ({"speeds": [speed([1.0, 9.0, 1.1])]}, "train_step/64/matmul-fp32-512: jobs lie 9 times apart; allowed: 5"),
        ({"accuracies": [accuracy({"100": 0.0, "101": 1.0})]}, "d/t/a/cpu/auroc: seeds lie 1 apart; allowed: 0.5"),
        ({"accuracies": [accuracy({"0": 0.8})], "data": {"e": "x"}}, "key 'data' names no records of d, which"),
    ],
)
def test_a_baseline_that_would_let_anything_pass_is_neither_read_nor_written(tmp_path, rows, said):
    path = tmp_path / "b.json"
    wide = baseline(**{"data": {"d": "x"}} | rows)
    with pytest.raises(InputError, match=rf"b\.json: .*{said}"):
        write_baseline(path, wide)
    assert not path.exists()
    path.write_text(json.dumps(wide.model_dump()))
    with pytest.raises(InputError, match=rf"b\.json: .*{said}"):
        read_baseline(path)


def test_of_one_seed_and_one_key_a_baseline_has_one_value_and_of_its_days_none_is_far_ahead(tmp_path):
    path = tmp_path / "b.json"
    text = json.dumps(baseline([accuracy({"0": 0.8})], data={"d": "x"}).model_dump())
    for change, by, said in (
        ('"0": 0.8', '"0": 0.8, "0": 0.1', "an object has the key '0' twice"),
        ('"version": 1', '"version": 1, "version": 1', "an object has the key 'version' twice"),
        ('"0": 0.8', '"0": 0.8, "00": 0.1', "accuracy.0.values.00"),
        ("2026-01-01", "2999-01-01", "changes.0.date' is '2999-01-01': lies beyond next year"),
    ):
        assert change in text
        path.write_text(text.replace(change, by))
        with pytest.raises((InputError, ConfigError), match=said):
            read_baseline(path)
    path.write_text(text)
    assert read_baseline(path).accuracy[0].values == {"0": 0.8}


def test_a_detectable_change_beyond_what_a_metric_can_be_is_none():
    known, now = accuracy({"0": 0.3, "1": 0.75}), accuracy({"2": 0.3, "3": 0.7})
    (row,) = check(baseline([known]), found([now]), Gate(), TASKS)
    assert row.judged.detectable > 1
    assert line(row).endswith("; no change that auroc can have would be caught here")


def test_what_is_told_to_people_machines_and_github_is_the_same():
    values = {str(seed): 0.8 + 0.001 * seed for seed in range(5)}
    worse = {seed: value - 0.1 for seed, value in values.items()}
    rows = check(baseline([accuracy(values)], [speed([9.0])]), found([accuracy(worse)], [speed([9.0])]), Gate(), TASKS)
    assert line(rows[0]).strip().startswith("fail  d/t/a/cpu auroc: -0.1000")
    assert as_json(rows, "b.json", "cpu")["verdict"] == "fail"
    (shown,) = annotations(rows)
    assert shown.startswith("::error title=vitalbench accuracy::fail")
    assert "%25" not in shown or "%" not in shown.replace("%25", "")
    assert summary(rows).startswith("### Regression gate: 1 pass, 0 no-verdict, 1 fail")
    assert len(summary(rows).splitlines()) == 4 + len(rows)


def test_for_machines_nothing_that_was_held_is_no_pass(sessions, tmp_path):
    out = tmp_path / "out.json"

    def verdict(*arguments):
        assert cli.run(["check", *arguments, "--json", str(out)]) == 0
        told = json.loads(out.read_text())
        return told["verdict"], told["counts"]

    disturbed = sessions("b.json", 0.02, 0.5)
    assert verdict("--benchmarks", disturbed) == ("no-verdict", {"pass": 0, "no-verdict": 1, "fail": 0})
    assert verdict("--benchmarks", sessions("c.json", 0.0101))[0] == "pass"
    Path("baselines/benchmarks/a-cpu.json").unlink()
    assert verdict("--benchmarks", disturbed) == ("no-baseline", {"pass": 0, "no-verdict": 0, "fail": 0})


def written(path, **medians: float):
    benchmarks = [{"name": name, "stats": {"median": median}} for name, median in medians.items()]
    machine = {"machine_info": {"cpu": {"brand_raw": "A CPU"}}}
    path.write_text(json.dumps(machine | {"benchmarks": benchmarks}))
    return str(path)


def test_benchmarks_go_through_the_same_gate(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    same = written(tmp_path / "a.json", **{REFERENCE: 0.002, "test_reading": 0.01})
    assert cli.run(["check", "--benchmarks", same]) == 0
    assert "no baseline" in capsys.readouterr().err
    assert cli.run(["baseline", "update", "--benchmarks", same, "--reason", "first"]) == 0
    assert (tmp_path / "baselines/benchmarks/a-cpu.json").is_file()
    assert cli.run(["check", "--benchmarks", same]) == 0
    slower_machine = written(tmp_path / "b.json", **{REFERENCE: 0.004, "test_reading": 0.02})
    assert cli.run(["check", "--benchmarks", slower_machine]) == 0
    slower_code = written(tmp_path / "c.json", **{REFERENCE: 0.002, "test_reading": 0.014})
    with pytest.raises(GateError, match="1 fail"):
        cli.run(["check", "--benchmarks", slower_code, "--json", "out.json"])
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "fail"
    with pytest.raises(InputError, match="nearest: test_referense_operation"):
        cli.run(["check", "--benchmarks", written(tmp_path / "d.json", test_referense_operation=0.1)])
    with pytest.raises(InputError, match="not what `pytest --benchmark-json` writes"):
        (tmp_path / "e.json").write_text("{}")
        cli.run(["check", "--benchmarks", str(tmp_path / "e.json")])
    for name in ("", "test_a\n::error::", "\ud800"):
        with pytest.raises(InputError, match=r"a benchmark's name is .*; allowed: printable text"):
            cli.run(["check", "--benchmarks", written(tmp_path / "h.json", **{REFERENCE: 1.0, name: 1.0})])
    with pytest.raises(InputError, match="the median is inf"):
        cli.run(["check", "--benchmarks", written(tmp_path / "f.json", **{REFERENCE: 1.0, "test_a": float("inf")})])
    with pytest.raises(InputError, match="nothing to write"):
        alone = written(tmp_path / "g.json", **{REFERENCE: 1.0})
        cli.run(["baseline", "update", "--benchmarks", alone, "--reason", "x", "--baseline", "g-base.json"])
    other = json.loads((tmp_path / "baselines/benchmarks/a-cpu.json").read_text()) | {"suite": "quick"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="is of the suite 'quick'"):
        cli.run(["check", "--benchmarks", same, "--baseline", "other.json"])
    with pytest.raises(InputError, match="--reason is empty"):
        cli.run(["baseline", "update", "--benchmarks", same, "--reason", " "])


def test_a_benchmark_is_held_over_the_reference_that_was_beside_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def beside(name, median, seconds, session=0.002):
        path = tmp_path / name
        written(path, **{REFERENCE: session, "test_reading": median})
        content = json.loads(path.read_text())
        content["benchmarks"][1]["extra_info"] = {BESIDE: seconds, "ratio": 3}
        path.write_text(json.dumps(content))
        return str(path)

    assert cli.run(["baseline", "update", "--benchmarks", beside("a.json", 0.01, 0.002), "--reason", "first"]) == 0
    # The machine was slow when it ran, and not when the session's reference did.
    assert cli.run(["check", "--benchmarks", beside("b.json", 0.02, 0.004)]) == 0
    with pytest.raises(GateError, match="1 fail"):
        cli.run(["check", "--benchmarks", beside("c.json", 0.02, 0.002, session=0.004)])
    alone = json.loads((tmp_path / "a.json").read_text())
    alone["benchmarks"] = alone["benchmarks"][1:]
    (tmp_path / "d.json").write_text(json.dumps(alone))
    assert cli.run(["check", "--benchmarks", str(tmp_path / "d.json")]) == 0
    with pytest.raises(InputError, match=r"test_reading: 1e\+308 s over a reference of 1e-308 s: no ratio"):
        cli.run(["check", "--benchmarks", beside("f.json", 1e308, 1e-308)])
    for wrong in (0, -1, "fast", True, float("nan"), 10**400):
        with pytest.raises(InputError, match=f"test_reading: extra_info.{BESIDE} is .*positive number"):
            cli.run(["check", "--benchmarks", beside("e.json", 0.01, wrong)])
    capsys.readouterr()


@pytest.fixture
def sessions(tmp_path, monkeypatch):
    """Write a session: the median of one benchmark, and the foreign load beside it; the first is the baseline too."""
    monkeypatch.chdir(tmp_path)

    def session(name: str, median: float, foreign: object = None) -> str:
        path = tmp_path / name
        written(path, **{REFERENCE: 0.002, "test_reading": median})
        content = json.loads(path.read_text())
        content["benchmarks"][1]["extra_info"] = {FOREIGN: foreign}
        path.write_text(json.dumps(content))
        return str(path)

    assert cli.run(["baseline", "update", "--benchmarks", session("a.json", 0.01), "--reason", "first"]) == 0
    return session


def test_a_benchmark_beside_which_others_worked_has_no_verdict_and_says_what_would_decide(sessions, capsys):
    assert cli.run(["check", "--benchmarks", sessions("b.json", 0.013, 0.2)]) == 0
    said = capsys.readouterr().err
    assert "no-verdict  -/-/test_reading/- benchmark: +30.0% time" in said
    assert "one more measurement on an idle machine would decide" in said
    with pytest.raises(GateError, match="1 fail"):
        cli.run(["check", "--benchmarks", sessions("c.json", 0.013, 0.04)])
    assert "a second one confirms or clears a failure" in capsys.readouterr().err
    for wrong in (-0.1, 1.5, "much", True, float("nan")):
        with pytest.raises(InputError, match=f"test_reading: extra_info.{FOREIGN} is .*a share, 0 to 1"):
            cli.run(["check", "--benchmarks", sessions("d.json", 0.01, wrong)])
    with pytest.raises(InputError, match="foreign work disturbed 1 phases; nothing is written"):
        cli.run(["baseline", "update", "--benchmarks", sessions("e.json", 0.01, 0.5), "--reason", "x"])


@pytest.mark.slow
def test_a_session_leaves_the_reference_and_the_foreign_load_beside_each_benchmark(tmp_path):
    told = tmp_path / "session.json"
    timed = "tests/benchmarks/test_hot_paths.py::test_generator"
    command = ["-m", "pytest", "-q", "-m", "slow", "--benchmark-only", timed, f"--benchmark-json={told}"]
    alone = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }  # a worker times nothing
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=alone, check=False, capture_output=True)
    assert told.is_file(), done.stdout  # beside other work the benchmark itself may be too slow to pass
    (one,) = json.loads(told.read_text())["benchmarks"]
    assert one["stats"]["rounds"] >= 11
    assert 1e-5 < one["extra_info"][BESIDE] < one["stats"]["median"]
    assert 0 <= one["extra_info"][FOREIGN] <= 1


def test_what_feeds_the_gate_reads_the_clock_where_all_do():
    read = {
        name
        for node in ast.walk(ast.parse((ROOT / "tests/benchmarks/conftest.py").read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
    }
    assert "vitalbench.measure.clock" in read
    assert not read & {"time", "timeit", "datetime"}


def test_a_second_session_confirms_a_failure_or_clears_it(sessions, tmp_path, capsys):
    slow, also, fine = sessions("b.json", 0.013), sessions("c.json", 0.0131), sessions("d.json", 0.01)
    with pytest.raises(GateError, match="1 fail"):
        cli.run(["check", "--benchmarks", slow, "--benchmarks", also])
    assert cli.run(["check", "--benchmarks", slow, "--benchmarks", fine]) == 0
    third = sessions("e.json", 0.0101)
    assert cli.run(["check", "--benchmarks", slow, "--benchmarks", fine, "--benchmarks", third]) == 0
    capsys.readouterr()
    with pytest.raises(InputError, match=f"{MOST_FURTHER + 2} sessions; allowed: 1 to {MOST_FURTHER + 1}"):
        cli.run(["check", *(MOST_FURTHER + 2) * ["--benchmarks", slow]])
    other = json.loads((tmp_path / "c.json").read_text()) | {"machine_info": {"cpu": {"brand_raw": "Another CPU"}}}
    (tmp_path / "c.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"c.json: is of 'Another CPU', and .*b.json of 'A CPU'"):
        cli.run(["check", "--benchmarks", slow, "--benchmarks", also])


def test_a_session_confirms_nothing_of_itself(sessions, tmp_path, capsys):
    slow, fine = sessions("b.json", 0.013), sessions("c.json", 0.01)
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(json.loads((tmp_path / "b.json").read_text()) | {"datetime": "another"}, indent=3))
    for same in (slow, str(copy)):
        with pytest.raises(
            InputError, match=rf"{Path(same).name}: holds the measurements of .*b\.json: a session says"
        ):
            cli.run(["check", "--benchmarks", slow, "--benchmarks", fine, "--benchmarks", same])
    with pytest.raises(InputError, match="holds the measurements of"):
        cli.run(["baseline", "update", "--benchmarks", slow, "--benchmarks", slow, "--reason", "x"])


def test_a_copy_that_lacks_a_benchmark_or_holds_another_is_a_copy(sessions, tmp_path, capsys):
    every = {REFERENCE: 0.002, "test_reading": 0.013, "test_writing": 0.02}
    whole = written(tmp_path / "b.json", **every)
    for name, changed in (("less", {**every, "test_writing": None}), ("other", {**every, "test_writing": 0.021})):
        part = written(tmp_path / f"{name}.json", **{test: value for test, value in changed.items() if value})
        for files in ((whole, part), (part, whole)):
            named = [argument for path in files for argument in ("--benchmarks", path)]
            with pytest.raises(
                InputError, match=r"holds the measurements of .*\(test_reading is the same to all digits\)"
            ):
                cli.run(["check", *named])
    with pytest.raises(InputError, match=r"\(test_reading is the same to all digits, and 1 more\)"):
        cli.run(["baseline", "update", "--benchmarks", whole, "--benchmarks", whole, "--reason", "x"])
    capsys.readouterr()


def test_a_session_that_lacks_a_benchmark_holds_up_none_after_it_whatever_their_order(sessions, tmp_path, capsys):
    both = written(tmp_path / "both.json", **{REFERENCE: 0.002, "test_reading": 0.0101, "test_writing": 0.01})
    assert cli.run(["baseline", "update", "--benchmarks", both, "--reason", "two"]) == 0
    slow = written(tmp_path / "b.json", **{REFERENCE: 0.002, "test_reading": 0.013, "test_writing": 0.0102})
    lacks = written(tmp_path / "c.json", **{REFERENCE: 0.002, "test_writing": 0.0101})
    fine = [written(tmp_path / f"{at}.json", **{REFERENCE: 0.002, "test_reading": 0.01 + at * 1e-5}) for at in range(2)]
    said = set()
    for files in permutations((slow, lacks, *fine)):
        out = tmp_path / "out.json"
        named = [argument for path in files for argument in ("--benchmarks", path)]
        assert cli.run(["check", *named, "--json", str(out)]) == 0
        rows = {row["place"]: row for row in json.loads(out.read_text())["rows"]}
        if files[0] == slow:
            assert rows["-/-/test_reading/-"]["now"] == 3
        said |= {row["judged"]["verdict"] for row in rows.values()}
    assert said == {"pass"}
    capsys.readouterr()


@pytest.mark.parametrize("add", [[], ["--add"]])
def test_of_several_sessions_all_are_written(sessions, tmp_path, add, capsys):
    one, two, busy = sessions("b.json", 0.011), sessions("c.json", 0.012), sessions("d.json", 0.02, 0.5)
    named = [part for path in (one, busy, two) for part in ("--benchmarks", path)]
    assert cli.run(["baseline", "update", *named, "--reason", "three", *add]) == 0
    (row,) = read_baseline(tmp_path / "baselines/benchmarks/a-cpu.json").speed
    assert row.values == pytest.approx([5.0, 5.5, 6.0] if add else [5.5, 6.0])
    assert "disturbed" not in capsys.readouterr().err
    with pytest.raises(InputError, match="21 sessions; allowed: 1 to 20"):
        cli.run(["baseline", "update", *(21 * ["--benchmarks", one]), "--reason", "x"])


@pytest.mark.parametrize(
    "option", [["--json", "x.json"], ["--baseline", "b.json"], ["--no-rerun"], ["--github"], ["--benchmarks", "b.json"]]
)
def test_what_says_nothing_beside_cells_only_is_refused(option, tmp_path):
    with pytest.raises(ConfigError, match=f"vitalbench check: --cells-only and {option[0]} do not go together"):
        cli.run(["check", "--results", str(tmp_path), "--cells-only", *option])


def test_pruning_is_about_adding(sessions):
    with pytest.raises(InputError, match="--prune is about --add"):
        cli.run(["baseline", "update", "--benchmarks", sessions("b.json", 0.011), "--reason", "x", "--prune"])


def test_what_is_written_is_counted_and_what_is_dead_is_said_with_the_way_out(sessions, tmp_path, capsys):
    one = written(tmp_path / "b.json", **{REFERENCE: 0.002, "test_writing": 0.01})
    assert cli.run(["baseline", "update", "--benchmarks", one, "--reason", "x", "--add"]) == 0
    said = capsys.readouterr().err
    assert "a-cpu.json: 0 metrics, 2 phases" in said
    assert "kept, though not in these results (--prune removes it): -/-/test_reading/-/benchmark" in said
    two = written(tmp_path / "c.json", **{REFERENCE: 0.002, "test_writing": 0.011})
    assert cli.run(["baseline", "update", "--benchmarks", two, "--reason", "y", "--add", "--prune"]) == 0
    assert "0 metrics, 1 phases" in capsys.readouterr().err
    three = written(tmp_path / "d.json", **{REFERENCE: 0.002, "test_writing": 0.0112})
    before = len(read_json(Path("baselines/benchmarks/a-cpu.json"))["speed"][0]["values"])
    assert cli.run(["baseline", "update", "--benchmarks", three, "--reason", "z"]) == 0
    narrower = f"than before (--add keeps those): -/-/test_writing/-/benchmark/{REFERENCE} {before} to 1"
    assert narrower in capsys.readouterr().err


@pytest.mark.parametrize("suite", ["..", "../x", "", ".", "a/b"])
def test_a_suites_name_leads_nowhere_else(suite, tmp_path):
    with pytest.raises(InputError, match="no name of a suite"):
        path_of(tmp_path, suite, "cpu")


def test_a_device_has_a_file_of_its_own():
    assert slug("AMD EPYC 9V74 80-Core Processor") == "amd-epyc-9v74-80-core-processor"
    assert slug("  ") == "unknown"


def test_a_name_cannot_end_a_cell_of_the_summary():
    row = speed([9.0]).model_copy(update={"design": "test_a[x|y\nz]"})
    (said,) = check(baseline(speeds=[row]), found(), Gate(), TASKS)
    assert "test_a[x\\|y z]" in summary([said])
    assert len(summary([said]).splitlines()) == 5


def test_a_verdict_for_machines_may_lie_in_a_folder_that_is_made(sessions, tmp_path):
    deep = tmp_path / "made/here/out.json"
    assert cli.run(["check", "--benchmarks", sessions("b.json", 0.0101), "--json", str(deep)]) == 0
    assert json.loads(deep.read_text())["verdict"] == "pass"
    for nowhere in (tmp_path, tmp_path / "b.json/made/out.json"):
        with pytest.raises(InputError, match="no file can be written there"):
            cli.run(["check", "--benchmarks", str(tmp_path / "b.json"), "--json", str(nowhere)])
