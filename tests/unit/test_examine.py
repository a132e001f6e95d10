"""What a clinic asks of predictions: each part against a known answer, and all of them from the command line."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.special import expit
from scipy.stats import binomtest, norm
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve, roc_auc_score

from vitalbench import cli
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.calibration import calibrated, calibration_rows, fit_platt, fit_temperature
from vitalbench.evaluate.conformal import conformal_rows
from vitalbench.evaluate.disparity import disparity_rows
from vitalbench.evaluate.ensemble import aligned, disagreement, ensemble_rows, entropy, together
from vitalbench.evaluate.failures import failure_rows
from vitalbench.evaluate.operating import operating_points
from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.report import figures
from vitalbench.report.curves import precision_recall
from vitalbench.report.examination import examined
from vitalbench.report.examined_figures import examined_panels
from vitalbench.tables import names, read_table


def predictions(n: int = 2000, seed: int = 0, shift: float = 0.0, slope: float = 1.0, gap: float = 0.0) -> Predictions:
    """Two classes of a calibrated logit z, told as slope z + shift; in group B the signal is `gap` weaker. One record a patient."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.5, 1.5, (n, 2))
    y = (rng.random((n, 2)) < expit(z)).astype(float)
    group = rng.integers(0, 2, n)
    seen = z + gap * group[:, None] * rng.normal(0, 1.5, z.shape)
    return Predictions(
        ["A", "B"],
        np.array([f"r{i}" for i in range(n)], dtype=object),
        np.array([f"p{i}" for i in range(n)], dtype=object),
        np.array(["val", "test"], dtype=object)[np.arange(n) % 2],
        y,
        expit(slope * seen + shift),
        pd.DataFrame({"site": np.array(["a", "b"], dtype=object)[group]}),
        None,
    )


def written(found: Predictions, path):
    table = pd.DataFrame({"record_id": found.record_id, "patient_id": found.patient_id, "split": found.split})
    for k, name in enumerate(found.classes):
        table[f"y_true:{name}"], table[f"y_prob:{name}"] = found.y[:, k], found.p[:, k]
    table["group:site"] = found.groups["site"]
    table.to_csv(path, index=False)
    return path


def test_the_confusion_matrix_is_that_of_the_threshold_on_the_test_records():
    found = predictions()
    test = found.split == "test"
    for row in operating_points(found, 50, 0):
        k = found.classes.index(row["label"])
        tn, fp, fn, tp = confusion_matrix(found.y[test, k], found.p[test, k] >= row["threshold"]).ravel()
        assert (row["tn"], row["fp"], row["fn"], row["tp"]) == (tn, fp, fn, tp)
        assert row["sensitivity"] == pytest.approx(tp / (tp + fn))
        assert row["ppv"] == pytest.approx(tp / (tp + fp))
        assert row["sensitivity_low"] <= row["sensitivity"] <= row["sensitivity_high"]
        assert row["chosen_on"] == "val"


@pytest.mark.parametrize(("rule", "which"), [("sensitivity-90", 1), ("specificity-90", 0)])
def test_a_rule_holds_on_the_validation_records_and_no_next_threshold_would(rule, which):
    found = predictions()
    val = found.split == "val"
    for row in (row for row in operating_points(found, 5, 0) if row["rule"] == rule):
        k = found.classes.index(row["label"])
        y, p = found.y[val, k], found.p[val, k]
        mine = p[y == which]

        def rate(threshold, mine=mine):
            return np.mean(mine >= threshold) if which else np.mean(mine < threshold)

        assert rate(row["threshold"]) >= 0.9
        others = np.unique(p)
        further = others[others > row["threshold"]].min() if which else others[others < row["threshold"]].max()
        assert rate(further) < 0.9


def test_a_class_without_both_truths_in_validation_is_decided_at_one_half():
    found = predictions(200)
    found.y[found.split == "val", 0] = 0
    rows = [row for row in operating_points(found, 5, 0) if row["label"] == "A"]
    assert {(row["threshold"], row["chosen_on"]) for row in rows} == {(0.5, "fixed")}


