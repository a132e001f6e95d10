"""Timing: warm-ups apart, enough repeats and enough seconds, every sample kept, the device declared or nothing."""

import pandas as pd
import pytest

from vitalbench import cli
from vitalbench.config.schema import Protocol
from vitalbench.errors import ConfigError, GateError
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.measure.device import mismatch
from vitalbench.measure.phases import Phase
from vitalbench.measure.steps import repeat


def test_warm_ups_are_apart_and_both_bounds_hold(monkeypatch):
    calls = []
    clock = iter(range(1000))
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", lambda: float(next(clock)))
    protocol = Protocol(warmup=3, repeats=5, seconds=7.0)
    seconds = repeat(lambda: calls.append(1), protocol, nothing_to_wait_for)
    assert len(seconds) == 7
    assert len(calls) == 3 + 7


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
        "--out",
        "t.csv",
    ]
    assert cli.run(arguments) == 0
    table = pd.read_csv("t.csv")
    assert table["phase"].tolist() == ["build", "inference", "inference", "inference"]
    assert (table["median_s"] > 0).all()
    assert table["batch_size"].tolist()[1:] == [1, 32, 64]
    assert table["device_name"].notna().all()


def test_the_command_refuses_other_silicon_with_1_and_an_unknown_phase_with_2(project, monkeypatch):
    monkeypatch.chdir(project)
    by_name = ["measure", "--design", "s4d", "--dataset", "ptbxl", "--out", "t.csv"]
    with pytest.raises(GateError, match="refused"):
        cli.run([*by_name, "--target", "h100"])
    with pytest.raises(ConfigError, match="nearest: train_step"):
        cli.run([*by_name, "--phase", "trainstep"])
    with pytest.raises(ConfigError, match="nearest: cpu"):
        cli.run([*by_name, "--target", "cpuu"])
