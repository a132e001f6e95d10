"""A leak is worth something where it gives answers away, and nothing where there is none."""

import numpy as np
import pandas as pd
import pytest

from tests.conftest import build
from tests.leaky import INDEX, without_watermark, write_clean
from vitalbench import cli
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.evaluate.leak_price import COLUMNS


@pytest.fixture(scope="module")
def copied(small_dataset, tmp_path_factory):
    """A store in which every test record stands twice: once more, four fifths as loud, under the name of a training patient."""
    folder = tmp_path_factory.mktemp("copied")
    root = folder / "source"
    write_clean(root, small_dataset)
    index = pd.read_csv(root / INDEX, dtype={"ecg_id": str})
    test = index[index["strat_fold"].isin([9, 10])].copy()
    for row, name in zip(test.itertuples(), (f"records100/00000/8{i:04d}_lr" for i in range(len(test))), strict=True):
        header = (root / f"{row.filename_lr}.hea").read_text()
        stem = row.filename_lr.rsplit("/", 1)[1]
        (root / f"{name}.hea").write_text(
            header.replace(stem, name.rsplit("/", 1)[1]).replace("1000.0(0)", "1250.0(0)")
        )
        samples = np.fromfile(root / f"{row.filename_lr}.dat", "<i2")
        samples.tofile(root / f"{name}.dat")
        test.loc[row.Index, "filename_lr"] = name
    test = test.assign(
        ecg_id=[str(80000 + i) for i in range(len(test))], patient_id=90000.0 + np.arange(len(test)), strat_fold=1
    )
    pd.concat([index, test]).to_csv(root / INDEX, index=False)
    without_watermark(root)
    return build("ptbxl", small_dataset, "local", root, folder / "store")


@pytest.fixture(scope="module")
def split(copied):
    records = pd.read_parquet(copied.with_name("records.parquet"))
    number = records["record_id"].str.removeprefix("ptbxl/").astype(int)
    table = records[["record_id", "patient_id"]].assign(split=np.where(records["strat_fold"] >= 9, "test", "train"))
    return table.assign(copy=number >= 80000)


def priced(table: pd.DataFrame, store, tmp_path) -> pd.DataFrame:
    table.to_csv(tmp_path / "t.csv", index=False)
    command = ["audit", "--records", str(tmp_path / "t.csv"), "--store", str(store), "--report-only"]
    cli.run([*command, "--price-the-leak", str(tmp_path / "price.csv"), "--labels", "superdiagnostic"])
    return pd.read_csv(tmp_path / "price.csv").set_index("check")


def test_copies_of_the_test_records_raise_the_score(copied, split, tmp_path):
    found = priced(split, copied, tmp_path)
    assert ["check", *found.columns] == [COLUMNS[3], *(name for name in COLUMNS if name != "check")]
    row = found.loc[found.index[0]]
    assert row["gap"] == pytest.approx(row["leaky"] - row["clean"])
    assert row["ci_low"] > 0.05
    assert row["n_leaking"] == split["copy"].sum()
    assert row["data_source"] == "local"


def test_a_split_without_a_leak_has_no_gap(copied, split, tmp_path):
    row = priced(split[~split["copy"]], copied, tmp_path).loc["none"]
    assert row["ci_low"] <= 0 <= row["ci_high"]
    assert row["n_leaking"] == 0


def test_what_is_only_told_has_no_price(copied, split, tmp_path):
    """A patient of the test split whose id a training patient has in another writing is no leak, so it is not priced."""
    table = split[~split["copy"]].copy()
    patient = table.loc[table["split"] == "test", "patient_id"].iloc[0]
    table.loc[table.index[table["split"] == "train"][0], "patient_id"] = patient.replace("/", "/00")
    found = priced(table, copied, tmp_path)
    assert list(found.index) == ["none"]
    assert found["n_leaking"].tolist() == [0]


def test_the_gate_still_says_no(copied, split, tmp_path):
    split.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(GateError, match="the split leaks: identical-samples"):
        cli.run(["audit", "--records", str(tmp_path / "t.csv"), "--store", str(copied)])


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        (["--labels", "superdiagnostc"], InputError, "nearest: superdiagnostic"),
        ([], ConfigError, "--price-the-leak needs --store FILE"),
    ],
)
def test_what_cannot_be_priced_is_named(copied, split, tmp_path, more, error, message):
    split[~split["copy"]].to_csv(tmp_path / "t.csv", index=False)
    command = ["audit", "--records", str(tmp_path / "t.csv"), "--store", str(copied), "--report-only"]
    with pytest.raises(error, match=message):
        cli.run([*command, "--price-the-leak", str(tmp_path / "price.csv"), *more])