def test_temperature_and_platt_give_back_what_was_done_to_the_logits():
    rng = np.random.default_rng(1)
    z = rng.normal(0, 2, 40_000)
    y = (rng.random(len(z)) < expit(z)).astype(float)
    w = np.ones(len(z))
    assert fit_temperature(y, 2.5 * z, w) == pytest.approx(2.5, rel=0.03)
    slope, shift = fit_platt(y, (z + 1.5) / 0.5, w)
    assert slope == pytest.approx(0.5, rel=0.03)
    assert shift == pytest.approx(-1.5, abs=0.05)


def test_calibration_undoes_a_shift_on_the_test_records_and_ranks_as_before():
    found = predictions(6000, shift=2.0)  # as weighted positives leave it
    rows = {(row["method"], row["label"]): row for row in calibration_rows(found, 50, 0)}
    for name in found.classes:
        raw, platt = rows["raw", name], rows["platt", name]
        assert raw["ece"] > 0.15
        assert platt["ece"] < 0.04
        assert platt["log_loss"] < raw["log_loss"]
        assert platt["shift"] == pytest.approx(-2.0, abs=0.3)
        assert raw["ece_low"] < raw["ece"] < raw["ece_high"]
    p = calibrated(found)["platt"][0]
    assert roc_auc_score(found.y[:, 0], p[:, 0]) == pytest.approx(roc_auc_score(found.y[:, 0], found.p[:, 0]))


def test_a_map_that_is_no_fit_says_so():
    """A ranks validation the wrong way round, so the slope ends at its bound; validation has no B: its map is none."""
    found = predictions(400)
    found.p[:, 0] = 1 - found.p[:, 0]
    found.y[found.split == "val", 1] = 0
    rows = {(row["method"], row["label"]): row for row in calibration_rows(found, 5, 0)}
    assert rows["platt", "A"]["fit"] == rows["temperature", "A"]["fit"] == "lowest-slope"
    assert rows["platt", "A"]["slope"] == pytest.approx(np.exp(-4))
    assert rows["platt", "B"]["fit"] == "unfitted"
    assert (rows["platt", "B"]["slope"], rows["platt", "B"]["shift"]) == (1.0, 0.0)
    assert rows["raw", "A"]["fit"] == ""
    straight = {(row["method"], row["label"]): row["fit"] for row in calibration_rows(predictions(400), 5, 0)}
    assert {straight[method, label] for method in ("platt", "temperature") for label in "AB"} == {"fitted"}


def test_a_line_between_the_truths_has_a_map_of_finite_slope():
    found = predictions(100)
    found.p[:] = np.where(found.y > 0, 0.9, 0.1)
    assert all(np.isfinite(row["slope"]) and np.isfinite(row["log_loss"]) for row in calibration_rows(found, 5, 0))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_sets_cover_what_was_asked_whatever_the_probabilities_are(level):
    """Exchangeable records: coverage of each truth is the level, within four standard errors, though probabilities are shifted."""
    found = predictions(12_000, shift=1.0, slope=0.3)
    for row in conformal_rows(found, level, 100, 0):
        standard = np.sqrt(level * (1 - level) * (1 / row["n_records"] + 1 / row["n_calibration"]))
        assert abs(row["coverage"] - level) < 4 * standard
        assert row["coverage_low"] < row["coverage"] < row["coverage_high"]
        assert row["empty"] + row["decided"] + row["undecided"] == pytest.approx(1)


def test_sets_of_records_that_count_differently_cover_what_was_asked():
    """Records that count five times are harder, so a quantile that counts each once would cover too little."""
    found = predictions(16_000)
    rng = np.random.default_rng(7)
    weight = np.where(rng.random(len(found.y)) < 0.5, 5.0, 1.0)
    noise = np.where(weight == 5, 3.0, 0.3)[:, None] * rng.normal(0, 1, found.y.shape)
    found = replace(found, p=expit(3 * (found.y - 0.5) + noise), weight=weight)
    for row in conformal_rows(found, 0.9, 50, 0):
        assert row["coverage"] == pytest.approx(0.9, abs=0.02)


