"""MIT-BIH: beats as windows, the split between patients, leads by name, and what the stand-in plants."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.annotations import AAMI
from vitalbench.data.datasets import UnreadableRecord, mitdb
from vitalbench.data.release import acquire
from vitalbench.data.store import Store
from vitalbench.split import neighbours
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit


@pytest.fixture(scope="module")
def dataset(configs):
    dataset = configs.dataset("mitdb")
    return dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"seconds": 15.0})})


@pytest.fixture(scope="module")
def store(dataset, tmp_path_factory):
    return build("mitdb", dataset, "generated", None, tmp_path_factory.mktemp("mitdb"))


@pytest.fixture(scope="module")
def records(store):
    return pd.read_parquet(store.with_name("records.parquet"))


def test_the_published_sets_are_disjoint_and_hold_44_of_48_recordings():
    assert len(mitdb.DS1) == len(mitdb.DS2) == 22
    assert len({*mitdb.DS1, *mitdb.DS2, *mitdb.PACED}) == 48


def test_no_person_is_in_two_splits(records, configs):
    split = assign(records, configs.task("beats-aami"), 0)
    used = split[split["split"] != "unused"]
    assert (used.groupby("patient_id")["split"].nunique() == 1).all()
    assert set(split.loc[split["recording_id"] == "mitdb/201", "split"]) == {"unused"}
    assert set(split.loc[split["recording_id"] == "mitdb/202", "split"]) == {"test"}


def test_were_201_trained_on_the_audit_would_name_its_person(records, configs):
    split = assign(records, configs.task("beats-aami"), 0)
    split.loc[split["recording_id"] == "mitdb/201", "split"] = "train"
    checks, _ = audit(split, records.set_index("record_id")["digest"])
    leaks = [(check.check, check.split, check.found) for check in checks if check.verdict == "leak"]
    assert leaks == [("patient-overlap", "train-test", 1)]


def test_the_audit_looks_at_shared_time(records, configs):
    split = assign(records, configs.task("beats-aami"), 0)
    first = split.index[split["recording_id"] == "mitdb/101"][0]
    split.loc[first, "split"] = "test"
    checks, _ = audit(split)
    assert any(check.check == "window-overlap" and check.verdict == "leak" for check in checks)


def test_recordings_without_the_lead_are_one_finding_each(store):
    told = pd.read_csv(store.with_name("quality.csv")).query("action == 'quarantined'")
    assert sorted(told["record_id"]) == ["mitdb/102", "mitdb/104"]
    assert set(told["detail"]) == {"has no lead MLII"}


def test_age_and_sex_are_those_of_the_headers_first_line(records, store):
    facts = records.groupby("recording_id")[["age", "group:sex", "group:age_band"]].first()
    assert facts["group:sex"].isin(["male", "female"]).all()
    assert facts.loc["mitdb/105", "group:age_band"] == "unknown"
    said = wfdb.rdheader(str(store.parent / "release/100")).comments[0].split()
    assert (facts.loc["mitdb/100", "age"], facts.loc["mitdb/100", "group:sex"][0].upper()) == (float(said[0]), said[1])
    assert facts.loc["mitdb/201"].equals(facts.loc["mitdb/202"])


def test_the_excerpts_beside_the_48_are_no_recordings(records, store):
    assert (store.parent / "release/x_mitdb/x_108.hea").is_file()
    assert records["recording_id"].nunique() == 46


@pytest.mark.parametrize("name", ["100", "114"])
def test_a_window_is_the_lead_by_its_name_around_its_beat(records, store, name):
    release = store.parent / "release"
    theirs, marks = wfdb.rdrecord(str(release / name)), wfdb.rdann(str(release / name), "atr")
    lead = theirs.p_signal[:, theirs.sig_name.index("MLII")]
    ours = records[records["recording_id"] == f"mitdb/{name}"]
    for row in ours.to_dict("records"):
        beat = int(row["record_id"].rpartition("-")[2])
        assert AAMI[marks.symbol[marks.sample.tolist().index(beat)]] == row["labels:aami"][0]
        found = Store(store).read(np.array([row["row"]]))[0, 0]
        assert np.allclose(found, lead[beat - 540 : beat + 540], atol=1e-4)


def test_no_window_leaves_its_recording(records):
    assert (records["start_s"] >= 0).all()
    assert (records["end_s"] <= 15.0 + 1e-6).all()


def test_no_two_recordings_are_taken_for_copies(store):
    assert neighbours.of_windows(store)
    assert neighbours.find(store, 1).empty


def test_a_recording_without_its_annotations_is_one_finding(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    (tmp_path / "release/100.atr").unlink()
    index = mitdb.read_index(tmp_path / "release", dataset).set_index("record_id")
    assert index.loc["100", "fault"] == "100.atr is not there"


def test_a_header_that_is_a_folder_is_one_finding(dataset, store, tmp_path):
    root = tmp_path / "release"
    shutil.copytree(store.parent / "release", root)
    for mark in ("STAND-IN.txt", "standin_truth.csv"):
        (root / mark).unlink(missing_ok=True)
    (root / "100.hea").unlink()
    (root / "100.hea").mkdir()
    acquire("mitdb", dataset, "local", root, tmp_path / "release.json")
    faults = pd.read_parquet(tmp_path / "index.parquet").set_index("record_id")["fault"]
    assert faults["mitdb/100"].startswith("100.hea")


def test_recordings_with_one_file_of_annotations_are_at_fault_both_and_the_others_are_not(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    shutil.copyfile(tmp_path / "release/101.atr", tmp_path / "release/100.atr")
    index = mitdb.read_index(tmp_path / "release", dataset)
    told = index[index["fault"].str.contains("byte by byte")].set_index("record_id")["fault"].to_dict()
    assert told == {
        "100": "its annotations are byte by byte those of 101", "101": "its annotations are byte by byte those of 100"
    }  # fmt: skip
    assert not index.loc[index["fault"] == "", "recording_id"].isin(["100", "101"]).any()


def test_annotations_that_stop_long_before_their_recording_quarantine_it(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    whole = (tmp_path / "release/100.atr").read_bytes()
    (tmp_path / "release/100.atr").write_bytes(whole[: len(whole) // 4 * 2] + b"\x00\x00")
    fault = mitdb.read_index(tmp_path / "release", dataset).set_index("record_id").loc["100", "fault"]
    assert re.fullmatch(r"100\.atr: its last annotation is at \d\.\d s of 15\.0 s: it was cut, or is another's", fault)


def test_a_recording_whose_beats_have_no_window_is_one_finding(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    beats = np.array([100, 15 * 360 - 100])  # nearer than half a window to either end
    wfdb.wrann("100", "atr", beats, ["N", "N"], write_dir=str(tmp_path / "release"))
    index = mitdb.read_index(tmp_path / "release", dataset).set_index("record_id")
    assert index.loc["100", "fault"] == "no beat of it has a window of 3 s"


def test_the_published_beats_of_all_recordings_are_those_of_the_database(configs):
    assert set(mitdb.BEATS) == {*mitdb.DS1, *mitdb.DS2, *mitdb.PACED}
    assert f"{sum(mitdb.BEATS.values()):,} beats" in configs.dataset("mitdb").expected.source


def test_a_header_that_leaves_out_its_length_is_read_by_its_samples(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    header = tmp_path / "release/100.hea"
    header.write_text(header.read_text().replace("100 2 360 5400", "100 2 360"))
    index = mitdb.read_index(tmp_path / "release", dataset)
    same = mitdb.read_index(store.parent / "release", dataset)
    pd.testing.assert_frame_equal(index, same)
    row = index[index["recording_id"] == "100"].iloc[0].to_dict()
    found, expected = (mitdb.read_record(root / "release", row, dataset) for root in (tmp_path, store.parent))
    assert np.array_equal(found.digital, expected.digital)


def test_a_recording_of_other_samples_quarantines_its_windows(dataset, store, tmp_path):
    shutil.copytree(store.parent / "release", tmp_path / "release")
    content = bytearray((tmp_path / "release/100.dat").read_bytes())
    content[3000] ^= 255
    (tmp_path / "release/100.dat").write_bytes(bytes(content))
    index = mitdb.read_index(tmp_path / "release", dataset)
    row = index[index["recording_id"] == "100"].iloc[0].to_dict()
    with pytest.raises(UnreadableRecord, match="checksums of their header"):
        mitdb.read_record(tmp_path / "release", row, dataset)
