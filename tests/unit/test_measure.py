"""Timing: warm-ups apart, enough repeats and enough seconds, every sample kept, the device declared or nothing."""

import re
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
import torch

from vitalbench import cli
from vitalbench.config.planning import make_plan
from vitalbench.config.schema import Protocol
from vitalbench.config.slices import write_slices
from vitalbench.config.strict import validated
from vitalbench.data.store import Store
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.files import read_json
from vitalbench.measure import whole_run
from vitalbench.measure.against import against, sentence
from vitalbench.measure.bench import Bench
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.measure.conditions import Conditions, Watched
from vitalbench.measure.counting import count
from vitalbench.measure.device import mismatch
from vitalbench.measure.interleaved import Against
from vitalbench.measure.limits import Limit, Limits, _convolution, _copy, _product, _Work, limits
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.noise import Shift
from vitalbench.measure.phases import PHASES, Phase
from vitalbench.measure.prepared import prepare
from vitalbench.measure.repeats import repeat, repeat_together
from vitalbench.measure.steps import ONCE, bottleneck, measure, phases_of
from vitalbench.measure.switches import switch_ratios
from vitalbench.train.engine import prepare_torch


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch):
    """A second of each measuring job that no test here is about."""
    monkeypatch.setattr("vitalbench.measure.limits._LEAST_SECONDS", 0.01)


@pytest.fixture
def quick_plan(configs, tmp_path):
    """results/quick with its slices, and nothing run."""
    write_slices(make_plan(configs, configs.knobs({})), configs, tmp_path)
    return tmp_path / "quick"


def test_warm_ups_are_apart_and_both_bounds_hold(monkeypatch):
    calls = []
    clock = iter(range(1000))
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: float(next(clock)))
    protocol = Protocol(warmup=3, repeats=5, seconds=7.0)
    found = repeat(lambda: calls.append(1), protocol, nothing_to_wait_for)
    assert len(found.seconds) == 7
    assert len(calls) == 3 + 7
    assert (found.beside, found.latencies) == ([], [])


def test_the_reference_is_timed_after_each_repeat_and_apart_from_it(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: clock["now"])
    order = []

    def taking(name: str, seconds: float):
        def call() -> None:
            order.append(name)
            clock["now"] += seconds

        return call

    protocol = Protocol(warmup=1, repeats=3, seconds=0.1)
    found = repeat(taking("a", 2.0), protocol, nothing_to_wait_for, taking("reference", 0.5))
    assert order == ["a", "reference"] * 4
    assert (found.seconds, found.beside) == ([2.0] * 3, [0.5] * 3)
    phase = Phase("train_step", found.seconds, reference=found.beside, reference_name="matmul")
    assert phase.row()["to_reference"] == 4.0
    longer = protocol.model_copy(update={"seconds": 10.0})
    again = repeat(taking("a", 2.0), longer, nothing_to_wait_for, taking("reference", 0.5))
    assert len(again.seconds) == 4  # ten seconds of both, as the rules say


def test_the_clock_waits_for_the_device_before_it_starts_and_before_it_stops():
    waited = []
    watch = Stopwatch(lambda: waited.append(1))
    assert len(waited) == 1
    watch.lap()
    assert len(waited) == 2


def test_a_phase_keeps_its_samples_and_sums_them_up():
    phase = Phase("train_step", [1.0, 2.0, 3.0, 4.0], items=10, unit="record")
    row = phase.row()
    assert row["median_s"] == 2.5
    assert row["iqr_s"] == pytest.approx(1.5)
    assert row["repeats"] == 4
    assert row["per_second"] == pytest.approx(4.0)
    assert Phase(**phase.to_json()) == phase


