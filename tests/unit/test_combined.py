"""All sources together: each recording once, PTB-XL's patients and folds, the Challenge's codes; what is left out is a copy."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import build
from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.sources import local_release
from vitalbench.data.datasets import challenge, combined, ptbxl
from vitalbench.data.origins import origins_in
from vitalbench.data.release import index_digests
from vitalbench.data.standardise import standardise
from vitalbench.data.store import Store
from vitalbench.files import write_json
from vitalbench.report.source_rows import source_rows
from vitalbench.split.alignment import align, spectra
from vitalbench.split.assign import assign
from vitalbench.split.fingerprint import prepare
from vitalbench.tables import read_table, write_table


@pytest.fixture(scope="module")
def built(configs, tmp_path_factory):
    dataset = configs.dataset("combined")
    small = dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 150}), "parts": 2})
    folder = tmp_path_factory.mktemp("combined")
    return small, build("combined", small, "generated", None, folder), folder


@pytest.fixture(scope="module")
def root(built):
    return built[2] / "release"


@pytest.fixture(scope="module")
def records(built):
    return pd.read_parquet(built[1].with_name("records.parquet"))


@pytest.fixture(scope="module")
def index(built, root):
    return combined.read_index(root, built[0])


def test_each_recording_of_ptbxl_is_there_once(root, records):
    table = pd.read_csv(root / "ptbxl/ptbxl_database.csv")
    copies = list((root / "challenge2021/training/ptb-xl").rglob("*.hea"))
    assert len(copies) == len(table) + 3
    of_ptbxl = records[records["group:origin"] == "ptb-xl"]
    assert sorted(of_ptbxl["record_id"]) == sorted(f"combined/ptbxl-{number}" for number in table["ecg_id"])
    assert of_ptbxl["patient_id"].nunique() == table["patient_id"].nunique() < len(table)
    assert not records["record_id"].str.contains("HR").any()


def test_what_is_left_out_by_its_number_is_a_copy_by_its_samples(built, root, records):
    store = Store(built[1])
    theirs = built[0].model_copy(update={"header_folders": ["training/ptb-xl"]})
    listed = challenge.read_index(root / "challenge2021", theirs).set_index("record_id")
    for row in records[records["group:origin"] == "ptb-xl"].head(6).to_dict("records"):
        name = f"HR{int(row['record_id'].rpartition('-')[2]):05d}"
        copy = challenge.read_record(root / "challenge2021", listed.loc[name].to_dict(), theirs)
        both = np.stack([store.read(np.array([row["row"]]))[0], (copy.digital / copy.gain[:, None]).astype(np.float32)])
        prepared = prepare(both, 100)
        assert align(prepared, spectra(prepared), np.array([0]), np.array([1])).copies.all()


def test_a_record_has_the_codes_of_its_copy_and_without_one_those_of_its_statements(built, root, index, tmp_path):
    header = next((root / "challenge2021/training/ptb-xl").rglob("HR00007.hea"))
    text = header.read_text()
    try:
        header.write_text(text.replace("# Dx: ", "# Dx: 39732003,"))  # an axis, which statements do not say
        named = combined.read_index(root, built[0]).set_index("record_id")["labels:snomed"]
        assert "LAD" in named["ptbxl-7"]
        header.rename(tmp_path / header.name)
        mapped = combined.read_index(root, built[0]).set_index("record_id")["labels:snomed"]
        assert mapped["ptbxl-7"] == index.set_index("record_id").loc["ptbxl-7", "labels:snomed"]
    finally:
        (tmp_path / header.name).unlink(missing_ok=True)
        header.write_text(text)


@pytest.mark.parametrize("how", ["of another", "damaged", "noise"])
def test_a_record_of_its_number_that_is_no_copy_of_it_gives_it_no_label(built, root, index, how, tmp_path):
    """One file at fault: another record's samples under its name with their own checksums, a byte that is not as summed, noise."""
    for name in ("ptbxl", "challenge2021"):
        shutil.copytree(root / name, tmp_path / name)
    folder = next((tmp_path / "challenge2021/training/ptb-xl").rglob("HR00007.hea")).parent
    text, samples = (folder / "HR00007.hea").read_text(), folder / "HR00007.mat"
    if how == "of another":
        other = (folder / "HR00009.hea").read_text().partition("#")[0]
        text = other.replace("HR00009", "HR00007") + "#" + text.partition("#")[2]
        shutil.copy(folder / "HR00009.mat", samples)
    elif how == "damaged":
        content = bytearray(samples.read_bytes())
        content[5000] ^= 1
        samples.write_bytes(content)
    else:
        samples.write_bytes(np.random.default_rng(0).bytes(samples.stat().st_size))
    dx = next(line for line in text.splitlines() if line.startswith("# Dx: "))
    (folder / "HR00007.hea").write_text(text.replace(dx, "# Dx: 164889003,59118001"))
    found = combined.read_index(tmp_path, built[0]).set_index("record_id")
    assert found.loc["ptbxl-7", "labels:snomed"] == index.set_index("record_id").loc["ptbxl-7", "labels:snomed"]
    assert found.loc["ptbxl-7", "notice"].startswith("copy-differs: the Challenge's record of its number is no copy: ")
    assert "HR00007" not in found.loc["ptbxl-7", "notice"]
    assert (found["notice"] != "").sum() == 1
    told = combined.left_out(tmp_path, built[0], found.reset_index())
    whole = combined.left_out(root, built[0], index)
    assert told[combined.DIFFERS] == (1, 0)
    assert combined.DIFFERS not in whole
    assert told[combined.COPIES][1] == whole[combined.COPIES][1] - 1