def test_a_record_of_no_weight_is_none():
    found = predictions(400)
    weight = np.ones(400)
    weight[:100] = 0
    told = [
        {name: list(rows) for name, rows in examined([some], 0.9, 20, 0, 3).items()}
        for some in (replace(found, weight=weight), found.take(np.arange(400) >= 100))
    ]
    assert told[0] == told[1]


def test_too_few_records_rule_nothing_out():
    found = predictions(60)
    val = np.flatnonzero(found.split == "val")
    found.y[val, 0] = 0
    found.y[val[:3], 0] = 1
    rows = [row for row in conformal_rows(found, 0.9, 20, 0) if row["label"] == "A" and row["truth"] == "positive"]
    assert rows[0]["n_calibration"] == 3
    assert rows[0]["coverage"] == 1.0
    assert rows[0]["bounded"] is False
    found.y[val[:9], 0] = 1
    rows = [row for row in conformal_rows(found, 0.9, 20, 0) if row["label"] == "A" and row["truth"] == "positive"]
    assert rows[0]["bounded"] is True


def test_a_gap_between_subgroups_is_found_and_none_where_there_is_none():
    found = disparity_rows(predictions(4000, gap=1.0), 300, 0)
    rows = {(row["subgroup"], row["metric"], row["label"]): row for row in found}
    for label in ("A", "B", "macro"):
        stronger = rows["site=a", "auroc", label]
        assert stronger["difference_low"] > 0
        assert stronger["p_corrected"] < 0.05
    assert {subgroup for subgroup, _, _ in rows} == {"site=a"}  # of two, one says it all
    found = predictions(4000, gap=1.0)
    test = (found.split == "test") & (found.groups["site"] == "b").to_numpy()
    assert rows["site=a", "auroc", "A"]["rest"] == pytest.approx(roc_auc_score(found.y[test, 0], found.p[test, 0]))
    alike = [row for row in disparity_rows(predictions(4000, seed=3), 300, 0) if row["metric"] == "auroc"]
    assert all(row["difference_low"] < 0 < row["difference_high"] for row in alike)


def test_whose_group_is_unknown_is_neither_a_subgroup_nor_among_the_rest():
    found = predictions(2000)
    groups = found.groups["site"].to_numpy(copy=True)
    groups[:500] = "unknown"
    told = list(disparity_rows(replace(found, groups=pd.DataFrame({"site": groups}, dtype=object)), 50, 0))
    assert {row["subgroup"] for row in told} == {"site=a"}
    groups[:500] = None
    assert told == list(disparity_rows(replace(found, groups=pd.DataFrame({"site": groups}, dtype=object)), 50, 0))