def test_what_a_phase_reaches_of_the_devices_limit_follows_from_what_was_counted():
    rates = {"flops": {"rate": 1e9, "source": "declared"}, "bytes": {"rate": 2e9, "source": "measured"}}
    row = Phase("train_step", [0.5, 0.5, 0.5], flops=1e8, bytes=5e8, limits=rates).row()
    assert (row["mfu"], row["bandwidth_share"]) == (0.2, 0.5)
    assert row["limits"] == "bytes 2e+09/s measured; flops 1e+09/s declared"
    assert Phase("train_step", [0.5], limits=rates).row()["mfu"] is None


def test_a_share_of_a_disturbed_limit_or_beyond_it_is_none_and_limits_says_why():
    fine = {"rate": 1e9, "source": "measured", "disturbed": False}
    disturbed = {"flops": fine | {"disturbed": True}, "bytes": fine | {"disturbed": True}}
    row = Phase("train_step", [0.5] * 3, flops=1e8, bytes=5e8, limits=disturbed).row()
    assert (row["mfu"], row["bandwidth_share"]) == (None, None)
    assert row["limits"].startswith("bytes 1e+09/s measured, disturbed: no share; flops 1e+09/s measured, disturbed")
    both = {"flops": fine, "bytes": fine}
    for flops, kept in ((0.5 * 1.04e9, True), (0.5 * 1.06e9, False)):
        row = Phase("inference", [0.5] * 3, flops=flops, bytes=5e8, limits=both).row()
        assert (row["mfu"] is not None, row["bandwidth_share"] is not None) == (kept, kept)
        assert ("no share: 1.06 of the operations" in row["limits"]) != kept
    assert Phase("features", [0.5] * 3, flops=1e8, bytes=5e9, limits=both).row()["bandwidth_share"] == 10  # caches


@pytest.mark.parametrize("seen", [[True, False], [False], [True] * 3])
def test_a_limit_is_the_best_of_a_second_and_measured_again_where_others_disturbed_it(configs, monkeypatch, seen):
    target, clock, told = configs.target("cpu"), {"now": 0.0}, iter(seen)

    def taking(*_given) -> None:
        clock["now"] += next(taken)

    taken = (seconds for _ in iter(int, 1) for seconds in (2 / 128, 4 / 128, 1 / 128, 3 / 128))
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: clock["now"])
    monkeypatch.setattr("vitalbench.measure.limits._LEAST_SECONDS", 1.0)
    for kind, made in {"product": ("flops", 2), "convolution": ("flops", 3), "copy": ("bytes", 8)}.items():
        monkeypatch.setattr(f"vitalbench.measure.limits._{kind}", lambda *_, made=made: _Work(*made, taking))
    monkeypatch.setattr(Watched, "conditions", lambda _: Conditions(0.1, next(told), None, None))
    monkeypatch.setattr("vitalbench.measure.limits.core_to_core_ns", lambda threads: 45.0 if threads == 2 else None)
    found = limits(target, torch.device("cpu"), "fp32", nothing_to_wait_for)
    assert len(seen) * 1.0 <= clock["now"] <= len(seen) * 1.5
    assert found.flops == Limit(3 * 128, "measured", seen[-1], 45.0)  # the better of two kinds of work
    assert found.bytes == Limit(8 * 128, "measured", seen[-1], 45.0)
    row = Phase("train_step", [0.5], flops=1.0, bytes=1.0, limits={"bytes": found.bytes.to_json()}).row()
    assert row["limits"].startswith("bytes 1024/s measured at 45 ns")
    assert list(told) == []


@pytest.mark.parametrize(("work", "kind"), [(_product, "flops"), (_convolution, "flops"), (_copy, "bytes")])
def test_what_a_limit_is_of_does_as_much_as_it_says(work, kind):
    on_cpu = (torch.device("cpu"),) if work is _copy else (torch.device("cpu"), torch.float32)
    made = work(*on_cpu)
    assert made.kind == kind
    assert getattr(count(made.call), kind) == made.done