def test_what_is_to_be_told_of_a_record_is_a_finding_and_no_column_of_the_store(built, index, tmp_path):
    rows = index.head(2).assign(part=0, patient_id=index["patient_id"].head(2), notice=["copy-differs: it is not", ""])
    standardise(rows, built[0], "generated", built[2] / "release", tmp_path / "part-0000.h5")
    told = pd.read_csv(tmp_path / "part-0000.findings.csv")
    assert told[["record_id", "check", "detail", "action"]].to_numpy().tolist() == [
        [rows["record_id"].iloc[0], "copy-differs", "it is not", "flagged"]
    ]
    assert "notice" not in pd.read_parquet(tmp_path / "part-0000.parquet").columns


def test_an_axis_that_deviates_is_read_of_its_column_where_there_is_no_copy(built, root, tmp_path):
    for name in ("ptbxl", "challenge2021"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("HR*", "*.dat", "*.mat"))
    table = pd.read_csv(root / "ptbxl/ptbxl_database.csv")
    axes = ["LAD", "ALAD", "RAD", "ARAD", "MID", "SAG"]
    table["heart_axis"] = [*axes, *[""] * (len(table) - len(axes))]
    table.to_csv(tmp_path / "ptbxl/ptbxl_database.csv", index=False)
    index = combined.read_index(tmp_path, built[0]).set_index("record_id")
    rows = index.loc[[f"ptbxl-{number}" for number in table["ecg_id"][: len(axes)]]]
    assert [sorted({"LAD", "RAD"} & set(names)) for names in rows["labels:scored"]] == [
        ["LAD"], ["LAD"], ["RAD"], ["RAD"], [], []
    ]  # fmt: skip
    assert not any(rows["labels:normal"].iloc[:4])


