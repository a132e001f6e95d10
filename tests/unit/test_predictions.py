"""The predictions file: CSV and parquet say the same, and a wrong file is one line that names it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.unit.test_score import multilabel
from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.evaluate.predictions import read_predictions


def both(table: pd.DataFrame, folder: Path) -> list[Path]:
    """The table as CSV and as parquet."""
    paths = [folder / "p.csv", folder / "p.parquet"]
    table.to_csv(paths[0], index=False)
    table.to_parquet(paths[1])
    return paths


def metrics(path: Path) -> pd.DataFrame:
    """What the command makes of a file."""
    out = path.with_suffix(f"{path.suffix}.out")
    assert cli.run(["evaluate", str(path), "--task", "multilabel", "--bootstrap", "100", "--out", str(out)]) == 0
    return pd.read_csv(out)


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
        ("multilabel", lambda t: t.assign(weight=-1), "'weight' must be finite and not negative"),
        ("multilabel", lambda t: t.assign(weight=0), "'weight' is 0 for every record of split 'val'"),
        (
            "multilabel",
            lambda t: t.assign(weight=(t["split"] == "val") * 1),
            "'weight' is 0 for every record of split 'test'",
        ),
        (
            "multilabel",
            lambda t: t.assign(split="unused"),
            "no row is in a split that is scored; allowed: train, val, test",
        ),
        (
            "multilabel",
            lambda t: t.rename(columns=lambda c: c.replace(":A", ":macro")),
            "no class may be named 'macro'",
        ),
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


def test_csv_and_parquet_give_the_same_scores(tmp_path):
    csv, parquet = (metrics(path) for path in both(multilabel(), tmp_path))
    pd.testing.assert_frame_equal(csv, parquet)


@pytest.mark.parametrize("values", [["f", "m", None], ["NA", "", None], [1.0, 2.0, None]])
def test_an_empty_group_is_no_subgroup(tmp_path, values):
    table = multilabel().rename(columns={"group:sex": "group:of"})
    table["group:of"] = [values[i % 3] for i in range(len(table))]
    csv, parquet = (metrics(path) for path in both(table, tmp_path))
    pd.testing.assert_frame_equal(csv, parquet)
    assert set(csv["subgroup"]) == {"all", *(f"of={value}" for value in values if value not in (None, ""))}
    chosen = csv.query("split == 'test' and metric == 'fmax'").set_index("subgroup")["n_records"]
    assert chosen[f"of={values[0]}"] == chosen["all"] / 3


def test_a_group_that_is_empty_throughout_has_no_subgroup(tmp_path):
    for path in both(multilabel().assign(**{"group:sex": None}), tmp_path):
        assert set(metrics(path)["subgroup"]) == {"all"}


def test_an_id_may_be_a_text_that_often_stands_for_nothing(tmp_path):
    table = multilabel()
    table.loc[0, ["record_id", "patient_id"]] = "NA"
    table.loc[1, ["record_id", "patient_id"]] = "null"
    csv, parquet = (read_predictions(path, "multilabel") for path in both(table, tmp_path))
    assert csv.record_id.tolist() == parquet.record_id.tolist() == table["record_id"].tolist()
    assert csv.patient_id.tolist() == parquet.patient_id.tolist() == table["patient_id"].tolist()


@pytest.mark.parametrize("empty", ["", "NA", "nan"])
def test_an_empty_truth_is_unlabelled(tmp_path, empty):
    table = multilabel().astype({"y_true:A": object})
    table.loc[3, "y_true:A"] = empty
    table.to_csv(tmp_path / "p.csv", index=False)
    found = read_predictions(tmp_path / "p.csv", "multilabel")
    assert np.flatnonzero(np.isnan(found.y[:, 0])).tolist() == [3]


def test_an_empty_id_is_refused_in_either_form(tmp_path):
    for path in both(multilabel().assign(patient_id=""), tmp_path):
        with pytest.raises(InputError, match="row 1: 'patient_id' is empty"):
            read_predictions(path, "multilabel")
