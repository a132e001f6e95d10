"""Projections between devices: what was planted is found again, and intervals hold times that no fit has seen."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.config.published import Device, Timing, parse_published, published_texts
from vitalbench.cost.held_out import Asked, by_pair, held_out
from vitalbench.cost.projector import LEVEL, Miss, Projector, scale
from vitalbench.cost.sheets import sheet_of
from vitalbench.errors import ConfigError

CONFIGS = ROOT / "configs"
PUBLISHED = CONFIGS / "projection"


@pytest.fixture(scope="module")
def published():
    devices, timings = parse_published(published_texts(CONFIGS), CONFIGS)
    return timings, devices


@pytest.fixture(scope="module")
def asked(published):
    """What was left out, projected; some seconds."""
    return [*held_out(*published)]


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
    fitted = Projector([timing for timing in timings if timing.device != "d3"], sheets)
    by = {(timing.workload, timing.device): timing.seconds for timing in timings}
    known = by[timings[0].workload, "d3"] / by[timings[0].workload, "d0"]
    assert fitted.project("d0", "d3").ratio == pytest.approx(known, rel=0.05)


def test_an_unseen_device_has_the_wider_interval():
    timings, sheets = planted(np.random.default_rng(2), 8, 0.05, 0.15)
    fitted = Projector([timing for timing in timings if timing.device != "d3"], sheets)
    seen, unseen = fitted.project("d0", "d1"), fitted.project("d0", "d3")
    assert math.log(unseen.high / unseen.low) > 1.3 * math.log(seen.high / seen.low)


def test_devices_that_no_workload_leads_between_have_the_wider_interval():
    timings, sheets = planted(np.random.default_rng(0), 8, noise=0.05, own=0.3)
    apart = {name: int(name[1:]) % 2 for name in sheets}
    split = [replace(t, workload=(f"{t.workload[0]} {apart[t.device]}", *t.workload[1:])) for t in timings]
    fitted, linked = Projector(split, sheets), Projector(timings, sheets)
    assert fitted.knows("d0")
    assert fitted.knows("d1")
    wide, narrow, within = fitted.project("d0", "d1"), linked.project("d0", "d1"), fitted.project("d0", "d2")
    assert wide.high / wide.low > 1.3 * narrow.high / narrow.low
    assert wide.high / wide.low > 1.3 * within.high / within.low


def test_without_times_no_gpu_is_connected_with_another(published):
    _, devices = published
    assert not Projector([], devices).connects("NVIDIA L4", "Tesla T4")


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


def test_on_published_times_the_projector_beats_both_ratios_and_its_intervals_hold(asked):
    rows = pd.DataFrame(asked)
    for left_out, most in (("device", 0.11), ("model", 0.095)):
        some = rows[rows["left_out"] == left_out]
        assert len(some) == 772
        assert some["error"].mean() < most
        assert some["error"].mean() < 0.5 * min(some["peak"].mean(), some["bandwidth"].mean())
        assert some["error"].mean() < some["blend"].mean()
        assert some["held"].mean() >= LEVEL
        assert some.groupby(["source", "target"])["held"].mean().mean() >= LEVEL  # each pair of devices once


def test_from_a_cpu_that_was_left_out_the_ratio_of_peaks_beats_the_others_and_intervals_hold(asked):
    rows = pd.DataFrame([one for one in asked if one.left_out == "cpu"])
    assert rows["source"].nunique() == 5
    assert rows["error"].to_numpy() == pytest.approx(rows["peak"].to_numpy())
    assert rows["error"].mean() < 0.5 * min(rows["blend"].mean(), rows["bandwidth"].mean())
    assert rows["held"].mean() >= LEVEL


def test_errors_by_pair_are_means_of_what_was_asked():
    told = [
        Asked("device", "a", "b", "m", 0.1, 0.2, 0.3, 0.4, True),
        Asked("device", "a", "b", "m", 0.3, 0.2, 0.3, 0.4, False),
    ]
    told += [Asked("device", "a", "c", "m", 0.5, 0.2, 0.3, 0.4, True)]
    found = {(row["source"], row["projected_to"]): row for row in by_pair(told)}
    assert found["a", "b"]["projected_error"] == pytest.approx(0.2)
    assert found["a", "b"]["held"] == 0.5
    assert found["all", "all"]["times"] == 3
    assert found["all", "all"]["projected_error"] == pytest.approx(0.3)
    assert (found["all", "all"]["held"], found["all", "all"]["held_by_pair"]) == (pytest.approx(2 / 3), 0.75)
    assert (found["all", "all"]["pairs"], found["all", "all"]["pairs_held"]) == (2, 0.5)
    assert "pairs" not in found["a", "b"]


def missed(*by: float, source: str = "s", pair: int | None = None) -> list[Miss]:
    """A group of misses, each of a pair of its own unless one is told."""
    return [
        Miss(source, ("a", f"{source} {miss} {at}" if pair is None else str(pair)), miss) for at, miss in enumerate(by)
    ]


def test_a_scale_holds_the_next_group_and_is_endless_for_too_few():
    one, two, three, four = (missed(float(miss)) for miss in (1, 2, 3, 4))
    assert scale([one, two, three]) == math.inf  # with a fourth that is missed, three of four are 75 %
    assert scale([one, two, three, four]) == 4.0
    assert scale([]) == math.inf


def test_a_scale_holds_every_source_by_itself():
    steady = [[Miss("steady", ("a", str(n)), 1.0)] for n in range(19)]
    assert scale(steady) == 1.0
    other = [Miss("other", ("a", "z"), miss) for miss in (1.0, 1.0, 9.0)]
    assert scale([*steady, other]) == 9.0  # a twentieth of the groups, a third of its source


def test_a_scale_holds_pairs_of_devices_each_counted_once():
    """Three pairs have nearly all times, and their small misses hid those of three others."""
    well = [Miss("s", ("a", str(n)), 1.0) for n in range(3) for _ in range(30)]
    badly = [Miss("s", ("b", str(n)), 5.0) for n in range(3)]
    groups = [[*well[n::10], *badly[n : n + 1]] for n in range(10)]
    assert np.mean([miss.by == 1.0 for group in groups for miss in group]) > 0.95
    assert scale(groups) == 5.0
    assert scale([[*group, *well] for group in groups[3:]]) == math.inf  # three pairs, and one more that is missed


def test_a_cpu_is_not_projected_to_a_cpu_nor_by_too_few_of_them(published):
    timings, devices = published
    fitted = Projector(timings, devices)
    assert not fitted.connects("Intel Core i9-10940X", "Intel Core i7-12700H")
    assert fitted.connects("Intel Core i9-10940X", "NVIDIA L4")
    few = [
        t
        for t in timings
        if devices[t.device].kind == "gpu" or t.device in ("Intel Core i9-10940X", "Intel Core i7-12700H")
    ]
    assert not Projector(few, devices).connects("Intel Core i9-10940X", "NVIDIA L4")
    with pytest.raises(ValueError, match="nothing published connects"):
        fitted.project("Intel Core i9-10940X", "Intel Core i7-12700H")


def test_every_time_has_its_device_and_its_source(published):
    timings, devices = published
    assert len(timings) == 388
    assert {timing.device for timing in timings} == set(devices)
    table = pd.read_csv(PUBLISHED / "timings.csv")
    told = (PUBLISHED / "SOURCE.md").read_text()
    for source in table["source"].unique():
        assert f"`{source}`" in told


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("devices.csv", ("tflops", "tflop"), "column 'tflops' is missing"),
        ("devices.csv", ("66.9", "0"), "line 2: tflops is '0'"),
        ("devices.csv", ("gpu,fp32,66.9", "gpo,fp32,66.9"), "line 2: kind is 'gpo'; .*nearest: gpu"),
        ("devices.csv", ("NVIDIA L4,", "Tesla T4,"), "device 'Tesla T4' stands there twice"),
        ("timings.csv", ("NVIDIA L4", "NVIDIA L40"), "nearest: NVIDIA L4"),
        ("timings.csv", (",0.", ",-0."), "seconds is '-0."),
        ("timings.csv", ("inf,16,", "inf,8,"), "stands there twice"),
        ("timings.csv", (",0.", ",100000."), "a day, at most"),
    ],
)
def test_damaged_figures_are_one_line(tmp_path, file, change, said):
    (tmp_path / "projection").mkdir()
    for name in ("devices.csv", "timings.csv"):
        text = (PUBLISHED / name).read_text()
        (tmp_path / "projection" / name).write_text(
            text.replace(*change, 1 if name == "timings.csv" else -1) if name == file else text
        )
    with pytest.raises(ConfigError, match=said) as refused:
        parse_published(published_texts(tmp_path), tmp_path)
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_few_times_to_leave_any_out_are_one_line():
    texts = published_texts(CONFIGS)
    few = {name: text if "devices" in name else "\n".join(text.splitlines()[:5]) for name, text in texts.items()}
    with pytest.raises(ConfigError, match="1 workloads with times of two GPUs or more, of 4 GPUs in all; 3 of each"):
        parse_published(few, CONFIGS)


def test_a_target_that_fits_several_published_devices_stands_for_none_of_them(configs, published):
    known = published[1]
    h100 = configs.target("h100")
    assert sheet_of("h100", h100, known).name == "NVIDIA H100 80GB HBM3"
    wide = h100.model_copy(update={"match": "NVIDIA"})
    found = sheet_of("h100", wide, known)
    assert (found.name, found.tflops) == ("h100", h100.peak_tflops["fp32"])


def test_a_time_is_projected_to_every_gpu_and_what_cannot_be_is_one_line(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.run(["project", "--seconds", "0.2", "--from", "a100-40"]) == 0
    out, told = capsys.readouterr()
    rows = {line.split()[0]: line.split() for line in out.splitlines()[1:]}
    assert set(rows) == {"a100-40", "a100-80", "h100", "h200", "rtx4090"}
    assert rows["a100-40"][1:3] == ["measured", "0.2"]
    assert rows["h100"][1] == "projected"
    step, low, high = map(float, rows["h100"][2:5])
    assert 0.05 < low < step < high < 0.1  # no time of the SXM card was published, so that device is one left out
    assert "an order of magnitude" in told
    for arguments, said in (
        (["--seconds", "0.2", "--from", "cpu"], "--from cpu: of a CPU --tflops says"),
        (["--seconds", "0.2", "--from", "cpu", "--tflops", "nan"], "--tflops nan: it must be a positive number"),
        (["--seconds", "0.2", "--from", "h100", "--tflops", "1"], "--from h100 is no target that is a CPU"),
        (["--seconds", "0.2", "--from", "a100-41"], "nearest: a100-40"),
        (["--seconds", "nan", "--from", "h100"], "must be a positive number"),
        (["--seconds", "1", "--from", "h100", "--out", "x.csv"], "project: --out goes with --errors"),
        (["--seconds", "1", "--from", "h100", "--results", "results/x"], "project: --results goes with --errors"),
        (["--errors", "--seconds", "1"], "project: --errors and --seconds do not go together"),
        (["--errors", "--to", "h100"], "project: --errors and --to do not go together"),
        (["--from", "h100"], "needs --seconds and --from, or --errors"),
        (["--seconds", "1", "--from", "h100", "--to", "h20"], "--to h20: .*nearest: h200"),
        (
            ["--seconds", "1", "--from", "Intel Core i9-10940X", "--to", "Intel Core i7-9750H"],
            "not-run: no published time",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            cli.run(["project", *arguments])


def test_from_a_cpu_the_interval_spans_more_than_a_factor_of_ten(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.run(["project", "--seconds", "1", "--from", "cpu", "--tflops", "0.67", "--to", "h200"]) == 0
    step, low, high = map(float, capsys.readouterr().out.splitlines()[1].split()[2:5])
    assert step == pytest.approx(0.01)
    assert high / low > 10
