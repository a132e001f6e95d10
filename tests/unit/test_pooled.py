"""Cross-validation over all folds' patients, by known answers."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vitalbench import tables
from vitalbench.config.schema import Task
from vitalbench.config.strict import validated
from vitalbench.errors import InputError
from vitalbench.evaluate.compare import _by_seed, _pooled, _values
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.ranking import RankedApart
from vitalbench.evaluate.score import score_folds
from vitalbench.report.pooled_rows import pooled_rows, shown_rows

PATIENTS, WINDOWS = 3, 20  # a fold's, a patient's


def table(fold: int, scores, truth, split: str = "test") -> pd.DataFrame:
    """A fold's rows: as many windows a patient."""
    names = [f"f{fold}{split}p{patient}" for patient in range(len(truth) // WINDOWS)]
    return pd.DataFrame(
        {
            "record_id": [f"f{fold}{split}r{row}" for row in range(len(truth))],
            "patient_id": np.repeat(names, WINDOWS),
            "split": split,
            "y_true:AF": truth,
            "y_prob:AF": scores,
        }
    )


def drawn(fold: int, seed: int = 0):
    """Three patients in and out of fibrillation, scores that lean to the truth, on a scale of the fold's own."""
    rng = np.random.default_rng([fold, seed])
    truth = (np.random.default_rng(fold).random(PATIENTS * WINDOWS) < 0.4).astype(int)
    scores = np.clip(0.05 + 0.2 * fold + 0.08 * truth + 0.1 * rng.random(len(truth)), 0, 1)
    return truth, scores


@pytest.fixture
def read(tmp_path):
    def one(rows: pd.DataFrame):
        path = tmp_path / f"{rows['record_id'].iloc[0]}.parquet"
        rows.to_parquet(path)
        return read_predictions(path, "binary")

    return one


def value(scores, metric: str):
    return next(row for row in scores.rows if (row["metric"], row["label"]) == (metric, "macro"))


def test_records_are_ranked_within_their_fold_alone():
    rng = np.random.default_rng(0)
    y, p, folds = (rng.random(60) < 0.4).astype(float), rng.random(60).round(1), rng.integers(0, 4, 60)
    w = rng.integers(0, 3, (60, 5)).astype(float)
    auroc, auprc = RankedApart.of(y, p, np.arange(60), folds).auroc_auprc(w)
    for at in range(5):
        above = below = 0.0
        for i, j in product(np.flatnonzero(y > 0), np.flatnonzero(y == 0)):
            if folds[i] == folds[j]:
                weight = w[i, at] * w[j, at]
                above, below = above + weight * ((p[i] > p[j]) + 0.5 * (p[i] == p[j])), below + weight
        assert auroc[at] == pytest.approx(above / below)
        gained = positives = 0.0
        for i in np.flatnonzero(y > 0):
            own = (folds == folds[i]) & (p >= p[i])
            both = [(w[folds == folds[i], at] * (y[folds == folds[i]] == truth)).sum() for truth in (0, 1)]
            if all(both) and w[i, at]:
                gained += w[i, at] * (w[own, at] * y[own]).sum() / w[own, at].sum()
                positives += w[i, at]
        assert auprc[at] == pytest.approx(gained / positives)


def test_weights_that_leave_no_fold_both_truths_give_no_number():
    ranking = RankedApart.of(
        np.array([1.0, 0, 1, 0]), np.array([0.9, 0.1, 0.8, 0.2]), np.arange(4), np.array([0, 0, 1, 1])
    )
    found = ranking.auroc_auprc(np.array([[1.0, 1], [0, 1], [0, 1], [1, 1]]))
    assert np.isnan(found[0][0])
    assert found[0][1] == found[1][1] == 1.0


def test_what_says_the_same_of_everybody_is_at_chance_though_its_folds_say_different_things(read):
    """Ranked together the folds would order it by their prevalence, the wrong way round."""
    folds = [read(table(fold, np.full(60, 0.6 - 0.1 * fold), drawn(fold)[0])) for fold in range(4)]
    found = value(score_folds(folds, "binary", 200, 0), "auroc")
    assert found["value"] == found["ci_low"] == found["ci_high"] == 0.5


def test_a_scale_of_its_own_costs_a_fold_nothing(read):
    plain = [read(table(fold, drawn(0)[1], drawn(0)[0])) for fold in range(2)]
    moved = [plain[0], read(table(9, drawn(0)[1] / 2 + 0.5, drawn(0)[0]))]
    assert [value(score_folds(of, "binary", 100, 0), "auroc")["value"] for of in (plain, moved)] == pytest.approx(
        [value(score_folds(plain[:1], "binary", 100, 0), "auroc")["value"]] * 2
    )


def test_folds_too_small_for_an_interval_have_one_together(read):
    folds = [read(table(fold, *reversed(drawn(fold)))) for fold in range(4)]
    alone, all_of_them = (value(score_folds(of, "binary", 300, 0), "auroc") for of in (folds[:1], folds))
    assert alone["ci_low"] is None
    assert all_of_them["n_patients"] == 4 * PATIENTS
    assert all_of_them["ci_low"] < all_of_them["value"] < all_of_them["ci_high"]


def test_a_decision_is_taken_at_the_threshold_of_its_fold(read):
    rows = []
    for fold, middle in ((0, 0.2), (1, 0.8)):
        truth = np.tile([0, 1], 60)
        scores = middle + np.where(truth > 0, 0.1, -0.1)
        rows.append(pd.concat([table(fold, scores, truth), table(fold, scores, truth, "val")]))
    found = score_folds([read(row) for row in rows], "binary", 100, 0)
    for metric in ("sensitivity", "specificity", "f1"):  # of one threshold for both, half would be wrong
        assert value(found, metric)["value"] == 1.0
    assert "threshold" not in value(found, "f1")


def test_a_patient_who_is_tested_twice_is_no_sample(read):
    one = read(table(0, *reversed(drawn(0))))
    with pytest.raises(InputError, match="3 patients are tested in more than one fold"):
        score_folds([one, one], "binary", 100, 0)


@pytest.fixture
def results(tmp_path):
    """Two seeds of two folds, and a third seed of which one fold failed."""
    task = {"description": "x", "kind": "binary", "unit": "window", "labels": "af", "classes": ["AF"], "margin": 0.02}
    task |= {"primary": "auroc", "direction": "higher", "split": {"method": "patient-dealt", "folds": 10}}
    runs = []
    for seed, fold in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0)):
        folder = tmp_path / f"{seed}-{fold}"
        folder.mkdir()
        truth, scores = drawn(fold, seed)
        table(fold, scores, truth).to_parquet(folder / "predictions.parquet")
        runs.append(SimpleNamespace(folder=folder, cell=SimpleNamespace(seed=seed, fold=fold, task="af")))
    return SimpleNamespace(
        scored_groups={("set", "af", "net", "cpu"): runs, ("set", "af", "one-fold", "cpu"): runs[:1]},
        suite={"bootstrap": 200, "bootstrap_seed": 0},
        task=lambda name: validated(Task, task, "task.yaml"),
        table=lambda name: tmp_path / f"{name}.csv",
    )