@pytest.mark.parametrize(
    ("values", "subgroup", "patients", "why"),
    [
        (["one"], "dev=one", 200, "nobody else's is another and known"),
        (["one", "unknown"], "dev=one", 100, "nobody else's is another and known"),
        (["unknown", None], "dev=unknown", 200, "no test record tells it"),
    ],
)
def test_a_grouping_with_nobody_to_compare_says_so(values, subgroup, patients, why):
    found = predictions(400)
    column = np.array([values[i // 2 % len(values)] for i in range(400)], dtype=object)
    (row,) = disparity_rows(replace(found, groups=pd.DataFrame({"dev": column}, dtype=object)), 10, 0)
    assert (row["subgroup"], row["n_patients"], row["n_rest"], row["value"]) == (subgroup, patients, 0, None)
    assert row["reason"] == why


def test_an_ece_leans_upward_under_resampling_as_the_documents_say():
    found = predictions(300, seed=2)
    rows = [row for row in calibration_rows(found, 200, 0) if row["method"] == "raw"]
    assert all((row["ece_low"] + row["ece_high"]) / 2 > row["ece"] for row in rows)


def test_a_subgroup_of_few_patients_is_not_compared():
    found = predictions(400)
    groups = found.groups["site"].to_numpy(copy=True)
    groups[:] = "a"
    groups[np.flatnonzero(found.split == "test")[:6]] = "b"
    found.groups["site"] = groups
    (row,) = disparity_rows(found, 20, 0)
    assert (row["subgroup"], row["n_patients"], row["n_labels"], row["value"]) == ("site=a", 194, 0, None)
    assert row["reason"] == "no class has 5 positive and 5 negative patients on both sides"


def test_members_that_are_as_good_and_independent_are_better_together():
    """The mean of m noisy readings of one signal: AUROC Phi(d / sqrt 2) with d grown by what averaging takes from the noise."""
    rng = np.random.default_rng(99)  # a stream of its own: the truths are drawn from 0
    base = predictions(8000)
    y = base.y
    members = []
    for _ in range(4):
        z = 2 * (y - 0.5) + rng.normal(0, 2, y.shape)
        members.append(
            Predictions(base.classes, base.record_id, base.patient_id, base.split, y, expit(z / 4), base.groups, None)
        )
    rows = {row["label"]: row for row in ensemble_rows(members, 100, 0)}
    assert rows["macro"]["members_auroc"] == pytest.approx(norm.cdf(2 / 2 / np.sqrt(2)), abs=0.015)
    assert rows["macro"]["auroc"] == pytest.approx(norm.cdf(2 / 1 / np.sqrt(2)), abs=0.015)
    assert rows["macro"]["gain_low"] > 0
    assert rows["macro"]["errors_by_entropy"] > 0.6


def test_members_that_say_the_same_do_not_disagree():
    found = predictions(100)
    assert np.abs(disagreement([found, found, found])).max() < 1e-12
    opposite = Predictions(
        found.classes, found.record_id, found.patient_id, found.split, found.y, 1 - found.p, found.groups, None
    )
    expected = np.log(2) - entropy(found.p)  # they agree on nothing: the mean says one half
    assert np.allclose(disagreement([found, opposite]), expected)
    assert np.allclose(together([found, opposite]).p, 0.5)


def with_a_rare_class(n: int = 400) -> Predictions:
    """Class B has two positive test records, both of one patient."""
    found = predictions(n)
    test = np.flatnonzero(found.split == "test")
    found.y[test, 1] = 0
    found.y[test[:2], 1] = 1
    found.patient_id[test[1]] = found.patient_id[test[0]]
    return found


def test_of_fewer_than_five_patients_of_a_truth_no_interval_is_told_and_why():
    found = with_a_rare_class()
    members = [found, replace(found, p=found.p * np.random.default_rng(1).uniform(0.5, 1, found.p.shape))]
    tables = examined(members, 0.9, 50, 0, 3)
    for name, values, which in (
        ("operating", ("sensitivity",), " of sensitivity"),
        ("calibration", ("ece", "brier", "log_loss"), ""),
        ("ensemble", ("auroc", "gain"), " of auroc, gain"),
    ):
        why = f"no interval{which}: 1 positive patient, fewer than 5"
        rows = list(tables[name])
        for value in values:
            assert all(row[f"{value}_low"] is None for row in rows if row["label"] == "B")
            assert all(row[f"{value}_low"] is not None for row in rows if row["label"] == "A")
        assert {row["reason"].split("; ")[0] for row in rows if row["label"] == "B"} == {why}
        assert {row["reason"] for row in rows if row["label"] == "A"} == {""}
        assert {row["interval"] for row in rows if row["label"] == "A"} == {"percentile"}
    told = {row["truth"]: row for row in conformal_rows(found, 0.9, 50, 0) if row["label"] == "B"}
    assert told["positive"]["coverage_low"] is None
    assert told["positive"]["reason"] == "no interval: 1 patient, fewer than 5"
    assert told["negative"]["coverage_low"] is not None
    assert {row["positive_patients"] for row in operating_points(found, 5, 0) if row["label"] == "B"} == {1}


def points_of(found: Predictions, label: str, rule: str = "youden") -> dict:
    return next(row for row in operating_points(found, 200, 0) if (row["label"], row["rule"]) == (label, rule))


def test_a_rate_that_nobody_varies_has_the_exact_interval_and_no_width_of_zero():
    """None of seven positives is decided for, each of another patient: Clopper and Pearson's interval reaches 0.4096."""
    found = predictions(400)
    test = np.flatnonzero(found.split == "test")
    found.y[test, 1] = 0
    found.y[test[:7], 1], found.p[test[:7], 1] = 1, 0.0
    row = points_of(found, "B")
    exact = binomtest(0, 7).proportion_ci(method="exact")
    assert (row["sensitivity"], row["sensitivity_low"]) == (0.0, 0.0)
    assert row["sensitivity_high"] == pytest.approx(exact.high)
    assert row["interval"].startswith("percentile; exact: sensitivity")
    assert row["specificity_low"] < row["specificity"] < row["specificity_high"]
    found.p[test[:7], 1] = 1.0
    row = points_of(found, "B")
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx((1 - exact.high, 1.0))
    found.patient_id[test[1]] = found.patient_id[test[0]]  # two records of one patient
    row = points_of(found, "B")
    assert (row["sensitivity"], row["sensitivity_low"]) == (1.0, None)
    assert "sensitivity: all 6 positive patients alike, several records" in row["reason"]
    assert "sensitivity" not in row["interval"]


def test_each_rate_rests_on_the_patients_of_its_own_records():
    """Four positives are too few for a sensitivity's interval, not for a specificity's."""
    found = predictions(400)
    test = np.flatnonzero(found.split == "test")
    found.y[test, 1] = 0
    found.y[test[:4], 1] = 1
    row = points_of(found, "B")
    assert row["sensitivity_low"] is None
    assert row["reason"] == "no interval of sensitivity: 4 positive patients, fewer than 5"
    assert row["specificity_low"] < row["specificity"] < row["specificity_high"]
    assert row["npv_low"] is not None
    found.p[test, 1] = 0.0
    row = points_of(found, "B")
    assert row["ppv"] is None
    assert row["reason"].endswith("no value of ppv: no patient decided for")


def test_a_difference_that_no_resample_varies_has_no_interval():
    found = predictions(400)
    found.p[:] = 0.5
    rows = [row for row in disparity_rows(found, 50, 0) if row["metric"] == "auroc"]
    assert {(row["value"], row["difference"], row["difference_low"]) for row in rows} == {(0.5, 0.0, None)}
    assert {row["reason"] for row in rows} == {"no interval: all resamples alike"}


def test_a_mean_over_classes_is_of_the_same_classes_in_every_resample():
    """B is always right and A a coin: without B, a resample's mean would be A's alone, a half."""
    found = with_a_rare_class(2000)
    test = found.split == "test"
    found.p[test, 1] = np.where(found.y[test, 1] > 0, 0.9, 0.1)
    found.p[test, 0] = np.random.default_rng(0).random(test.sum())
    macro = list(ensemble_rows([found, found], 300, 0))[-1]
    assert macro["label"] == "macro"
    assert macro["auroc"] == pytest.approx(0.75, abs=0.03)
    assert macro["auroc_low"] > 0.7


def test_the_worst_failures_come_first_and_a_patient_once():
    found = predictions(400)
    found.patient_id[:] = [f"p{i // 4}" for i in range(400)]
    rows = list(failure_rows(found, 3))
    for kind, sign in (("miss", 1), ("false-alarm", -1)):
        mine = [row for row in rows if row["label"] == "A" and row["kind"] == kind]
        told = [sign * row["probability"] for row in mine]
        assert told == sorted(told)
        assert len({row["patient_id"] for row in mine}) == 3
        test = (found.split == "test") & (found.y[:, 0] == (kind == "miss"))
        assert told[0] == (sign * found.p[test, 0]).min()


def test_what_is_decided_rightly_is_no_failure():
    found = predictions(400)
    found.p[:] = np.where(found.y > 0, 0.991, 0.9)
    assert list(failure_rows(found)) == []
    wrong = np.flatnonzero((found.split == "test") & (found.y[:, 0] > 0))[:3]
    found.p[wrong, 0] = 0.95  # high, and below the threshold of 0.991
    rows = list(failure_rows(found, 9))
    points = {row["label"]: row for row in operating_points(found, 5, 0) if row["rule"] == "youden"}
    assert [(row["label"], row["kind"], row["threshold"]) for row in rows] == 3 * [("A", "miss", 0.991)]
    assert points["A"]["fn"] == 3
    assert points["A"]["threshold"] == 0.991


def test_precision_and_recall_are_scikit_learns():
    found = predictions(150)
    precision, recall, _ = precision_recall_curve(found.y[:, 0], found.p[:, 0])
    mine = precision_recall(found.y[:, 0], found.p[:, 0])
    assert np.allclose(mine["precision"], precision[:-1][::-1])
    assert np.allclose(mine["recall"], recall[:-1][::-1])


def test_the_area_under_the_drawn_line_is_the_average_precision():
    found = predictions(240)
    y, p = found.y[:, 0], found.p[:, 0]
    points = precision_recall(y, p).set_axis(["x", "y"], axis=1).assign(label="A", curve="pr")
    drawn = []
    axes = Figure().add_subplot()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "panel", lambda name, caption, data, draw: drawn.append(draw))
        examined_panels("x", points, {})
    drawn[0](axes)
    ((x, height),) = [line.get_data() for line in axes.lines]
    assert axes.lines[0].get_drawstyle() == "steps-pre"
    assert np.sum(np.diff(x) * height[1:]) == pytest.approx(average_precision_score(y, p), abs=0.005)
    assert x[0] == 0


def test_the_command_writes_every_table(tmp_path):
    one, other = (written(predictions(300, seed=0, shift=shift), tmp_path / f"{shift}.csv") for shift in (0.0, 0.5))
    arguments = ["--task", "multilabel", "--bootstrap", "20", "--out", str(tmp_path / "out")]
    assert cli.run(["examine", str(one), str(other), *arguments]) == 0
    for name in ("operating", "calibration", "conformal", "disparity", "ensemble", "failures", "curves"):
        assert (tmp_path / "out" / f"{name}.csv").read_text().splitlines()[0].split(",") == names(name)
        assert read_table(name, tmp_path / "out" / f"{name}.csv")


def test_classes_that_exclude_each_other_are_examined_one_against_the_rest(tmp_path):
    rng = np.random.default_rng(0)
    truth, heard = rng.integers(0, 3, 600), rng.normal(0, 1, (600, 3))
    shares = np.exp(heard + 1.5 * np.eye(3)[truth])
    table = pd.DataFrame({"record_id": [f"r{i}" for i in range(600)], "patient_id": [f"p{i}" for i in range(600)]})
    table["split"] = np.where(np.arange(600) % 2, "test", "val")
    for k, name in enumerate("NSV"):
        table[f"y_true:{name}"], table[f"y_prob:{name}"] = (
            (truth == k).astype(float),
            (shares / shares.sum(axis=1)[:, None])[:, k],
        )
    table["group:site"] = np.where(np.arange(600) % 4 < 2, "a", "b")
    table.to_csv(tmp_path / "one.csv", index=False)
    out = tmp_path / "out"
    rest = ["--task", "multiclass", "--bootstrap", "20", "--out", str(out)]
    assert cli.run(["examine", str(tmp_path / "one.csv"), *rest]) == 0
    test = table["split"] == "test"
    for row in read_table("operating", out / "operating.csv"):
        decided = table[f"y_prob:{row['label']}"][test] >= float(row["threshold"])
        tn, fp, fn, tp = confusion_matrix(table[f"y_true:{row['label']}"][test], decided).ravel()
        assert [float(row[name]) for name in ("tn", "fp", "fn", "tp")] == [tn, fp, fn, tp]
        assert row["chosen_on"] == "val"
    f1 = {
        row["label"]: float(row["threshold"])
        for row in read_table("operating", out / "operating.csv")
        if row["rule"] == "f1"
    }
    gap = next(
        row
        for row in read_table("disparity", out / "disparity.csv")
        if (row["metric"], row["label"]) == ("sensitivity", "N")
    )
    mine = table[test & (table["group:site"] == "a") & (table["y_true:N"] > 0)]
    assert float(gap["value"]) == pytest.approx((mine["y_prob:N"] >= f1["N"]).mean())
    assert {row["label"] for row in read_table("conformal", out / "conformal.csv")} == set("NSV")


def test_predictions_of_other_records_are_not_taken_together(tmp_path):
    one = written(predictions(40), tmp_path / "one.csv")
    other = predictions(40)
    other.record_id[3] = "stranger"
    two = written(other, tmp_path / "two.csv")
    arguments = ["--task", "multilabel", "--bootstrap", "5", "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"two.csv: other records than"):
        cli.run(["examine", str(one), str(two), *arguments])
    shuffled = predictions(40)
    order = np.random.default_rng(0).permutation(40)
    table = pd.read_csv(one).iloc[order]
    table.to_csv(two, index=False)
    found = aligned({path: read_predictions(path, "multilabel") for path in (one, two)})
    assert np.array_equal(found[0].p, found[1].p)
    assert found[1].record_id.tolist() == shuffled.record_id.tolist()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"patient_id": "q7"}, "another patient of record r7"),
        ({"group:site": "c"}, "another group 'site' of record r7"),
        ({"weight": 2.0}, "another weight of record r7"),
        ({"y_true:B": None}, "another truth of record r7"),
        ({"split": "val"}, "another split of record r7"),
    ],
)
def test_members_that_say_otherwise_of_a_record_are_refused(tmp_path, changed, said):
    found = predictions(40)
    found.split[7], found.y[7, 1] = "test", 1
    table = pd.read_csv(written(found, tmp_path / "one.csv")).assign(weight=1.0)
    table.to_csv(tmp_path / "one.csv", index=False)
    for column, value in changed.items():
        table[column] = table[column].astype(object)
        table.loc[7, column] = value
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "two.csv", index=False)
    members = {tmp_path / name: read_predictions(tmp_path / name, "multilabel") for name in ("one.csv", "two.csv")}
    with pytest.raises(InputError, match=rf"two\.csv: {said} than .*one\.csv"):
        aligned(members)


