"""The ladder: power laws by known answers, what is refused, and the rows of a suite's runs."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

from vitalbench.config.plan import Cell
from vitalbench.config.schema import Split
from vitalbench.errors import InputError
from vitalbench.evaluate.power_law import FEWEST, LEAST_EXPONENT, MOST_EXPONENT, extrapolate, fit
from vitalbench.files import read_json, write_json
from vitalbench.report.ladder_rows import ladder_rows
from vitalbench.split.assign import assign

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


def least_squares_of(patients, errors):
    """The least sum of squares that scipy finds from several starts, and its law."""
    times = patients / patients[0]

    def off(law):
        return law[0] + law[1] * times ** -law[2] - errors

    least = LEAST_EXPONENT, MOST_EXPONENT
    starts = [(errors.min() / 2, max(errors[0] - errors.min(), 1e-3), start) for start in (0.05, 0.3, 1, 3, 8)]
    bounds, fine = ([0, 0, least[0]], [np.inf, np.inf, least[1]]), dict.fromkeys(("ftol", "xtol", "gtol"), 1e-14)
    return min((least_squares(off, start, bounds=bounds, **fine) for start in starts), key=lambda found: found.cost)


@pytest.mark.parametrize(
    ("patients", "errors", "to", "level"),
    [
        ([100, 200, 400, 800], [0.40, 0.20, 0.199, 0.198], 8000, 0.198),
        ([120, 240, 480, 960], [0.35, 0.15, 0.145, 0.144], 9600, 0.144),
        ([150, 300, 600, 1200], [0.30, 0.27, 0.25, 0.235], 8000, None),
        ([60, 120, 240, 480], [0.411, 0.500, 0.432, 0.337], 4800, None),
    ],
)
def test_the_fit_is_the_least_squares_of_the_errors(patients, errors, to, level):
    """Also of a fall that has levelled off, which a line through logarithms extrapolates to half of what was measured."""
    patients, errors = np.array(patients, dtype=float), np.array(errors)
    found, known = fit(patients, errors[None]), least_squares_of(patients, errors)
    left = sum((found.at(rung)[0] - error) ** 2 for rung, error in zip(patients, errors, strict=True))
    assert left == pytest.approx(2 * known.cost, rel=1e-6)
    floor, scale, exponent = known.x
    assert found.at(to)[0] == pytest.approx(floor + scale * (to / patients[0]) ** -exponent, abs=1e-5)
    assert level is None or found.at(to)[0] == pytest.approx(level, abs=0.001)


def test_no_errors_are_fitted_worse_than_scipy_fits_them():
    rng = np.random.default_rng(5)
    patients = np.array([100.0, 180.0, 500.0, 900.0, 2000.0])
    for errors in np.abs(np.sort(rng.uniform(0.02, 0.5, (15, 5)))[:, ::-1] + rng.normal(0, 0.02, (15, 5))):
        found = fit(patients, errors[None])
        left = sum((found.at(rung)[0] - error) ** 2 for rung, error in zip(patients, errors, strict=True))
        assert left <= 2 * least_squares_of(patients, errors).cost * (1 + 1e-6) + 1e-12
        assert found.floor[0] >= 0
        assert found.scale[0] >= 0


def test_an_interval_of_a_fall_that_has_levelled_off_holds_the_last_rung():
    patients, errors = np.array([100.0, 200.0, 400.0, 800.0]), np.array([0.40, 0.20, 0.199, 0.198])
    found = extrapolate(patients, errors, drawn(errors, 0.002), 8000)
    assert found.low < 0.198 < found.high
    assert found.at_last == pytest.approx(0.198, abs=0.001)


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
    found = extrapolate(PATIENTS[: len(errors)], errors, replicates, to)
    assert found.error is None
    assert re.search(told, found.reason)


@pytest.fixture
def results(tmp_path):
    """A suite of one design on five rungs of a task, two seeds each, whose errors follow the law, tested on the same patients."""

    def make(value_of=lambda patients: 1 - law(patients), rungs=PATIENTS, direction="higher", of_dataset=False):
        groups, splits = {}, {}
        store = tmp_path / "store"
        whole = int(max(rungs)) * 2
        write_json(store / "manifest.json", {"patients": whole, "records": whole * 2, "parts": {"part-0000.h5": {}}})
        (store / "parts").mkdir(exist_ok=True)
        (store / "parts/part-0000.h5").write_bytes(bytes(24 * whole))
        tested = np.random.default_rng(7).normal(
            0, 0.02, 300
        )  # what the sample of test patients does to every rung alike
        for at, patients in enumerate(rungs.astype(int).tolist()):
            dataset = f"ptbxl@{patients}" if of_dataset else "ptbxl"
            name = "superdiagnostic" if of_dataset else f"superdiagnostic@{patients}"
            rows = [f"r{n},p{n // 2},{'train' if n < 2 * patients else 'unused'}" for n in range(2 * whole)]
            splits[name] = tmp_path / f"split-{patients}.csv"
            splits[name].write_text("\n".join(["record_id,patient_id,split", *rows]))
            runs = []
            for seed in (0, 1):
                folder = tmp_path / f"run-{patients}-{seed}"
                value = value_of(patients) + (0.001 if seed else -0.001)
                row = {"split": "test", "subgroup": "all", "metric": "auroc", "label": "macro", "value": value}
                write_json(folder / "metrics.json", {"rows": [row]})
                write_json(folder / "provenance.json", {"facts": {"steps": 10 * patients, "steps_an_epoch": patients}})
                series = value + tested + np.random.default_rng([at, seed]).normal(0, 0.002, 300)
                np.savez(folder / "replicates.npz", **{"test|all|auroc|macro": series.astype(np.float32)})
                cell = Cell(dataset, name, "net", "cpu", seed, 0)
                runs.append(
                    SimpleNamespace(folder=folder, cell=cell, read=lambda file, folder=folder: read_json(folder / file))
                )
            groups[dataset, name, "net", "cpu"] = runs
        step = {"name": "train_step", "seconds": [0.36] * 5, "items": 1, "unit": "record", "batch_size": 1}
        step["exclusive"] = True
        write_json(tmp_path / "measured.json", {"phases": [step]})
        return SimpleNamespace(
            scored_groups=groups,
            task=lambda name: SimpleNamespace(
                primary="auroc", direction=direction, split=Split(method="official", column="strat_fold")
            ),
            store_folder=lambda name: store,
            split=lambda dataset, task, fold: splits[task],
            measurement=lambda cell: tmp_path / "measured.json",
            dataset=lambda name: SimpleNamespace(
                expected=SimpleNamespace(patients=23586)
            ),  # 18,869 of them to train on
        )

    return make


def test_a_planted_law_is_found_again_beyond_the_rungs(results):
    """Rungs that share their test patients: what the sample does to all of them alike does not bend the law."""
    beyond = list(ladder_rows(results()))[-1]
    assert beyond["patients"] == 18869
    assert beyond["value"] == pytest.approx(1 - law(18869), abs=0.01)
    assert beyond["ci_low"] < 1 - law(18869) < beyond["ci_high"]
    assert beyond["ci_high"] - beyond["ci_low"] < 0.15


def test_rungs_with_test_patients_of_their_own_are_told_and_not_extrapolated(results):
    *rungs, beyond = ladder_rows(results(of_dataset=True))
    assert len(rungs) == 5
    assert beyond.get("value") is None
    assert "test patients of its own" in beyond["reason"]


@pytest.mark.parametrize("method", ["official", "patient-hash"])
def test_rungs_are_nested_and_tested_on_the_same_patients(configs, method):
    patients = [f"p{number // 2}" for number in range(2000)]
    records = pd.DataFrame(
        {
            "record_id": [f"r{number}" for number in range(2000)],
            "patient_id": patients,
            "strat_fold": [number // 2 % 10 + 1 for number in range(2000)],
            "labels:superdiagnostic": [["NORM"]] * 2000,
            "group:sex": "male",
            "group:age_band": "60-69",
        }
    )
    found = {}
    for wanted in (50, 100, 400, None):
        task = configs.task(f"superdiagnostic@{wanted}" if wanted else "superdiagnostic")
        task = task.model_copy(update={"split": task.split.model_copy(update={"method": method})})
        split = assign(records, task, 0).groupby("split")["patient_id"].agg(set)
        found[wanted] = split
        assert len(split["train"]) == wanted or wanted is None
    assert found[50]["train"] < found[100]["train"] < found[400]["train"] < found[None]["train"]
    for split in found.values():
        assert split["test"] == found[None]["test"]
        assert split["val"] == found[None]["val"]
        assert not split["test"] & found[None]["train"]
    with pytest.raises(InputError, match="train_patients is 999; the split has"):
        assign(records, configs.task("superdiagnostic@999"), 0)


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


@pytest.mark.parametrize(("direction", "more"), [("higher", "more"), ("lower", "less")])
def test_an_interval_that_leaves_out_the_last_rung_says_why(results, direction, more):
    def value_of(patients):
        steep = law(patients, floor=0, scale=4)
        return 1 - steep if direction == "higher" else steep

    *rungs, beyond = ladder_rows(results(value_of, direction=direction))
    last = rungs[-1]["value"]
    assert not beyond["ci_low"] <= last <= beyond["ci_high"]
    expected = rf"leaves out the {last:.3f} measured with 2,400 patients: the law has 0\.\d+ there, and 0\.\d+ {more} with 18,869"
    assert re.search(expected, beyond["reason"])


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
    for run in found.scored_groups["ptbxl", "superdiagnostic@150", "net", "cpu"]:
        np.savez(run.folder / "replicates.npz", **{"test|all|auroc|A": np.zeros(1)})
    *rungs, beyond = ladder_rows(found)
    assert rungs[0]["ci_low"] is None
    assert beyond["value"] == pytest.approx(1 - law(18869), abs=0.02)
    assert beyond["reason"] == "left out, for it has no interval: the rung of 150 patients"


def test_a_suite_of_one_size_has_no_ladder(results):
    assert list(ladder_rows(results(rungs=PATIENTS[:1]))) == []
