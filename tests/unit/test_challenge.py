"""The 2021 Challenge's layout: what its headers say, what is refused of them, and the stand-in with the traps of releases."""

import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.datasets import challenge
from vitalbench.data.quality import sample_checks
from vitalbench.data.release import acquire, index_digests
from vitalbench.data.synthetic.challenge import write_release
from vitalbench.errors import InputError
from vitalbench.split.assign import assign


@pytest.fixture(scope="module")
def stores(configs, tmp_path_factory):
    """A small stand-in of each source, built."""
    found = {}
    for name in ("georgia", "chapman-ningbo", "cpsc2018", "ptbxl-challenge"):
        dataset = configs.dataset(name)
        standin = dataset.standin.model_copy(update={"patients": 90})
        small = dataset.model_copy(update={"standin": standin, "parts": 2})
        found[name] = small, build(name, small, "generated", None, tmp_path_factory.mktemp(name))
    return found


@pytest.fixture
def georgia(stores, tmp_path):
    """A copy of Georgia's stand-in to be altered, and its data set."""
    dataset, store = stores["georgia"]
    shutil.copytree(store.parent / "release", tmp_path / "release")
    return dataset, tmp_path / "release"


def header(root):
    return root / "training/georgia/g1/E00011.hea"


@pytest.mark.parametrize("kind", ["dangling link", "folder"])
def test_a_header_that_is_no_file_is_a_row_at_fault_and_ends_nothing(georgia, tmp_path, kind):
    dataset, root = georgia
    for mark in ("STAND-IN.txt", "standin_truth.csv"):
        (root / mark).unlink(missing_ok=True)
    before = index_digests(root, dataset)
    whole = acquire("georgia", dataset, "local", root, tmp_path / "whole/release.json")
    header(root).unlink()
    if kind == "folder":
        header(root).mkdir()
    else:
        header(root).symlink_to("nowhere.hea")
    found = acquire("georgia", dataset, "local", root, tmp_path / "out/release.json")
    assert (found["records"], found["bad_rows"]) == (whole["records"], whole["bad_rows"] + 1)
    faults = pd.read_parquet(tmp_path / "out/index.parquet").set_index("record_id")["fault"]
    assert faults["georgia/E00011"] == "its header says no Dx"
    assert index_digests(root, dataset) != before


def findings(store):
    return pd.read_csv(store.with_name("quality.csv"))


@pytest.mark.parametrize("name", ["georgia", "chapman-ningbo", "cpsc2018", "ptbxl-challenge"])
def test_the_library_reads_the_stand_in_and_finds_the_same_samples(stores, name):
    dataset, store = stores[name]
    records = pd.read_parquet(store.with_name("records.parquet"))
    for row in records.head(5).to_dict("records"):
        theirs = wfdb.rdrecord(str(store.parent / "release" / row["file"]))
        assert theirs.fs == 500
        ours = challenge.read_record(store.parent / "release", row, dataset)
        mean = (ours.digital[:, : ours.recorded] / ours.gain[:, None]).mean(axis=1)
        assert np.allclose(mean, theirs.p_signal[: 5 * (ours.recorded or 1000)].mean(axis=0), atol=0.003)


def test_one_recording_under_two_names_is_one_patient(stores):
    _dataset, store = stores["georgia"]
    records = pd.read_parquet(store.with_name("records.parquet"))
    again = findings(store).query("check == 'duplicate'")
    assert len(again) == 3
    digests = records.groupby("digest")["patient_id"].nunique()
    assert (digests == 1).all()
    assert records["patient_id"].nunique() == len(records) - 3


def test_short_records_are_filled_up_and_told(stores):
    told = findings(stores["georgia"][1]).query("check == 'filled-up'")
    assert set(told["detail"]) == {"5 of 10 s recorded, the rest is 0 mV"}
    assert len(told) == 3


def test_what_was_filled_up_is_no_flat_lead(stores, configs):
    dataset, store = stores["georgia"]
    index = challenge.read_index(store.parent / "release", dataset).set_index("record_id")
    short = challenge.read_record(store.parent / "release", index.loc["E00002"].to_dict(), dataset)
    assert short.recorded == 500
    assert not [check for check, _ in sample_checks(short, dataset.signal, dataset.quality) if check == "flat-lead"]


def test_records_that_lack_leads_are_kept_out(stores):
    told = findings(stores["chapman-ningbo"][1]).query("check == 'missing-lead'")
    assert set(told["detail"]) == {"lead V2 V4 V6"}
    assert set(told["action"]) == {"quarantined"}


def test_two_sources_in_one_data_set_are_told_apart(stores):
    records = pd.read_parquet(stores["chapman-ningbo"][1].with_name("records.parquet"))
    assert set(records["group:origin"]) == {"chapman_shaoxing", "ningbo"}
    number = records["record_id"].str[-5:].astype(int)
    assert ((number <= 10646) == (records["group:origin"] == "chapman_shaoxing")).all()


def test_a_unit_is_a_millivolt_in_small_letters_too(stores):
    _dataset, store = stores["ptbxl-challenge"]
    text = next((store.parent / "release").rglob("*.hea")).read_text()
    assert "/mv " in text
    assert "# unnecessary comment" in text
    assert len(pd.read_parquet(store.with_name("records.parquet"))) == 90


