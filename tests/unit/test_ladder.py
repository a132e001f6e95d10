"""The ladder: power laws by known answers, what is refused, and the rows of a suite's runs."""

from types import SimpleNamespace

import numpy as np
import pytest

from vitalbench.config.plan import Cell
from vitalbench.evaluate.power_law import FEWEST, extrapolate, fit
from vitalbench.files import read_json, write_json
from vitalbench.report.ladder_rows import ladder_rows

PATIENTS = np.array([150.0, 300.0, 600.0, 1200.0, 2400.0])


def law(patients, floor=0.05, scale=1.5, exponent=0.4):
    return floor + scale * np.asarray(patients) ** -exponent


def drawn(errors, spread=0.004, count=400, seed=0):
    return errors + np.random.default_rng(seed).normal(0, spread, (count, len(errors)))


def test_a_law_without_noise_is_found_again():
    for floor, scale, exponent in ((0.0, 2.0, 0.5), (0.05, 1.5, 0.4), (0.1, 0.8, 0.3)):
        found = fit(PATIENTS, law(PATIENTS, floor, scale, exponent)[None])
        assert found.at(18869)[0] == pytest.approx(law(18869, floor, scale, exponent), rel=0.02)
        assert found.exponent[0] == pytest.approx(exponent, rel=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = []
    for seed in range(60):
        errors = law(PATIENTS) + np.random.default_rng(seed).normal(0, 0.004, 5)
        found = extrapolate(PATIENTS, errors, drawn(errors, seed=1000 + seed), 9600)
        held.append(found.low <= law(9600) <= found.high)
    assert np.mean(held) >= 0.85


def test_farther_away_is_less_sure():
    errors = law(PATIENTS)
    near, far = (extrapolate(PATIENTS, errors, drawn(errors), to) for to in (4800, 24000))
    assert far.high - far.low > near.high - near.low
    assert near.low < near.error < near.high


@pytest.mark.parametrize(
    ("errors", "replicates", "to", "told"),
    [
        (law(PATIENTS[:3]), drawn(law(PATIENTS[:3])), 4800, f"3 rungs with an interval; .* needs {FEWEST}"),
        (law(PATIENTS), drawn(law(PATIENTS)), 24001, "more than 10 times the largest rung's"),
        (np.full(5, 0.2), drawn(np.full(5, 0.2)), 4800, "does not fall"),
        (law(PATIENTS)[::-1], drawn(law(PATIENTS)[::-1]), 4800, "does not fall"),
        (np.array([0.2, 0.1, 0.05, 0.01, 0.0]), drawn(law(PATIENTS)), 4800, "no error left to fall"),
    ],
)
def test_what_has_no_law_is_not_extrapolated(errors, replicates, to, told):
    import re

    found = extrapolate(PATIENTS[: len(errors)], errors, replicates, to)
    assert found.error is None
    assert re.search(told, found.reason)


@pytest.fixture
def results(tmp_path):
    """A suite of one design on five rungs, two seeds each, whose errors follow the law."""

    def make(value_of=lambda patients: 1 - law(patients), rungs=PATIENTS, direction="higher"):
        groups, folders = {}, {}
        for at, patients in enumerate(rungs.astype(int).tolist()):
            name = f"ptbxl@{patients}"
            folders[name] = tmp_path / name
            write_json(
                folders[name] / "manifest.json",
                {"patients": patients, "records": patients * 2, "parts": {"part-0000.h5": {}}},
            )
            (folders[name] / "parts").mkdir(exist_ok=True)
            (folders[name] / "parts/part-0000.h5").write_bytes(bytes(24 * patients))
            runs = []
            for seed in (0, 1):
                folder = tmp_path / f"run-{patients}-{seed}"
                value = value_of(patients) + (0.001 if seed else -0.001)
                row = {"split": "test", "subgroup": "all", "metric": "auroc", "label": "macro", "value": value}
                write_json(folder / "metrics.json", {"rows": [row]})
                write_json(folder / "provenance.json", {"facts": {"steps": 10 * patients, "steps_an_epoch": patients}})
                series = value + np.random.default_rng([at, seed]).normal(0, 0.004, 300)
                np.savez(folder / "replicates.npz", **{"test|all|auroc|macro": series.astype(np.float32)})
                cell = Cell(name, "superdiagnostic", "net", "cpu", seed, 0)
                runs.append(
                    SimpleNamespace(folder=folder, cell=cell, read=lambda file, folder=folder: read_json(folder / file))
                )
            groups[name, "superdiagnostic", "net", "cpu"] = runs
        step = {"name": "train_step", "seconds": [0.36] * 5, "items": 1, "unit": "record", "batch_size": 1}
        write_json(tmp_path / "measured.json", {"phases": [step]})
        return SimpleNamespace(
            scored_groups=groups,
            task=lambda name: SimpleNamespace(primary="auroc", direction=direction),
            store_folder=folders.__getitem__,
            measurement=lambda cell: tmp_path / "measured.json",
            dataset=lambda name: SimpleNamespace(expected=SimpleNamespace(patients=18869)),
        )

    return make


def test_a_rung_tells_what_it_was_made_of(results):
    *rungs, beyond = ladder_rows(results())
    assert [row["patients"] for row in rungs] == PATIENTS.tolist()
    assert {row["basis"] for row in rungs} == {"measured"}
    last = rungs[-1]
    assert (last["dataset"], last["records"], last["bytes"], last["n_seeds"]) == ("ptbxl", 4800, 57600, 2)
    assert last["hours"] == pytest.approx(0.36 * 24000 / 3600)
    assert last["ci_low"] < last["value"] < last["ci_high"]
    assert beyond["basis"] == "extrapolated"


def test_what_comes_next_is_asked_of_the_whole_release(results):
    beyond = list(ladder_rows(results()))[-1]
    assert beyond["patients"] == 18869
    assert beyond["records"] == 2 * 18869
    assert beyond["bytes"] == 24 * 18869
    assert beyond["hours"] == pytest.approx(0.36 * 188690 / 3600)
    assert beyond["ci_low"] < beyond["value"] < beyond["ci_high"]
    assert beyond["value"] == pytest.approx(1 - law(18869), abs=0.015)
    assert beyond["value"] <= beyond["limit"] <= 1
    assert not beyond["reason"]


def test_of_a_release_too_far_away_the_farthest_that_is_not_is_told_too(results):
    near, far = list(ladder_rows(results(rungs=PATIENTS[:4])))[-2:]
    assert (near["patients"], far["patients"]) == (12000, 18869)
    assert near["ci_low"] < near["value"] < near["ci_high"]
    assert far.get("value") is None
    assert "more than 10 times" in far["reason"]


def test_a_metric_that_is_to_be_low_falls_itself(results):
    beyond = list(ladder_rows(results(law, direction="lower")))[-1]
    assert beyond["value"] == pytest.approx(law(18869), abs=0.015)
    assert beyond["ci_low"] < beyond["value"] < beyond["ci_high"]


def test_nothing_is_extrapolated_of_three_rungs_or_of_a_metric_that_stays(results):
    few = list(ladder_rows(results(rungs=PATIENTS[2:])))[-1]
    assert few.get("value") is None
    assert "3 rungs with an interval" in few["reason"]
    flat = list(ladder_rows(results(lambda patients: 0.5)))[-1]
    assert flat.get("value") is None
    assert "does not fall" in flat["reason"]


def test_a_rung_without_an_interval_is_left_out_and_told(results):
    found = results()
    for run in found.scored_groups["ptbxl@150", "superdiagnostic", "net", "cpu"]:
        np.savez(run.folder / "replicates.npz", **{"test|all|auroc|A": np.zeros(1)})
    *rungs, beyond = ladder_rows(found)
    assert rungs[0]["ci_low"] is None
    assert beyond["value"] == pytest.approx(1 - law(18869), abs=0.02)
    assert beyond["reason"] == "left out, for it has no interval: the rung of 150 patients"


def test_a_suite_of_one_size_has_no_ladder(results):
    assert list(ladder_rows(results(rungs=PATIENTS[:1]))) == []
