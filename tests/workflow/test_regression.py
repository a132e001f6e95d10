"""The regression gate on the default suite: what did not change passes, what was planted fails, and is run again before it does."""

import json
import os
import shutil
import subprocess

import pandas as pd
import pytest

from tests.workflow.conftest import BIN, jobs, snakemake
from vitalbench.files import read_json, write_json
from vitalbench.gate.again import MOST_FURTHER
from vitalbench.gate.baseline import path_of
from vitalbench.measure.device import cpu_name

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(scope="module")
def folder(quick, tmp_path_factory):
    """A copy of the default suite's run, with a baseline of itself."""
    copy = shutil.copytree(quick.folder, tmp_path_factory.mktemp("regression") / "project", symlinks=True)
    for path in (copy / "results/quick/measure").rglob("*.json"):  # what runs beside this test is not what it is about
        measurement, written = read_json(path), path.stat()
        write_json(path, measurement | {"phases": [one | {"disturbed": False} for one in measurement["phases"]]})
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # the tables were made of it
    done = vitalbench(copy, "baseline", "update", "--results", "results/quick", "--reason", "as it is")
    assert done.returncode == 0, done.stderr
    return copy


def vitalbench(folder, *arguments):
    command = [str(BIN / "vitalbench"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def baseline(folder):
    return path_of(folder / "baselines", "quick", cpu_name())


@pytest.fixture
def planted(folder):
    """Change rows of the baseline: what was better or faster before makes now a regression."""
    path = baseline(folder)
    kept = path.read_text()

    def plant(kind, change, **place):
        content = json.loads(path.read_text())
        for row in content[kind]:
            if all(row[key] == value for key, value in place.items()):
                values = row["values"]
                row["values"] = (
                    {seed: value + change for seed, value in values.items()}
                    if kind == "accuracy"
                    else [value * change for value in values]
                )
        write_json(path, content)

    yield plant
    path.write_text(kept)


def test_a_baseline_holds_every_gated_metric_by_seed_and_every_phase(folder):
    content = read_json(baseline(folder))
    assert {row["metric"] for row in content["accuracy"]} == {"auroc", "fmax", "ece"}
    assert {tuple(row["values"]) for row in content["accuracy"] if row["design"] == "s4d"} == {("0", "1")}
    timing = pd.read_csv(folder / "results/quick/tables/timing.csv")
    assert len(content["speed"]) == len(timing.query("exclusive and phase in ['train_step', 'inference']"))
    assert [change["reason"] for change in content["changes"]] == ["as it is"]


def test_what_did_not_change_passes_through_snakemake(folder):
    found = snakemake(folder, "--cores", "2", "check")
    assert found.returncode == 0, found.stdout[-3000:]
    assert jobs(found.stdout) == {"check": 1}
    said = read_json(folder / "results/quick/log/check.json")
    assert said["verdict"] == "pass"
    assert {row["judged"]["verdict"] for row in said["rows"] if row["kind"] == "accuracy"} == {"pass"}
    assert "Nothing to be done" in snakemake(folder, "--cores", "2", "-n", "check").stdout


@pytest.mark.parametrize(
    ("kind", "change", "found_change"),
    [("accuracy", 0.03, -0.03), ("speed", 0.85, 1 / 0.85 - 1), ("speed", 1.4, 1 / 1.4 - 1)],
)
def test_what_was_planted_is_caught(folder, planted, kind, change, found_change):
    if kind == "accuracy":  # the same change of every seed, the only one that two seeds can tell
        planted(kind, change, metric="auroc", design="xresnet1d101")
    else:
        planted(kind, change, phase="train_step", design="xresnet1d101")
    found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun", "--json", "out.json")
    rows = read_json(folder / "out.json")["rows"]
    hit = [row for row in rows if row["kind"] == kind and "/xresnet1d101/" in row["place"]]
    changed = [row for row in hit if row["what"] in ("auroc", "train_step of 64")]
    assert [row["judged"]["verdict"] for row in changed] == ["fail"]
    assert changed[0]["judged"]["difference"] == pytest.approx(found_change, abs=1e-6)
    assert found.returncode == 1


def test_a_failure_is_trained_again_before_it_is_one(folder, planted):
    planted("accuracy", 0.05, metric="auroc", design="prevalence", dataset="ptbxl")
    found = vitalbench(folder, "check", "--results", "results/quick", "--json", "out.json")
    assert found.returncode == 1, found.stderr
    (row,) = [row for row in read_json(folder / "out.json")["rows"] if row["judged"]["verdict"] == "fail"]
    assert row["confirmed"]
    assert "baseline update" in found.stderr.splitlines()[-1]
    assert not list((folder / "results").glob(".quick.again.*"))


def test_a_seed_that_the_baseline_has_beside_the_suites_own_is_trained_where_they_leave_it_open(folder, planted):
    path = baseline(folder)
    content = json.loads(path.read_text())
    (row,) = [row for row in content["accuracy"] if (row["design"], row["metric"]) == ("xresnet1d101", "auroc")]
    own = dict(row["values"])
    row["values"] = {"0": own["0"] + 0.015, "1": own["1"] - 0.015, "5": 0.8}
    write_json(path, content)
    found = vitalbench(folder, "check", "--results", "results/quick", "--json", "out.json")
    (judged,) = [
        row
        for row in read_json(folder / "out.json")["rows"]
        if row["what"] == "auroc" and "/xresnet1d101/" in row["place"]
    ]
    assert "xresnet1d101/cpu: trained with seed 5 of the baseline" in found.stderr
    assert (judged["before"], judged["now"], judged["confirmed"]) == (3, 3, True)
    assert not (folder / "results/quick/runs/ptbxl/superdiagnostic/xresnet1d101/cpu/seed5-fold0").exists()
    assert not list((folder / "results").glob(".quick.again.*"))


def test_a_phase_that_fails_is_measured_again_beside_the_results(folder, planted):
    measured = folder / "results/quick/measure/ptbxl/superdiagnostic/xresnet1d101/cpu.json"
    before = measured.read_bytes()
    planted("speed", 0.5, phase="train_step", design="xresnet1d101")
    found = vitalbench(folder, "check", "--results", "results/quick", "--json", "out.json")
    assert measured.read_bytes() == before
    rows = read_json(folder / "out.json")["rows"]
    (row,) = [row for row in rows if row["what"].startswith("train_step") and "/xresnet1d101/" in row["place"]]
    assert row["confirmed"]
    assert row["now"] == 1 + MOST_FURTHER  # and no more, however far it is
    assert found.returncode == (row["judged"]["verdict"] == "fail")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device_name": "NVIDIA H100 80GB HBM3"}, "cpu.json is of 'NVIDIA H100 80GB HBM3'"),
        ({"device_name": None}, "xresnet1d101/cpu.json: key 'device_name' is None"),
        ({"phases": [{"name": "train_step", "seconds": [], "reference": [1.0]}]}, "cpu.json: phases: seconds: "),
        ({"phases": [{"name": "train_step", "seconds": [-1.0], "reference": [1.0]}]}, "cpu.json: phases: seconds.0: "),
        ({"phases": [{"nam": "train_step"}]}, "xresnet1d101/cpu.json: phases: name: "),
        ({"phases": [2 * [{}]]}, "xresnet1d101/cpu.json: phases: "),
        ({"phases": None}, "xresnet1d101/cpu.json: no list of phases"),
    ],
)
def test_a_measurement_of_another_device_or_of_nothing_is_one_line(folder, change, said):
    path = folder / "results/quick/measure/ptbxl/superdiagnostic/xresnet1d101/cpu.json"
    before = path.read_bytes()
    try:
        write_json(path, read_json(path) | change)
        found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun")
    finally:
        path.write_bytes(before)
    assert found.returncode == 2
    assert said in found.stderr.splitlines()[-1]