def test_a_design_of_several_folds_has_rows_and_its_page_too(results, read):
    rows = list(pooled_rows(results))
    assert {row["design"] for row in rows} == {"net"}
    found = next(row for row in rows if (row["metric"], row["label"]) == ("auroc", "macro"))
    each = [
        score_folds([read(table(f, *reversed(drawn(f, seed)))) for f in (0, 1)], "binary", 200, 0) for seed in (0, 1)
    ]
    assert found["value"] == pytest.approx(np.mean([value(one, "auroc")["value"] for one in each]))
    assert (found["n_seeds"], found["n_folds"], found["of_folds"], found["n_patients"]) == (2, 2, 10, 6)
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert "without seed 2, which lacks a fold" in found["reason"]
    tables.write_table("pooled", rows, results.table("pooled"))
    shown = shown_rows(results)
    assert [row[3] for row in shown] == ["auroc", "sensitivity", "specificity"]
    assert shown[0][7] == "2 of 10"


def test_folds_that_share_patients_say_why_they_have_no_row(results):
    runs = results.scored_groups["set", "af", "net", "cpu"][:2]
    (runs[1].folder / "predictions.parquet").write_bytes((runs[0].folder / "predictions.parquet").read_bytes())
    results.scored_groups = {("set", "af", "net", "cpu"): runs}
    (row,) = pooled_rows(results)
    assert "value" not in row
    assert row["reason"] == "not pooled: 3 patients are tested in more than one fold"


@pytest.fixture
def two_designs(results):
    """The folds of two designs, the second of which scores at random; a third that ran in one fold."""
    good = results.scored_groups["set", "af", "net", "cpu"][:2]
    poor = []
    for run in good:
        folder = run.folder.with_name(f"poor-{run.folder.name}")
        folder.mkdir()
        rows = pd.read_parquet(run.folder / "predictions.parquet")
        rows["y_prob:AF"] = np.random.default_rng(run.cell.fold).random(len(rows))
        rows.to_parquet(folder / "predictions.parquet")
        poor.append(SimpleNamespace(folder=folder, cell=run.cell))
    return {"good": good, "poor": poor, "once": good[:1]}


def test_designs_are_compared_on_all_patients_of_their_folds(results, two_designs):
    designs = {name: two_designs[name] for name in ("good", "poor")}
    pooled = _pooled(results, designs)
    key = ("test", "all", "auroc", "macro")
    values = {name: _values(runs, pooled[name])[key] for name, runs in designs.items()}
    series = {name: _by_seed(runs, pooled[name])[key] for name, runs in designs.items()}
    assert values["good"].patients == values["poor"].patients == 2 * PATIENTS
    assert {name: of.shape for name, of in series.items()} == {"good": (1, 200), "poor": (1, 200)}
    assert (series["good"] > series["poor"]).mean() > 0.95
    assert values["good"].mean > values["poor"].mean


def test_folds_are_compared_as_they_are_where_one_design_has_none_to_pool(results, two_designs):
    assert _pooled(results, two_designs) == {}
