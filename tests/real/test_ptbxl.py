"""On real PTB-XL records: labels, counts and samples as published, and a whole run of the main job.

The 147 records are far too few for any claim about accuracy; these tests are about the reader and the flow.
"""

import ast
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import wfdb
import yaml

from tests.conftest import build
from tests.workflow.conftest import copy_project, snakemake
from vitalbench.data.datasets import ptbxl
from vitalbench.data.store import Store
from vitalbench.files import read_json
from vitalbench.split.assign import assign

pytestmark = pytest.mark.slow

# The index of all records writes three names without their underscore.
AS_RELEASED = {"AVB": "_AVB", "NST": "NST_", "ISC": "ISC_", "STD": "STD_", "STE": "STE_", "NT": "NT_", "TAB": "TAB_"}
SETS = {"super_class": "superdiagnostic", "sub_class": "subdiagnostic", "form": "form", "rhythm": "rhythm"}


@pytest.fixture(scope="module")
def root(real_data):
    return real_data / "ptbxl"


@pytest.fixture(scope="module")
def whole(root):
    """Ids, folds and labels of all 21,799 records."""
    table = pd.read_csv(root / "index_all_21799.csv.gz")
    for column in SETS:
        table[column] = [
            sorted({AS_RELEASED.get(name, name) for name in ast.literal_eval(row)}) for row in table[column]
        ]
    return table


def test_the_declared_counts_are_the_releases(configs, whole):
    expected = configs.dataset("ptbxl").expected
    assert len(whole) == expected.records
    assert whole["patient_id"].nunique() == expected.patients
    split = whole["strat_fold"].map(lambda fold: {9: "val", 10: "test"}.get(fold, "train")).value_counts().to_dict()
    assert split == expected.split
    for column, labels in SETS.items():
        assert dict(Counter(name for row in whole[column] for name in row)) == expected.labels[labels], labels
    for labels, count in expected.unlabelled.items():
        column = next(name for name, value in SETS.items() if value == labels)
        assert sum(not row for row in whole[column]) == count, labels


def test_the_official_folds_keep_patients_whole(whole):
    assert (whole.groupby("patient_id")["strat_fold"].nunique() == 1).all()


def test_our_labels_are_the_published_ones(configs, root, whole):
    index = ptbxl.read_index(root, configs.dataset("ptbxl")).set_index("record_id")
    assert len(index) == 147
    published = whole.assign(record_id=whole["ecg_id"].astype(str)).set_index("record_id").loc[index.index]
    for column, labels in SETS.items():
        assert index[f"labels:{labels}"].tolist() == published[column].tolist(), labels


def test_44_and_71_statements_on_the_rows_that_are_here(configs, root):
    index = ptbxl.read_index(root, configs.dataset("ptbxl"))
    statements = pd.read_csv(root / "scp_statements.csv", index_col=0)
    assert set(configs.task("all").classes) == set(statements.index)
    assert set(configs.task("diagnostic").classes) == set(statements.index[statements["diagnostic"] == 1])
    raw = pd.read_csv(root / "ptbxl_database.csv")["scp_codes"].map(ast.literal_eval)
    assert index["labels:all"].tolist() == [sorted(codes) for codes in raw]
    diagnostic = set(configs.task("diagnostic").classes)
    assert index["labels:diagnostic"].tolist() == [sorted(set(codes) & diagnostic) for codes in raw]


def test_our_statement_table_is_the_releases(root):
    ours, theirs = pd.read_csv(ptbxl.STATEMENTS, index_col=0), pd.read_csv(root / "scp_statements.csv", index_col=0)
    pd.testing.assert_frame_equal(ours, theirs[ours.columns], check_names=False)


@pytest.fixture(scope="module")
def store(configs, root, tmp_path_factory):
    return build("ptbxl", configs.dataset("ptbxl"), "local", root, tmp_path_factory.mktemp("real"))


def test_every_record_is_stored_as_the_library_reads_it(root, store):
    records = pd.read_parquet(store.with_name("records.parquet"))
    assert len(records) == 147
    found = Store(store).read(records["row"].to_numpy())
    for row, signal in zip(records.itertuples(), found, strict=True):
        expected = wfdb.rdrecord(str(root / row.file)).p_signal.T
        assert np.allclose(signal, expected, atol=1e-6)


def test_a_file_without_a_row_is_told_and_left_alone(store):
    release = read_json(store.with_name("release.json"))
    assert release["stray_files"] == ["records100/00000/00155_lr.dat"]
    assert release["complete"] is False


def test_the_official_split_of_the_147(configs, store):
    records = pd.read_parquet(store.with_name("records.parquet"))
    kept = configs.task("superdiagnostic").model_copy(update={"unlabelled": "keep"})
    sizes = assign(records, kept, 0)["split"].value_counts().to_dict()
    assert sizes == {"train": 98, "val": 27, "test": 22}


def test_the_main_job_runs_on_the_147_and_says_how_little_they_decide(real_data, tmp_path):
    folder = copy_project(tmp_path)
    suite = yaml.safe_load((folder / "configs/suites/ptbxl.yaml").read_text())
    grid = {
        "datasets": ["ptbxl"],
        "tasks": ["superdiagnostic"],
        "designs": ["xresnet1d101", "prevalence", "ideal-observer"],
    }
    suite |= {"size": "small", "grids": [grid], "protocol": {"warmup": 1, "repeats": 3, "seconds": 0.1}}
    (folder / "configs/suites/small-real.yaml").write_text(yaml.safe_dump(suite))
    found = snakemake(folder, "--cores", "2", "--config", "suite=small-real", f"data_root={real_data}")
    assert found.returncode == 0, found.stdout[-3000:]
    results = folder / "results/small-real"
    matrix = pd.read_csv(results / "tables/matrix.csv").set_index("design")
    assert matrix["status"].to_dict() == {
        "xresnet1d101": "measured",
        "prevalence": "measured",
        "ideal-observer": "not-allowed",
    }
    assert matrix.loc["xresnet1d101", "data_source"] == "local"
    metrics = pd.read_csv(results / "tables/metrics.csv").query(
        "split == 'test' and subgroup == 'all' and metric == 'auroc'"
    )
    row = metrics.query("design == 'xresnet1d101' and label == 'HYP'").iloc[0]
    assert np.isnan(row["value"])
    assert row["reason"] == "no positive patient"
    assert metrics.query("design == 'xresnet1d101' and label == 'MI'")["ci_low"].isna().all()
    page = (results / "report.html").read_text()
    assert "part of 21,799 records" in page
    assert "Generated records." not in page
    claims = pd.read_csv(results / "tables/claims.csv").set_index("claim")
    assert claims.loc["ptbxl-norm", "verdict"] == "not-run"
    assert "147 of its records are here" in claims.loc["ptbxl-norm", "reason"]