def test_a_phase_of_fewer_repeats_than_the_protocol_or_beyond_numbers_is_one_line(folder):
    path = folder / "results/quick/measure/ptbxl/superdiagnostic/xresnet1d101/cpu.json"
    before, content = path.read_bytes(), read_json(path)
    (step,) = [phase for phase in content["phases"] if phase["name"] == "train_step"]
    whole = step["seconds"], step["reference"]
    try:
        for seconds, reference, said in (
            (whole[0][:1], whole[1][:1], "train_step: 1 repeats, the suite's protocol asks for 22"),
            ([1e308] * 22, [1e-308] * 22, "train_step: 1e+308 s over a reference of 1e-308 s: no ratio"),
        ):
            step["seconds"], step["reference"] = seconds, reference
            write_json(path, content)
            for command in (["check", "--no-rerun"], ["baseline", "update", "--reason", "x", "--baseline", "b.json"]):
                found = vitalbench(folder, *command, "--results", "results/quick")
                assert found.returncode == 2
                assert said in found.stderr.splitlines()[-1]
    finally:
        path.write_bytes(before)


def test_another_baseline_does_not_speak_for_the_suites_own(folder):
    shutil.copy(baseline(folder), folder / "other.json")
    (folder / "results/quick/gated.json").unlink(missing_ok=True)
    found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun", "--baseline", "other.json")
    assert found.returncode == 0, found.stderr
    assert not (folder / "results/quick/gated.json").exists()


