"""Projections between devices: what was planted is found again, and intervals hold times that no fit has seen."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.config.published import Device, Timing, read_devices, read_timings
from vitalbench.cost.held_out import held_out
from vitalbench.cost.projector import LEVEL, Projector, projector
from vitalbench.errors import ConfigError

PUBLISHED = ROOT / "configs/projection"


@pytest.fixture(scope="module")
def published():
    devices = read_devices(PUBLISHED / "devices.csv")
    return read_timings(PUBLISHED / "timings.csv", devices), devices


def planted(rng: np.random.Generator, devices: int, noise: float, own: float, share: float = 0.4):
    """Times of twelve models on devices with a peak, a bandwidth and a slowness of their own."""
    sheets = {
        f"d{n}": Device(f"d{n}", float(np.exp(rng.normal(3, 1))), float(np.exp(rng.normal(7, 1))))
        for n in range(devices)
    }
    slow = {name: rng.normal(0, own) for name in sheets}
    timings = [
        Timing(
            (f"model-{model}", "train", "1"),
            name,
            math.exp(
                model
                - share * math.log(sheet.tflops)
                - (1 - share) * math.log(sheet.gb_s)
                + slow[name]
                + rng.normal(0, noise)
            ),
        )
        for model in range(12)
        for name, sheet in sheets.items()
    ]
    return timings, sheets


def test_what_was_planted_is_found_again():
    timings, sheets = planted(np.random.default_rng(0), 6, 1e-4, 0.1)
    fitted = Projector(timings, sheets)
    by = {(timing.workload, timing.device): timing.seconds for timing in timings}
    for source in sheets:
        for target in sheets:
            if source != target:
                known = by[timings[0].workload, target] / by[timings[0].workload, source]
                assert fitted.project(source, target).ratio == pytest.approx(known, rel=2e-3)
    there, back = fitted.project("d0", "d1"), fitted.project("d1", "d0")
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)


def test_without_a_slowness_of_its_own_an_unseen_device_is_projected_from_its_data_sheet():
    timings, sheets = planted(np.random.default_rng(1), 8, 0.01, 0.0)
    fitted = projector([timing for timing in timings if timing.device != "d3"], sheets)
    by = {(timing.workload, timing.device): timing.seconds for timing in timings}
    known = by[timings[0].workload, "d3"] / by[timings[0].workload, "d0"]
    assert fitted.project("d0", "d3").ratio == pytest.approx(known, rel=0.05)


def test_an_unseen_device_has_the_wider_interval():
    timings, sheets = planted(np.random.default_rng(2), 8, 0.05, 0.15)
    fitted = projector([timing for timing in timings if timing.device != "d3"], sheets)
    seen, unseen = fitted.project("d0", "d1"), fitted.project("d0", "d3")
    assert math.log(unseen.high / unseen.low) > 1.3 * math.log(seen.high / seen.low)


def test_intervals_hold_at_least_what_they_say_of_devices_and_models_left_out():
    """Over draws of devices: in one draw they share whatever their few slownesses happen to be."""
    held: dict[str, list[bool]] = {"device": [], "model": []}
    for seed in range(5):
        timings, sheets = planted(np.random.default_rng(seed), 7, 0.05, 0.12)
        few = [timing for timing in timings if int(timing.workload[0].removeprefix("model-")) < 5]
        for one in held_out(few, sheets):
            held[one.left_out].append(one.held)
    assert np.mean(held["device"]) >= LEVEL
    assert np.mean(held["model"]) >= LEVEL
    assert np.mean(held["model"]) < 0.999  # and are not simply endless


def test_on_published_times_the_projector_beats_both_ratios_and_its_intervals_hold(published):
    asked = pd.DataFrame([*held_out(*published)])
    assert len(asked) == 2 * 282
    for left_out, most in (("device", 0.17), ("model", 0.12)):
        rows = asked[asked["left_out"] == left_out]
        assert rows["error"].mean() < most
        assert rows["error"].mean() < 0.5 * min(rows["peak"].mean(), rows["bandwidth"].mean())
        assert rows["held"].mean() >= LEVEL


def test_every_time_has_its_device_and_its_file(published):
    timings, devices = published
    assert len(timings) == 83
    assert {timing.device for timing in timings} == set(devices)
    table = pd.read_csv(PUBLISHED / "timings.csv")
    named = table["workload"].str.rsplit("-", n=1, expand=True)
    file = table["device"].str.replace(" ", "_") + "/" + named[0] + "-" + table["mode"] + "-" + named[1]
    assert (table["file"] == file + "-" + table["batch"].astype(str) + ".json").all()


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("devices.csv", ("fp32_tflops", "fp23_tflops"), "column 'fp32_tflops' is missing"),
        ("devices.csv", ("66.9", "0"), "line 2: fp32_tflops is '0'"),
        ("devices.csv", ("NVIDIA L4,", "Tesla T4,"), "device 'Tesla T4' stands there twice"),
        ("timings.csv", ("NVIDIA L4", "NVIDIA L40"), "nearest: NVIDIA L4"),
        ("timings.csv", (",0.", ",-0."), "seconds is '-0."),
        ("timings.csv", ("inf,16,", "inf,8,"), "stands there twice"),
    ],
)
def test_damaged_figures_are_one_line(tmp_path, file, change, said):
    for name in ("devices.csv", "timings.csv"):
        text = (PUBLISHED / name).read_text()
        (tmp_path / name).write_text(
            text.replace(*change, 1 if name == "timings.csv" else -1) if name == file else text
        )
    with pytest.raises(ConfigError, match=said) as refused:
        read_timings(tmp_path / "timings.csv", read_devices(tmp_path / "devices.csv"))
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_time_is_projected_to_every_gpu_and_what_connects_with_none_is_not_run(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.run(["project", "--seconds", "0.2", "--from", "a100-40"]) == 0
    out, told = capsys.readouterr()
    rows = {line.split()[0]: line.split() for line in out.splitlines()[1:]}
    assert set(rows) == {"a100-40", "a100-80", "h100", "h200", "rtx4090"}
    assert rows["a100-40"][1:3] == ["measured", "0.2"]
    assert rows["h100"][1] == "projected"
    step, low, high = map(float, rows["h100"][2:5])
    assert 0.06 < low < step < high < 0.1
    assert "no convolutional network" in told
    for arguments, said in (
        (["--seconds", "0.2", "--from", "cpu"], "not-run: no published time connects it with a GPU"),
        (["--seconds", "0.2", "--from", "a100-41"], "nearest: a100-40"),
        (["--seconds", "nan", "--from", "h100"], "must be a positive number"),
        (["--from", "h100"], "needs --seconds and --from, or --errors"),
        (["--seconds", "1", "--from", "h100", "--to", "h20"], "--to h20: .*nearest: h200"),
    ):
        with pytest.raises(ConfigError, match=said):
            cli.run(["project", *arguments])