def test_an_age_that_is_not_known_is_no_fault(stores):
    records = pd.read_parquet(stores["georgia"][1].with_name("records.parquet"))
    unknown = records[records["age"].isna()]
    assert len(unknown) == 3
    assert set(unknown["group:age_band"]) == {"unknown"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# Dx: ", "# Rx: ", "its header says no Dx"),
        ("# Dx: ", "# Dx:\n# Of: ", "Dx is empty: nobody says what it shows, nor that it shows nothing"),
        ("# Dx: ", "# Dx: 426783006\n# Dx: ", "its header has more than one line of Dx"),
        ("# Age: ", "# Age: 17\n# Age: ", "its header has more than one line of Age"),
        ("# Dx: ", "# Dx: sinus rhythm ", "Dx is no list of SNOMED CT codes"),
        ("# Dx: ", "# Dx: 123456789,", "Dx holds a code that is none of the 133 of the vocabulary"),
        ("# Sex: ", "# Sex: Georgia ", "Sex is neither Male, Female nor Unknown"),
        ("# Age: ", "# Age: 9", "age is not 0 to 120 years, 300 (older than 89), -1 or NaN"),
    ],
)
def test_a_header_at_fault_quarantines_its_record_alone(georgia, old, new, told):
    dataset, root = georgia
    before = challenge.read_index(root, dataset)["fault"]  # one of its own is planted
    file = header(root)
    file.write_text(file.read_text().replace(old, new))
    index = challenge.read_index(root, dataset).set_index("record_id")
    assert index.loc["E00011", "fault"] == told
    assert (index["fault"] != "").sum() == (before != "").sum() + 1
    assert set(before) <= {"", "Dx is empty: nobody says what it shows, nor that it shows nothing"}


def test_a_negative_gain_is_told_though_what_is_stored_is_in_microvolt(georgia):
    dataset, root = georgia
    row = {"file": "training/georgia/g1/E00011"}
    before = challenge.read_record(root, row, dataset)
    lines = header(root).read_text().splitlines()
    lines[2] = lines[2].replace(" 1000.0(0)/mV", " -1000.0(0)/mV")
    header(root).write_text("\n".join(lines) + "\n")
    record = challenge.read_record(root, row, dataset)
    assert np.array_equal(record.digital[1], -before.digital[1])
    assert ("negative-gain", "lead II") in sample_checks(record, dataset.signal, dataset.quality)
    assert "negative-gain" not in dict(sample_checks(before, dataset.signal, dataset.quality))


def test_the_one_record_that_says_nothing_is_kept_out(stores):
    told = findings(stores["georgia"][1]).query("check == 'bad-row'")
    assert told[["record_id", "detail"]].to_numpy().tolist() == [
        ["georgia/E00078", "Dx is empty: nobody says what it shows, nor that it shows nothing"]
    ]


def test_no_header_is_no_release(configs, tmp_path):
    with pytest.raises(InputError, match="no header lies below training/georgia or georgia"):
        challenge.read_index(tmp_path, configs.dataset("georgia"))


def test_a_changed_header_changes_the_releases_digest(georgia, tmp_path):
    dataset, root = georgia
    before = index_digests(root, dataset)
    header(root).write_text(header(root).read_text().replace("# Age: ", "# Age: 1"))
    assert index_digests(root, dataset) != before


def test_the_split_is_80_10_10_and_keeps_copies_together(configs, stores):
    records = pd.read_parquet(stores["georgia"][1].with_name("records.parquet"))
    found = assign(records, configs.task("scored"), 0)
    share = found["split"].value_counts(normalize=True)
    assert 0.6 < share["train"] < 0.95
    assert (found.groupby("patient_id")["split"].nunique() == 1).all()


def test_the_source_that_an_external_split_trains_on_has_its_share_of_the_stand_in(configs, tmp_path):
    dataset = configs.dataset("challenge2021")
    own = configs.task("external-georgia").split.train_on
    written = dataset.standin.model_copy(update={"patients": 26})
    write_release(tmp_path, written, dataset.header_folders)
    found = {folder.name: len(list(folder.rglob("*.hea"))) for folder in (tmp_path / "training").iterdir()}
    assert found.pop(own) == 16
    assert set(found.values()) == {2}
    assert not (tmp_path / own).exists()  # the other place that a source may lie in


def test_two_sources_that_share_a_name_are_told_by_their_files(configs, tmp_path):
    dataset = configs.dataset("challenge2021")
    small = dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 40})})
    root = tmp_path / "release"
    challenge.write_standin(root, small)
    for name in ("STAND-IN.txt", "standin_truth.csv"):
        (root / name).unlink(missing_ok=True)
    first = next((root / "training/georgia").rglob("*.hea"))
    other = next((root / "training/ningbo").rglob("*.hea")).parent
    for kind in (".hea", ".mat"):
        shutil.copy(first.with_suffix(kind), other / first.with_suffix(kind).name)
    with pytest.raises(
        InputError, match=rf"2 records share their name .*georgia/.*{first.stem} and .*ningbo/.*{first.stem}"
    ):
        acquire("challenge2021", small, "local", root, tmp_path / "out/release.json")