def test_a_score_that_is_gone_or_no_number_and_a_run_that_is_gone_do_not_pass(folder):
    run = folder / "results/quick/runs/ptbxl/superdiagnostic/xresnet1d101/cpu/seed1-fold0"
    before = (run / "metrics.json").read_bytes()
    content = read_json(run / "metrics.json")
    (row,) = [
        one
        for one in content["rows"]
        if (one["split"], one["subgroup"], one["metric"], one["label"]) == ("test", "all", "auroc", "macro")
    ]
    for value, code, said in (
        (None, 1, "no value in seed1-fold0"),
        ("0.8", 2, "auroc of the test split is '0.8', allowed: 0 to 1"),
        (5.0, 2, "auroc of the test split is 5.0, allowed: 0 to 1"),
    ):
        row["value"] = value
        write_json(run / "metrics.json", content)
        found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun")
        assert found.returncode == code
        assert said in found.stderr
    row["value"] = 0.8
    content["rows"].append(row)
    write_json(run / "metrics.json", content)
    found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun")
    assert found.returncode == 2
    assert "auroc of the test split is listed 2 times" in found.stderr
    (run / "metrics.json").write_bytes(before)
    status = (run / "status.json").read_text()
    (run / "status.json").write_text(status.replace('"measured"', '"banana"'))
    found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun")
    assert found.returncode == 2
    assert "status is 'banana'; allowed: " in found.stderr
    (run / "status.json").write_text(status.replace('"measured"', '"not-allowed"'))
    found = vitalbench(folder, "check", "--results", "results/quick", "--no-rerun")
    assert found.returncode == 1
    assert "no value in seed1-fold0, which is not-allowed" in found.stderr
    (run / "status.json").write_text(status)
    (run / "status.json").rename(run / "aside.json")
    try:
        for command in (["check", "--no-rerun"], ["baseline", "update", "--reason", "x", "--baseline", "b.json"]):
            found = vitalbench(folder, *command, "--results", "results/quick")
            assert found.returncode == 1
            assert "did not run to its end" in found.stderr
        assert not (folder / "b.json").exists()
    finally:
        (run / "aside.json").rename(run / "status.json")


def test_a_baseline_of_another_device_and_one_that_is_damaged_are_refused(folder, tmp_path):
    content = read_json(baseline(folder)) | {"device": "Another CPU"}
    write_json(tmp_path / "other.json", content)
    found = vitalbench(folder, "check", "--results", "results/quick", "--baseline", str(tmp_path / "other.json"))
    assert found.returncode == 2
    assert "'Another CPU'" in found.stderr
    (tmp_path / "torn.json").write_text("{")
    found = vitalbench(folder, "check", "--results", "results/quick", "--baseline", str(tmp_path / "torn.json"))
    assert found.returncode == 2
    assert "torn.json" in found.stderr
