"""Scoring a file: every row the contract names, and a reason wherever a value or an interval is missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from vitalbench import cli
from vitalbench.config.schema import METRICS
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.predictions import read_predictions
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


def scores(
    table: pd.DataFrame, tmp_path, kind: str = "multilabel", resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    table.to_parquet(tmp_path / "p.parquet")
    return pd.DataFrame(score(read_predictions(tmp_path / "p.parquet", kind), kind, resamples, seed).rows)


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


def test_the_seed_alone_decides_the_resamples(tmp_path):
    table = multilabel()
    first, again, other = (scores(table, tmp_path, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert pick(first, "auroc")["value"] == pick(other, "auroc")["value"]
    assert pick(first, "auroc")["ci_low"] != pick(other, "auroc")["ci_low"]


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
    assert set(scores(binary, tmp_path, "binary")["label"]) == {"x"}


def test_weights_count(tmp_path):
    table = multilabel(80).assign(weight=1.0)
    doubled = table.assign(weight=[2.0 if i % 3 == 0 else 1.0 for i in range(80)])
    copies = pd.concat([table, table[[i % 3 == 0 for i in range(80)]].assign(record_id=lambda t: t["record_id"] + "b")])
    a, b = scores(doubled, tmp_path), scores(copies, tmp_path)
    assert pick(a, "auroc", "A")["value"] == pytest.approx(pick(b, "auroc", "A")["value"], abs=1e-12)
    assert pick(a, "brier", "A")["value"] == pytest.approx(pick(b, "brier", "A")["value"], abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("multilabel", lambda t: t.drop(columns="patient_id"), "column 'patient_id' is missing"),
        ("multilabel", lambda t: t.drop(columns="y_prob:A"), "column 'y_prob:A' is missing"),
        ("multilabel", lambda t: t.drop(columns=["y_true:A", "y_true:B"]), "no column 'y_true"),
        ("multilabel", lambda t: t.drop(columns="y_true:A"), "'y_prob:A' has no column"),
        ("multilabel", lambda t: t.assign(**{"y_prob:A": 1.5}), "record r0, class A: a probability"),
        ("multilabel", lambda t: t.assign(**{"y_prob:A": np.nan}), "record r0, class A: a probability"),
        ("multilabel", lambda t: t.assign(**{"y_prob:A": "high"}), "'y_prob:A' is 'high', not a number"),
        ("multilabel", lambda t: t.assign(**{"y_true:A": 2}), "must be 0, 1 or empty"),
        ("multilabel", lambda t: t.assign(split="tset"), "nearest: test"),
        ("multilabel", lambda t: t.assign(record_id="r0"), "record r0 stands there twice"),
        ("multilabel", lambda t: t.head(0), "holds no row"),
        ("multilabel", lambda t: t.assign(weight=-1), "'weight'"),
        ("multilabel", lambda t: t.assign(patient_id=None), "row 1: 'patient_id' is empty"),
        ("binary", lambda t: t, "a binary task has one class"),
        ("multiclass", lambda t: t, "sum to"),
        ("softlabel", lambda t: t, "sum to"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path, kind, change, message):
    change(multilabel()).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError, match=message) as caught:
        read_predictions(tmp_path / "p.csv", kind)
    assert "p.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_writes_the_contracts_columns(tmp_path):
    multilabel().to_csv(tmp_path / "p.csv", index=False)
    out = tmp_path / "m.csv"
    arguments = ["evaluate", str(tmp_path / "p.csv"), "--task", "multilabel", "--bootstrap", "150", "--out", str(out)]
    assert cli.run(arguments) == 0
    columns = "dataset task design target seed fold run_id split subgroup metric label value ci_low ci_high n_records n_patients"
    assert pd.read_csv(out).columns[:19].tolist() == [*columns.split(), "n_labels", "reason", "n_positive"]


def test_csv_and_parquet_give_the_same_scores(tmp_path):
    table = multilabel()
    table.to_csv(tmp_path / "p.csv", index=False)
    table.to_parquet(tmp_path / "p.parquet")
    for name in ("csv", "parquet"):
        cli.run(
            [
                "evaluate",
                str(tmp_path / f"p.{name}"),
                "--task",
                "multilabel",
                "--bootstrap",
                "100",
                "--out",
                str(tmp_path / f"{name}.out"),
            ]
        )
    assert (tmp_path / "csv.out").read_text() == (tmp_path / "parquet.out").read_text()


def test_an_unknown_kind_and_an_unknown_ending(tmp_path):
    with pytest.raises(ConfigError, match="nearest: multilabel"):
        cli.run(["evaluate", "x.csv", "--task", "multilable", "--out", "m.csv"])
    (tmp_path / "p.pkl").write_bytes(b"")
    with pytest.raises(InputError, match=r"the ending is '\.pkl'"):
        cli.run(["evaluate", str(tmp_path / "p.pkl"), "--task", "multilabel", "--out", "m.csv"])


def test_a_patient_in_two_splits_is_warned_of(tmp_path, capsys):
    multilabel().assign(patient_id="p").to_csv(tmp_path / "p.csv", index=False)
    cli.run(
        [
            "evaluate",
            str(tmp_path / "p.csv"),
            "--task",
            "multilabel",
            "--bootstrap",
            "100",
            "--out",
            str(tmp_path / "m.csv"),
        ]
    )
    assert "1 patients are in more than one split" in capsys.readouterr().err