def test_a_phase_that_had_the_machine_alone_has_a_noise_floor():
    apart = [1.0, 1.1] * 20
    assert Phase("train_step", apart, exclusive=True).row()["noise_floor"] > 0
    assert Phase("train_step", apart).row()["noise_floor"] is None
    assert Phase("train_step", apart[:20], exclusive=True).row()["noise_floor"] is None


def test_one_sample_has_no_spread():
    row = Phase("build", [1.0]).row()
    assert row["iqr_s"] is None
    assert row["p95_s"] is None


def test_a_device_must_be_the_one_declared(monkeypatch):
    monkeypatch.setattr(
        "vitalbench.measure.device.device_here", lambda kind: "NVIDIA H200" if kind == "cuda" else "a cpu"
    )
    assert mismatch("cuda", "H200") is None
    assert mismatch("cuda", None) is None
    assert "RTX 4090" in mismatch("cuda", "RTX 4090")


def test_no_target_takes_a_card_of_its_name_with_other_rates(configs, monkeypatch):
    """As NVIDIA's driver names them."""
    declared = {
        "a100-40": "NVIDIA A100-SXM4-40GB",
        "a100-80": "NVIDIA A100-SXM4-80GB",
        "h100": "NVIDIA H100 80GB HBM3",
        "h200": "NVIDIA H200",
        "rtx4090": "NVIDIA GeForce RTX 4090",
    }
    siblings = ["NVIDIA A100-PCIE-40GB", "NVIDIA A100 80GB PCIe", "NVIDIA H100 PCIe", "NVIDIA H100 NVL"]
    siblings += [
        "NVIDIA GH200 480GB",
        "NVIDIA H200 NVL",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
    ]
    for found in [*declared.values(), *siblings]:
        monkeypatch.setattr("vitalbench.measure.device.device_here", lambda kind, found=found: found)
        taking = [name for name in declared if mismatch("cuda", configs.target(name).match) is None]
        assert taking == [name for name, itself in declared.items() if itself == found]


def test_a_gpu_for_each_process_must_be_here(monkeypatch):
    names = ("NVIDIA H200", "NVIDIA H200")
    monkeypatch.setattr("vitalbench.measure.device.cuda_names", lambda: names)
    assert mismatch("cuda", "H200", 2) is None
    assert mismatch("cuda", "H200", 8) == "8 processes are declared, a GPU each, and 2 GPUs are here"
    assert mismatch("cpu", None, 8) is None


def test_processes_that_time_together_agree_on_how_often(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: float(next(clock)))
    protocol = Protocol(warmup=3, repeats=2, seconds=9.0)
    calls = []
    seconds = repeat_together(lambda: calls.append(1), protocol, nothing_to_wait_for, lambda own: 3 * own)
    assert len(seconds) == 3  # 9 s at the slowest one's 3 s a call
    assert len(calls) == 3 + 1 + 3


def test_a_switch_of_a_gpu_has_no_ratio_on_a_cpu(configs):
    calls = []
    found = switch_ratios(lambda: calls.append(1), configs.target("cpu"), Protocol(), nothing_to_wait_for)
    assert [row["switch"] for row in found] == ["tf32", "flash_attention", "expandable_segments"]
    assert {(row["status"], row["ratio"]) for row in found} == {("not-run", None)}
    assert calls == []