def test_a_group_that_one_member_does_not_tell_is_no_contradiction(tmp_path):
    one = written(predictions(40), tmp_path / "one.csv")
    pd.read_csv(one).drop(columns="group:site").to_csv(tmp_path / "two.csv", index=False)
    assert len(aligned({path: read_predictions(path, "multilabel") for path in (one, tmp_path / "two.csv")})) == 2


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    one = written(predictions(40), tmp_path / "one.csv")
    (tmp_path / "link.csv").symlink_to(one)
    for again in (one, tmp_path / "link.csv"):
        with pytest.raises(InputError, match=r"the file is named twice, as .*one\.csv too"):
            cli.run(["examine", str(one), str(again), "--task", "multilabel", "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_table_of_several_files_does_not_outlast_them(tmp_path):
    one, other = (written(predictions(80, shift=shift), tmp_path / f"{shift}.csv") for shift in (0.0, 0.5))
    out = tmp_path / "out"
    rest = ["--task", "multilabel", "--bootstrap", "5", "--out", str(out)]
    assert cli.run(["examine", str(one), str(other), *rest]) == 0
    assert (out / "ensemble.csv").is_file()
    assert cli.run(["examine", str(one), *rest]) == 0
    assert not (out / "ensemble.csv").exists()
    assert (out / "operating.csv").is_file()


def test_a_patient_of_both_splits_is_refused(tmp_path):
    found = predictions(100)
    found.patient_id[:50:2] = found.patient_id[1:51:2]
    one = written(found, tmp_path / "one.csv")
    with pytest.raises(
        InputError, match=r"one\.csv: 25 of 50 patients in the split 'test' are in 'val' too, such as p1:"
    ):
        cli.run(["examine", str(one), "--task", "multilabel", "--out", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--task", "softlabel"], "--task is 'softlabel'"),
        (["--level", "1.5"], "--level is 1.5"),
        (["--bootstrap", "0"], "must be 1 or more"),
    ],
)
def test_what_cannot_be_examined_is_refused_in_one_line(tmp_path, more, said):
    one = written(predictions(40), tmp_path / "one.csv")
    with pytest.raises(ConfigError, match=said):
        cli.run(["examine", str(one), "--task", "multilabel", "--out", str(tmp_path / "o"), *more])