def test_ptbxl_keeps_its_folds_and_the_others_patients_have_one(root, index, configs):
    own = index[index["group:origin"] == "ptb-xl"].set_index("record_id")["strat_fold"]
    table = pd.read_csv(root / "ptbxl/ptbxl_database.csv")
    assert all(
        own[f"ptbxl-{number}"] == fold for number, fold in table[["ecg_id", "strat_fold"]].itertuples(index=False)
    )
    assert index["strat_fold"].between(1, 10).all()
    assert (index.groupby("patient_id")["strat_fold"].nunique() == 1).all()
    found = assign(index, configs.task("scored-combined"), 0)
    assert set(found["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize(
    "task", ["scored", "normal", "arrhythmia", "st-segment", "complex-arrhythmia", "rare-conditions"]
)
def test_every_task_asked_of_it_is_split_by_the_folds(index, configs, task):
    """Tasks of sources without folds, too: no record of PTB-XL's folds 9 and 10 is trained on."""
    split = assign(index, configs.task(task), 0)["split"]
    folds = {name: set(index.loc[split == name, "strat_fold"]) for name in ("train", "val", "test")}
    assert folds == {"train": set(range(1, 9)), "val": {9}, "test": {10}}
    without = assign(index.drop(columns="strat_fold"), configs.task(task), 0)["split"]
    assert set(index.loc[without == "train", "strat_fold"]) == set(range(1, 11))


def test_every_source_is_told_apart_in_one_vocabulary(index):
    assert set(index["group:origin"]) == {
        "ptb-xl", "georgia", "chapman_shaoxing", "ningbo", "cpsc_2018", "cpsc_2018_extra"
    }  # fmt: skip
    assert {column for column in index.columns if column.startswith("labels:")} == {
        f"labels:{name}" for name in ("snomed", "scored", "findings", "normal", "arrhythmia", "complex", "st")
    }
    assert set(index["sex"]) <= {"male", "female", "unknown"}


@pytest.fixture(scope="module")
def made_of(built):
    """The folder, as a build leaves it."""
    config = built[0].model_dump(include=set(DatasetBuild.model_fields))
    write_json(built[2] / "config.json", {"config": config, "source": "generated", "root": None})
    return built[2]


def test_the_table_says_what_copies_add(made_of):
    found = origins_in(made_of)
    copies, gone = found[combined.COPIES], found[combined.GONE]
    assert copies.adds == gone.adds == 0
    assert copies.copies == found["ptb-xl"].listed
    assert (gone.listed, gone.kept_out) == (3, 3)


def test_a_suite_of_it_has_that_table_and_one_of_a_single_source_none(built, made_of, configs, tmp_path):
    datasets = {"combined": built[0], "ptbxl": configs.dataset("ptbxl"), "challenge2021": built[0]}
    suite = {"sources": {"combined": "generated", "ptbxl": "generated", "challenge2021": None}}
    folders = {"combined": made_of, "ptbxl": made_of, "challenge2021": None}
    results = SimpleNamespace(suite=suite, dataset=datasets.get, data=folders.get)
    write_table("sources", source_rows(results), tmp_path / "sources.csv")
    rows = read_table("sources", tmp_path / "sources.csv")
    assert {(row["dataset"], row["data_source"]) for row in rows} == {("combined", "generated")}
    assert next(row for row in rows if row["made_of"] == combined.GONE)["adds"] == "0"
    records = pd.read_parquet(made_of / "records.parquet")
    assert sum(int(row["adds"]) for row in rows) == records["digest"].nunique()


def test_both_releases_have_to_be_there(built, root, tmp_path):
    dataset = built[0]
    assert local_release(dataset, root, "data_root") == root.resolve()
    (tmp_path / "ptbxl").symlink_to(root / "ptbxl")
    assert local_release(dataset, tmp_path, "data_root") is None


def test_releases_may_be_links_beside_each_other(built, root, tmp_path):
    for name in ("ptbxl", "challenge2021"):
        (tmp_path / name).symlink_to(root / name)
    index = combined.read_index(tmp_path, built[0])
    for row in (index.iloc[0], index.iloc[-1]):
        assert combined.read_record(tmp_path, row.to_dict(), built[0]).digital.shape == (12, 1000)


def test_tables_and_headers_have_digests_of_their_own(built, root):
    before = index_digests(root, built[0])
    assert set(before) == {"ptbxl/ptbxl_database.csv", "ptbxl/scp_statements.csv", "headers"}
    header = next((root / "challenge2021").rglob("*.hea"))
    text = header.read_text()
    header.write_text(text.replace("# Age: ", "# Age: 1"))
    changed = {name for name, found in index_digests(root, built[0]).items() if found != before[name]}
    header.write_text(text)
    assert changed == {"headers"}


def test_the_records_are_those_of_their_own_readers(built, root, records, configs):
    store = Store(built[1])
    row = records[records["group:origin"] == "ptb-xl"].iloc[0]
    own = ptbxl.read_record(root / "ptbxl", {"file": row["file"].removeprefix("ptbxl/")}, configs.dataset("ptbxl"))
    assert np.allclose(store.read(np.array([row["row"]]))[0], own.digital / own.gain[:, None], atol=1e-6)