def test_a_switch_is_timed_on_and_off_in_turn_and_put_back(configs, monkeypatch):
    clock = {"now": 0.0, True: 1.0, False: 4.0}
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: clock["now"])
    target = configs.target("h100")
    before = torch.backends.cuda.matmul.allow_tf32

    def call() -> None:
        clock["now"] += clock[torch.backends.cuda.matmul.allow_tf32]

    try:
        tf32, _, segments = switch_ratios(call, target, Protocol(repeats=3), nothing_to_wait_for)
        assert (tf32["status"], tf32["ratio"]) == ("measured", 0.25)
        assert set(tf32["seconds_on"]) == {1.0}
        assert set(tf32["seconds_off"]) == {4.0}
        assert segments["status"] == "not-run"
        assert torch.backends.cuda.matmul.allow_tf32 == target.tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def test_the_command_times_any_design_by_name(project, monkeypatch):
    monkeypatch.chdir(project)
    arguments = [
        "measure",
        "--design",
        "s4d",
        "--dataset",
        "ptbxl",
        "--size",
        "small",
        "--phase",
        "build,inference",
        "--repeats",
        "2",
        "--seconds",
        "0.01",
        "--out",
        "t.csv",
    ]
    assert cli.run(arguments) == 0
    table = pd.read_csv("t.csv")
    assert table["phase"].tolist() == ["build", "inference", "inference", "inference"]
    assert (table["median_s"] > 0).all()
    assert table["batch_size"].tolist()[1:] == [1, 32, 64]
    assert table["device_name"].notna().all()


def test_what_a_run_goes_through_once_is_repeated_where_it_is_asked_for(project, monkeypatch, small_store):
    assert tuple(whole_run._CALLS) == ONCE
    monkeypatch.chdir(project)
    by_name = [
        "measure",
        "--design",
        "s4d",
        "--dataset",
        "ptbxl",
        "--size",
        "small",
        "--out",
        "t.csv",
        "--repeats",
        "3",
    ]
    asked = ["rebuild", "load", "checkpoint"]
    assert cli.run([*by_name, "--seconds", "0.01", "--phase", ",".join(asked), "--store", str(small_store)]) == 0
    table = pd.read_csv("t.csv").set_index("phase")
    assert table.index.tolist() == [name for name in ONCE if name in asked]
    assert (table["repeats"] >= 3).all()
    assert (table["median_s"] > 0).all()
    assert round(table.loc["load", "per_second"] * table.loc["load", "median_s"]) == Store(small_store).records
    with pytest.raises(ConfigError, match=r"phase 'epoch': it reads records; name them with --store"):
        cli.run([*by_name, "--phase", "epoch"])


def test_a_suite_may_name_what_a_run_goes_through_once_and_a_design_skips_what_it_has_not(configs, tmp_path):
    protocol, target = configs.suite("timing-run").protocol, configs.target("cpu")
    assert set(protocol.once) == set(ONCE)

    def skipped(name: str, store: Path | None) -> set[str]:
        phases = phases_of(configs.design(name, "small", ""), target, protocol, store)
        assert phases[: len(PHASES)] == list(PHASES)
        return set(ONCE) - set(phases)

    store = tmp_path / "store.h5"
    assert skipped("s4d", store) == set()
    assert skipped("s4-12x128-random", store) == {"epoch"}
    assert skipped("s4-12x128-masked", store) == {"evaluation"}
    assert skipped("s4d", None) == {"load", "epoch", "evaluation"}
    several = configs.target("cpu").model_copy(update={"processes": 2})
    assert phases_of(configs.design("s4d", "small", ""), several, protocol, store) == list(PHASES)
    assert phases_of(configs.design("s4d", "small", ""), target, Protocol(), store) == list(PHASES)


def test_what_a_protocol_names_is_timed_beside_the_rest(configs, small_dataset, monkeypatch):
    monkeypatch.setattr("vitalbench.measure.steps.PHASES", ("build",))  # the rest
    protocol = Protocol(repeats=1, seconds=1e-3, warmup=1, once=["rebuild", "load"])
    design, task, target = configs.design("s4d", "small", ""), configs.task("superdiagnostic"), configs.target("cpu")
    timed = measure(design, small_dataset, task, target, protocol, None, True)
    assert [phase.name for phase in timed] == ["build", "rebuild"]


@pytest.mark.parametrize(
    ("once", "said"),
    [(["epochs"], "'epochs'; allowed: .*; nearest: epoch$"), (["load", "load"], "named twice in 'once'")],
)
def test_a_phase_that_no_run_goes_through_and_one_that_is_named_twice_are_refused(once, said):
    with pytest.raises(ConfigError, match=said):
        validated(Protocol, {"once": once}, "suite")


