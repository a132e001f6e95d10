"""Scoring a file: every row the contract names, and a reason wherever a value or an interval is missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, roc_auc_score

from vitalbench.config.schema import METRICS
from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.evaluate.score import score


def multilabel(records: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(records)],
            "patient_id": [f"p{i // 2}" for i in range(records)],
            "split": ["val"] * (records // 4) + ["test"] * (records - records // 4),
            "group:sex": rng.choice(["f", "m"], records),
        }
    )
    for name, share in (("A", 0.5), ("B", 0.2)):
        y = (rng.random(records) < share).astype(int)
        table[f"y_true:{name}"] = y
        table[f"y_prob:{name}"] = np.clip(0.3 * y + 0.7 * rng.random(records), 0, 1)
    return table


def _read(table: pd.DataFrame, tmp_path, kind: str = "multilabel") -> Predictions:
    table.to_parquet(tmp_path / "p.parquet")
    return read_predictions(tmp_path / "p.parquet", kind)


def scores(
    table: pd.DataFrame, tmp_path, kind: str = "multilabel", resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    return pd.DataFrame(score(_read(table, tmp_path, kind), kind, resamples, seed).rows)


def pick(
    rows: pd.DataFrame, metric: str, label: str = "macro", split: str = "test", subgroup: str = "all"
) -> pd.Series:
    found = rows.query("metric == @metric and label == @label and split == @split and subgroup == @subgroup")
    assert len(found) == 1
    return found.iloc[0]


def test_every_metric_by_class_macro_split_and_subgroup(tmp_path):
    table = multilabel()
    rows = scores(table, tmp_path)
    assert set(rows["metric"]) == set(METRICS["multilabel"])
    assert set(rows["subgroup"]) == {"all", "sex=f", "sex=m"}
    assert set(rows["split"]) == {"val", "test"}
    test = table[table["split"] == "test"]
    for name in "AB":
        expected = roc_auc_score(test[f"y_true:{name}"], test[f"y_prob:{name}"])
        assert pick(rows, "auroc", name)["value"] == pytest.approx(expected, abs=1e-12)
    macro = pick(rows, "auroc")
    assert macro["value"] == pytest.approx(np.mean([pick(rows, "auroc", name)["value"] for name in "AB"]))
    assert macro["ci_low"] < macro["value"] < macro["ci_high"]
    assert macro["n_patients"] == test["patient_id"].nunique()
    assert macro["n_labels"] == 2
    women = test[test["group:sex"] == "f"]
    expected = roc_auc_score(women["y_true:A"], women["y_prob:A"])
    assert pick(rows, "auroc", "A", subgroup="sex=f")["value"] == pytest.approx(expected, abs=1e-12)


def test_thresholds_come_from_val_and_are_said(tmp_path):
    table = multilabel()
    rows = scores(table, tmp_path)
    threshold = pick(rows, "f1", "A")["threshold"]
    val, test = (table[table["split"] == name] for name in ("val", "test"))
    decided = (test["y_prob:A"] >= threshold).astype(int)
    assert pick(rows, "accuracy", "A")["value"] == pytest.approx((decided == test["y_true:A"]).mean())
    assert threshold in set(val["y_prob:A"])
    without = scores(table[table["split"] == "test"], tmp_path)
    assert pick(without, "f1", "A")["threshold"] == 0.5
    assert "threshold 0.5" in pick(without, "f1", "A")["reason"]


def test_a_class_without_positives_has_no_value_but_a_reason(tmp_path):
    table = multilabel()
    table.loc[table["split"] == "test", "y_true:B"] = 0
    rows = scores(table, tmp_path)
    row = pick(rows, "auroc", "B")
    assert np.isnan(row["value"])
    assert row["reason"] == "no positive patient"
    macro = pick(rows, "auroc")
    assert macro["value"] == pytest.approx(pick(rows, "auroc", "A")["value"])
    assert macro["n_labels"] == 1
    assert "B (no positive patient)" in macro["reason"]


def test_few_positive_patients_have_a_value_without_an_interval(tmp_path):
    table = multilabel()
    test = table.index[table["split"] == "test"]
    table.loc[test, "y_true:B"] = 0
    table.loc[test[[0, 4, 8]], "y_true:B"] = 1
    row = pick(scores(table, tmp_path), "auroc", "B")
    assert not np.isnan(row["value"])
    assert np.isnan(row["ci_low"])
    assert "3 positive patients, fewer than 5" in row["reason"]
    assert row["redrawn"] > 0
    macro = pick(scores(table, tmp_path), "auroc")
    assert (macro["n_labels"], macro["n_supported"]) == (2, 1)
    assert "1 classes with fewer than 5 positive patients" in macro["reason"]


def test_unlabelled_records_are_masked_for_their_class_alone(tmp_path):
    table = multilabel()
    test = table.index[table["split"] == "test"]
    table["y_true:B"] = table["y_true:B"].astype(float)
    table.loc[test[:30], "y_true:B"] = np.nan
    rows = scores(table, tmp_path)
    known = table.loc[test[30:]]
    expected = roc_auc_score(known["y_true:B"], known["y_prob:B"])
    assert pick(rows, "auroc", "B")["value"] == pytest.approx(expected, abs=1e-12)


def test_records_and_patients_are_those_labelled(tmp_path):
    table = multilabel().astype({"y_true:B": float})
    test = table.index[table["split"] == "test"]
    table.loc[test[:51], "y_true:B"] = np.nan
    rows = scores(table, tmp_path)
    labelled = table.loc[test[51:], "patient_id"]
    for metric, label in (("auroc", "B"), ("fmax", "macro")):
        row = pick(rows, metric, label)
        assert (row["n_records"], row["n_patients"]) == (len(labelled), labelled.nunique())
    for label in ("A", "macro"):
        assert pick(rows, "auroc", label)["n_records"] == len(test)


def test_a_class_with_an_undefined_metric_does_not_enter_its_mean(tmp_path):
    table = multilabel().query("split == 'test'").assign(**{"y_prob:B": 0.1})
    rows = scores(table, tmp_path)
    row, macro = pick(rows, "ppv", "B"), pick(rows, "ppv")
    assert np.isnan(row["value"])
    assert (row["n_labels"], row["n_supported"]) == (0, 0)
    assert row["reason"].startswith("nothing was predicted for it")
    assert macro["value"] == pick(rows, "ppv", "A")["value"]
    truth, decided = ((table[[f"{of}:A", f"{of}:B"]] >= 0.5).to_numpy() for of in ("y_true", "y_prob"))
    assert macro["value"] == precision_score(truth, decided, average="macro", zero_division=np.nan)
    assert (macro["n_labels"], macro["n_supported"]) == (1, 1)
    assert "1 of 2 classes left out: B (nothing was predicted for it)" in macro["reason"]
    assert pick(rows, "auroc")["n_labels"] == 2


def test_the_mean_of_no_class_counts_none(tmp_path):
    table = multilabel().query("split == 'test'").assign(**{"y_prob:A": 0.1, "y_prob:B": 0.1})
    macro = pick(scores(table, tmp_path), "ppv")
    assert np.isnan(macro["value"])
    assert (macro["n_labels"], macro["n_records"]) == (0, 0)
    assert macro["reason"].startswith("2 of 2 classes left out")


def test_few_negative_patients_have_a_value_without_an_interval(tmp_path):
    table = multilabel()
    test = table.index[table["split"] == "test"]
    table.loc[test, "y_true:B"] = 1
    table.loc[test[[0, 4, 8]], "y_true:B"] = 0
    rows = scores(table, tmp_path)
    row, macro = pick(rows, "auroc", "B"), pick(rows, "auroc")
    assert not np.isnan(row["value"])
    assert np.isnan(row["ci_low"])
    assert row["reason"] == "no interval: 3 negative patients, fewer than 5"
    assert (macro["n_labels"], macro["n_supported"]) == (2, 1)


def test_few_patients_give_whole_records_no_interval(tmp_path):
    row = pick(scores(multilabel().assign(patient_id=lambda t: t.index % 4), tmp_path), "fmax")
    assert not np.isnan(row["value"])
    assert pd.isna(row["ci_low"])
    assert row["reason"] == "no interval: 4 patients, fewer than 5"


def test_the_seed_alone_decides_the_resamples(tmp_path):
    table = multilabel()
    first, again, other = (scores(table, tmp_path, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert pick(first, "auroc")["value"] == pick(other, "auroc")["value"]
    assert pick(first, "auroc")["ci_low"] != pick(other, "auroc")["ci_low"]


def test_other_splits_subgroups_and_classes_in_the_file_change_no_interval(tmp_path):
    table = multilabel().drop(columns="y_true:B").drop(columns="y_prob:B")
    rare = table.index % 30 == 0
    table["y_true:A"] = rare.astype(int)
    table.loc[rare, "group:sex"] = "f"
    other = {"y_true:0": table["y_true:A"], "y_prob:0": table["y_prob:A"]}
    front = {column: table[column] for column in ("record_id", "patient_id", "split")}
    fuller = pd.DataFrame({**front, **other, "group:age": "old", **table.drop(columns=list(front))})
    fuller = pd.concat([fuller, fuller.tail(9).assign(record_id=lambda t: t["record_id"] + "t", split="train")])
    for subgroup in ("all", "sex=f"):
        files = (table.query("split == 'test'"), fuller)
        alone, among = (pick(scores(t, tmp_path, resamples=2000), "brier", "A", subgroup=subgroup) for t in files)
        assert alone["redrawn"] > 0
        assert alone["ci_low"] > 0
        pd.testing.assert_series_equal(alone, among, check_names=False)


def test_splits_and_subgroups_are_resampled_apart(tmp_path):
    table = multilabel().query("split == 'test'").assign(**{"group:sex": "f"})
    found = score(_read(table, tmp_path), "multilabel", 50, 0).replicates
    assert (found["test", "all", "brier", "A"] != found["test", "sex=f", "brier", "A"]).any()


def test_multiclass(tmp_path):
    rng = np.random.default_rng(0)
    truth, p = rng.integers(0, 3, 150), rng.dirichlet([1, 1, 1], 150)
    table = pd.DataFrame({"record_id": np.arange(150), "patient_id": np.arange(150), "split": "test"})
    for k in range(3):
        table[f"y_true:{k}"], table[f"y_prob:{k}"] = (truth == k).astype(int), p[:, k]
    rows = scores(table, tmp_path, "multiclass")
    assert pick(rows, "accuracy")["value"] == pytest.approx((p.argmax(1) == truth).mean())
    assert pick(rows, "auroc")["value"] == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"), abs=1e-12)
    assert rows.query("metric == 'accuracy'")["label"].tolist() == ["macro"]


def test_softlabel_and_binary(tmp_path):
    rng = np.random.default_rng(0)
    y, p = rng.dirichlet([1, 1, 1], 60), rng.dirichlet([1, 1, 1], 60)
    table = pd.DataFrame({"record_id": np.arange(60), "patient_id": np.arange(60), "split": "test"})
    soft = table.assign(**{f"y_true:{k}": y[:, k] for k in range(3)}, **{f"y_prob:{k}": p[:, k] for k in range(3)})
    rows = scores(soft, tmp_path, "softlabel")
    assert set(rows["metric"]) == {"kl", "accuracy", "brier"}
    assert pick(rows, "kl")["ci_low"] < pick(rows, "kl")["value"] < pick(rows, "kl")["ci_high"]
    binary = table.assign(**{"y_true:x": (y[:, 0] > 0.3).astype(int), "y_prob:x": p[:, 0]})
    of_one = scores(binary, tmp_path, "binary")
    assert set(of_one["label"]) == {"x", "macro"}
    both = [of_one[of_one["label"] == label].set_index("metric")[["value", "ci_low"]] for label in ("x", "macro")]
    assert both[0].equals(both[1])


def test_weights_count(tmp_path):
    table = multilabel(80).assign(weight=1.0)
    doubled = table.assign(weight=[2.0 if i % 3 == 0 else 1.0 for i in range(80)])
    copies = pd.concat([table, table[[i % 3 == 0 for i in range(80)]].assign(record_id=lambda t: t["record_id"] + "b")])
    a, b = scores(doubled, tmp_path), scores(copies, tmp_path)
    assert pick(a, "auroc", "A")["value"] == pytest.approx(pick(b, "auroc", "A")["value"], abs=1e-12)
    assert pick(a, "brier", "A")["value"] == pytest.approx(pick(b, "brier", "A")["value"], abs=1e-12)


def test_weights_count_where_thresholds_are_chosen(tmp_path):
    table = multilabel(120)
    weight = np.where(table["split"] == "val", np.random.default_rng(5).integers(1, 9, 120), 1).astype(float)
    copies = table.loc[np.repeat(table.index, weight.astype(int))].reset_index(drop=True)
    copies["record_id"] = copies.index.astype(str)
    weighted = pick(scores(table.assign(weight=weight), tmp_path), "f1", "A")
    assert weighted["threshold"] == pick(scores(copies, tmp_path), "f1", "A")["threshold"]
    assert weighted["threshold"] != pick(scores(table, tmp_path), "f1", "A")["threshold"]


@pytest.mark.filterwarnings("error")
def test_a_record_of_weight_zero_is_none(tmp_path):
    table = multilabel().assign(weight=lambda t: np.where((t["y_true:B"] == 1) & (t["split"] == "test"), 0.0, 1.0))
    without = table.query("weight > 0")
    a, b = scores(table, tmp_path), scores(without, tmp_path)
    pd.testing.assert_frame_equal(a, b)
    assert pick(a, "auroc", "B")["reason"] == "no positive patient"