@pytest.fixture
def prepared(configs, small_dataset):
    """A design's small size, ready to be timed."""

    def made(name):
        target, task = configs.target("cpu"), configs.task("superdiagnostic")
        accelerator = prepare_torch(target, 0)
        return prepare(configs.design(name, "small", ""), small_dataset, task, target, accelerator, nothing_to_wait_for)

    return made


def test_every_phase_of_a_run_has_a_call_that_does_its_work(prepared, small_store, monkeypatch):
    monkeypatch.setattr(whole_run, "_ENGINE", "import json")  # the engine itself is seconds a time
    ready, records = prepared("s4d"), Store(small_store).records
    before = [parameter.clone() for parameter in ready.model.parameters()]
    units = {}
    for name in ONCE:
        call, items, units[name] = whole_run.once_in_a_run(name, ready, small_store)
        call()
        assert items == (records if units[name] == "record" else 1)
    assert [name for name in ONCE if units[name] == "record"] == ["load", "epoch", "evaluation"]
    assert any(not torch.equal(a, b) for a, b in zip(before, ready.model.parameters(), strict=True))  # epochs train


@pytest.mark.parametrize(
    ("design", "phase", "told"),
    [
        ("s4-12x128-random", "epoch", "trains on features that it keeps"),
        ("s4-12x128-masked", "evaluation", "scores nothing"),
    ],
)
def test_a_phase_that_a_design_does_not_go_through_is_refused(configs, small_dataset, small_store, design, phase, told):
    asked, task, target = configs.design(design, "small", ""), configs.task("superdiagnostic"), configs.target("cpu")
    with pytest.raises(ConfigError, match=f"phase '{phase}': .*{told}"):
        measure(asked, small_dataset, task, target, Protocol(), [phase], True, small_store)


def test_the_bottleneck_is_the_model_where_loading_adds_nothing_beyond_the_noise():
    alone = Phase("train_step", [1.0, 1.01] * 11, exclusive=True)
    same, slower = (Phase("loaded_step", [s, s * 1.01] * 11, exclusive=True) for s in (1.0, 1.5))
    assert re.fullmatch(r"the model: loading adds 0%, and less than [1-9]%", bottleneck(same, [alone, same]))
    assert bottleneck(slower, [alone, slower]) == "loading adds 50%"
    assert bottleneck(Phase("loaded_step", [1.0]), [alone]).startswith("no verdict")
    noisy = Phase("loaded_step", [0.8, 1.4] * 11, exclusive=True)
    told = bottleneck(noisy, [alone])
    found = re.fullmatch(r"no verdict: loading adds 9%, and (\d+)% are noise; (\d+) repeats would tell 10%", told)
    assert found, told
    assert int(found[1]) > 9
    assert int(found[2]) > 22
    for kind in ({"disturbed": True}, {"conditions": {"throttled": True}}):
        assert bottleneck(replace(slower, **kind), [alone]).startswith("no verdict: disturbed or throttled")
        assert bottleneck(slower, [replace(alone, **kind)]).startswith("no verdict: disturbed or throttled")
    assert bottleneck(same, [same]) == ""
    assert Phase("loaded_step", [1.0], extra={"bottleneck": "x"}).row()["bottleneck"] == "x"


def test_the_command_counts_what_it_times_and_says_what_limits_it(project, monkeypatch, small_store):
    monkeypatch.chdir(project)
    by_name = ["measure", "--design", "s4d", "--dataset", "ptbxl", "--size", "small", "--out", "t.csv"]
    phases = ["--phase", "train_step,load_batch,loaded_step", "--store", str(small_store), "--exclusive"]
    assert cli.run([*by_name, *phases, "--seconds", "0.01"]) == 0
    step, load, loaded = (row for _, row in pd.read_csv("t.csv").iterrows())
    assert [row["phase"] for row in (step, load, loaded)] == ["train_step", "load_batch", "loaded_step"]
    assert step["flops"] > 1e8
    assert step["bytes"] > 1e7
    assert "disturbed" in step["limits"] or 0 < step["mfu"] <= 1.05
    assert step["reference"].startswith("matmul-fp32")
    assert step["disturbed"] or step["noise_floor"] > 0
    assert step["energy_method"]
    assert load["median_s"] < loaded["median_s"]
    with pytest.raises(InputError, match="no such file"):
        cli.run([*by_name, "--store", "missing.h5"])


def test_two_designs_are_held_against_one_another_in_turn(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setattr(
        Watched, "conditions", lambda _: Conditions(0.0, False, None, None)
    )  # rounds once, on any machine
    by_name = ["measure", "--design", "s4d", "--dataset", "ptbxl", "--size", "small", "--out", "a.csv"]
    bounds = ["--repeats", "13", "--seconds", "0.01"]
    assert cli.run([*by_name, "--against", "shuffled-labels", "--phase", "train_step", *bounds]) == 0
    (row,) = (row for _, row in pd.read_csv("a.csv").iterrows())
    assert (row["design_a"], row["design_b"], row["phase"]) == ("s4d", "shuffled-labels", "train_step")
    assert row["ci_low"] <= row["ratio"] <= row["ci_high"]
    assert row["rounds"] >= 13
    assert row["verdict"] in ("faster", "slower", "no-verdict")
    assert "shuffled-labels takes" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="one of the two designs has none"):
        cli.run([*by_name, "--against", "shuffled-labels", "--phase", "features"])
    with pytest.raises(ConfigError, match="nearest: train_step"):
        cli.run([*by_name, "--against", "shuffled-labels", "--phase", "trainstep"])
    with pytest.raises(ConfigError, match="no model to time"):
        cli.run([*by_name, "--against", "prevalence"])


def test_a_suites_measurement_on_other_silicon_is_refused_and_the_tables_are_still_made(
    quick_plan, monkeypatch, capsys
):
    monkeypatch.setattr("vitalbench.commands.measure.mismatch", lambda *asked: "the device declared matches 'H100'")
    place = "ptbxl/superdiagnostic/s4d/cpu"
    assert cli.run(["measure", "--results", str(quick_plan), "--measurement", place]) == 0
    left = read_json(quick_plan / f"measure/{place}.json")
    assert left["phases"] == []
    assert "H100" in left["refused"]
    assert "refused" in capsys.readouterr().err


def test_the_command_refuses_other_silicon_with_1_and_an_unknown_phase_with_2(project, monkeypatch):
    monkeypatch.chdir(project)
    by_name = ["measure", "--design", "s4d", "--dataset", "ptbxl", "--out", "t.csv"]
    with pytest.raises(GateError, match="refused"):
        cli.run([*by_name, "--target", "h100"])
    with pytest.raises(ConfigError, match="nearest: train_step"):
        cli.run([*by_name, "--phase", "trainstep"])
    with pytest.raises(ConfigError, match="nearest: cpu"):
        cli.run([*by_name, "--target", "cpuu"])


def test_of_work_that_is_not_seen_there_is_no_share_and_limits_says_why(configs):
    target, started = configs.target("cpu"), []

    def call() -> None:
        started.append(Thread(target=lambda: torch.ones(8) + 1))
        started[-1].start()
        started[-1].join()

    bench = Bench(
        prepare_torch(target, 0), target, Protocol(repeats=1, seconds=1e-3), "fp32", nothing_to_wait_for, True
    )
    row = bench.timed("features", call, 1, "record").row()
    assert [row[name] for name in ("flops", "bytes", "mfu", "bandwidth_share")] == [None] * 4
    assert row["limits"].endswith("; not counted: it starts a thread, whose operators are not seen")


def test_the_operations_of_a_frozen_encoder_reach_its_row(project, monkeypatch):
    monkeypatch.chdir(project)
    by_name = ["measure", "--design", "s4-12x128-random", "--dataset", "ptbxl", "--size", "small", "--out", "t.csv"]
    assert cli.run([*by_name, "--phase", "features,inference", "--repeats", "1", "--seconds", "0.001"]) == 0
    features, *inference = (row for _, row in pd.read_csv("t.csv").iterrows())
    assert features["flops"] > 1e8
    of_one = features["flops"] / features["batch_size"]
    for row in inference:  # encoder and head
        assert of_one < row["flops"] / row["batch_size"] < 1.01 * of_one


@pytest.mark.parametrize(("seen", "taken"), [([False], 1), ([True, False], 2), ([True, True], 2)])
def test_disturbed_rounds_are_taken_once_more_and_say_so_if_that_does_not_help(
    configs, small_dataset, monkeypatch, seen, taken
):
    told, rounds = iter(seen), []

    def interleaved(*_given, **_more) -> Against:
        rounds.append(1)
        return Against(Shift(1.0, 0.9, 1.1, 12), Shift(1.0, 0.9, 1.1, 12), "no-verdict", [], [], [])

    monkeypatch.setattr(Watched, "conditions", lambda _: Conditions(0.3, next(told), 2000.0, False))
    monkeypatch.setattr("vitalbench.measure.interleaved.interleaved", interleaved)
    design, task, target = configs.design("s4d", "small", ""), configs.task("superdiagnostic"), configs.target("cpu")
    (row,) = against((design, design), small_dataset, task, target, Protocol(), ["train_step"])
    assert len(rounds) == taken
    assert (row["disturbed"], row["throttled"], row["clock_mhz"]) == (seen[-1], False, 2000.0)
    assert ("disturbed meanwhile" in sentence(row, "s4d", "s4d")) == seen[-1]


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [([False], [False], 1), ([True, False], [True, False], 2), ([False] * 3, [True] * 3, 3)],
)
def test_processes_that_time_together_repeat_together_what_one_of_them_saw_disturbed(
    configs, monkeypatch, ours, theirs, taken
):
    told, others = iter(ours), iter(theirs)
    monkeypatch.setattr(Watched, "conditions", lambda _: Conditions(None, next(told), None, None, 0.4))
    target, rounds = configs.target("cpu"), []

    def together(*_given) -> list[float]:
        rounds.append(1)
        return [1.0]

    monkeypatch.setattr("vitalbench.measure.bench.repeat_together", together)
    several = target.model_copy(update={"processes": 2})
    limited = Limits(Limit(1.0, "declared"), Limit(1.0, "declared"))
    monkeypatch.setattr("vitalbench.measure.bench.limits", lambda *_: limited)
    monkeypatch.setattr(
        "vitalbench.measure.bench.any_process", lambda accelerator, seen: any([seen, next(others)])
    )  # what the other process says
    bench = Bench(prepare_torch(target, 0), several, Protocol(), "fp32", nothing_to_wait_for, True)
    row = bench.timed("train_step", lambda: None, 1, "record").row()
    assert len(rounds) == taken
    assert (row["disturbed"], row["foreign_load"], row["foreign_gpu_load"]) == (ours[-1], None, 0.4)
    assert list(row)[-2:] == ["foreign_gpu_load", "core_to_core_ns"]


def test_a_phase_that_happens_once_says_what_ran_beside_it(configs, small_dataset, monkeypatch):
    monkeypatch.setattr(ForeignLoad, "share", lambda _: 0.4)
    target, protocol = configs.target("cpu"), Protocol()
    design, task = configs.design("s4d", "small", ""), configs.task("superdiagnostic")
    rows = [p.row() for p in measure(design, small_dataset, task, target, protocol, ["import", "build"], True)]
    assert [(row["phase"], row["foreign_load"], row["disturbed"]) for row in rows] == [
        ("import", 0.4, True),
        ("build", 0.4, True),
    ]
    several = target.model_copy(update={"processes": 2})
    bench = Bench(prepare_torch(target, 0), several, protocol, "fp32", nothing_to_wait_for, True)
    bench.once("build", 1.0, 0.4)  # the others of its own processes are no strangers
    assert (bench.phases[0].disturbed, bench.phases[0].row()["foreign_load"]) == (None, None)


BY_NAME = ["measure", "--design", "s4d", "--dataset", "ptbxl", "--size", "small", "--out", "t.csv"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--phase", "load_batch"], "phase 'load_batch': it reads records; name them with --store"),
        (["--phase", "train_step,loaded_step"], "phase 'loaded_step': it reads records"),
        (["--phase", "features"], "phase 'features': the design keeps no features"),
        (["--phase", "compile"], "phase 'compile': the target does not compile"),
        (["--phase", ""], "phase '': allowed: build, checkpoint, compile"),
        (["--against", "shuffled-labels", "--exclusive"], "--against .* and --exclusive do not go together"),
        (["--against", "shuffled-labels", "--store", "s.h5"], "--against .* and --store do not go together"),
        (["--against", "shuffled-labels", "--phase", "import,inference"], "phase 'import': allowed: features"),
        (["--results", "results/quick"], "--results .* and --design do not go together"),
        (["--measurement", "a/b/c/d"], "--measurement .* and --design do not go together"),
    ],
)
def test_what_would_go_unheard_is_refused_with_what_is_allowed(project, monkeypatch, more, told):
    monkeypatch.chdir(project)
    with pytest.raises(ConfigError, match=told):
        cli.run([*BY_NAME, *more])


@pytest.mark.parametrize(
    "more",
    [["--design", "s4d"], ["--phase", "train_step"], ["--repeats", "3"], ["--store", "s.h5"], ["--target", "cpu"]],
)
def test_a_suites_measurement_takes_nothing_of_its_own(quick_plan, more):
    of_suite = ["measure", "--results", str(quick_plan), "--measurement", "ptbxl/superdiagnostic/s4d/cpu"]
    with pytest.raises(ConfigError, match=f"and {more[0]} do not go together"):
        cli.run([*of_suite, *more])
    with pytest.raises(ConfigError, match="need one another"):
        cli.run(of_suite[:3])
    with pytest.raises(ConfigError, match="need one another"):
        cli.run(["measure", *of_suite[3:]])


def test_a_target_without_its_cores_or_its_prices_is_refused(project, monkeypatch):
    monkeypatch.chdir(project)
    path = project / "configs/targets/cpu.yaml"
    cpu = path.read_text()
    path.write_text(cpu.replace("threads: 2", "threads: 4000"))
    with pytest.raises(ConfigError, match=r"cpu.yaml: key 'threads' is 4000, .*allowed: \d+ in all"):
        cli.run(BY_NAME)
    path.write_text(cpu.replace("aws-m5.large", "aws-nosuch"))
    with pytest.raises(ConfigError, match=r"cpu.yaml: prices: no price of .* is named 'aws-nosuch'"):
        cli.run(BY_NAME)


def test_the_first_step_of_a_compiled_model_is_a_phase_that_may_be_asked_for(configs, small_dataset, monkeypatch):
    target = configs.target("cpu").model_copy(update={"compile": True})
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _self, **_how: None)  # tens of seconds
    design, task = configs.design("s4d", "small", ""), configs.task("superdiagnostic")
    (found,) = measure(design, small_dataset, task, target, Protocol(), ["compile"], True)
    assert (found.name, len(found.seconds), found.noise_floor) == ("compile", 1, None)
    assert found.disturbed is not None or found.conditions["foreign_load"] is None
