"""On 13 real recordings of MIT-BIH: beats, leads and classes. Eleven have one lead and their symbols reduced to N and V."""

import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.datasets import mitdb
from vitalbench.data.store import Store
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(real_data):
    return real_data / "mitdb"


@pytest.fixture(scope="module")
def store(configs, root, tmp_path_factory):
    return build("mitdb", configs.dataset("mitdb"), "local", root, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def records(store):
    return pd.read_parquet(store.with_name("records.parquet"))


def test_record_208_has_the_published_beats_of_each_class(root, configs):
    index = mitdb.read_index(root, configs.dataset("mitdb"))
    counts = index[index["recording_id"] == "208"]["labels:aami"].explode().value_counts().to_dict()
    # As published, less the beats within 1.5 s of either end.
    marks = wfdb.rdann(str(root / "208"), "atr")
    inside = (marks.sample >= 540) & (marks.sample <= 650000 - 540)
    symbols = [symbol for symbol, kept in zip(marks.symbol, inside, strict=True) if kept]
    assert counts == {"N": symbols.count("N"), "V": symbols.count("V"), "F": symbols.count("F"), "S": 2, "Q": 2}


def test_age_and_sex_are_read_where_a_header_states_them(records):
    facts = records.groupby("recording_id")[["age", "sex", "group:age_band"]].first()
    assert facts.loc["mitdb/100"].tolist() == [69.0, "male", "60 to 79"]
    assert facts.loc["mitdb/208"].tolist() == [23.0, "female", "under 40"]
    assert facts.loc["mitdb/200", "sex"] == "unknown"  # whose header was written anew, without comments


def test_each_recording_has_the_beats_that_are_published_of_it(root, configs):
    faults = mitdb.read_index(root, configs.dataset("mitdb"))["fault"]
    assert set(faults) == {"", "has no lead MLII"}


def _at_fault(root, configs, tmp_path, change):
    """What is told of the recordings at hand once a change was made to a copy of their files."""
    copy = tmp_path / "mitdb"
    copy.mkdir()
    for name in ("100", "208"):
        for beside in (".hea", ".dat", ".atr"):
            shutil.copyfile(root / f"{name}{beside}", copy / f"{name}{beside}")
    change(copy)
    index = mitdb.read_index(copy, configs.dataset("mitdb"))
    return index.loc[index["fault"] != "", ["record_id", "fault"]].to_records(index=False).tolist()


def test_the_annotations_of_another_recording_are_told_by_their_beats(root, configs, tmp_path):
    told = _at_fault(root, configs, tmp_path, lambda copy: shutil.copyfile(copy / "208.atr", copy / "100.atr"))
    assert told == [("100", "100.atr: 2,955 beats; 2,273 are published of the recording")]


def test_annotations_that_were_cut_and_closed_are_told_by_their_beats(root, configs, tmp_path):
    def cut(copy):
        (copy / "100.atr").write_bytes((copy / "100.atr").read_bytes()[:1140] + b"\x00\x00")

    [(record, fault)] = _at_fault(root, configs, tmp_path, cut)
    assert record == "100"
    assert fault.endswith("beats; 2,273 are published of the recording")


def test_recordings_whose_only_lead_is_v5_are_kept_out(store):
    told = pd.read_csv(store.with_name("quality.csv")).query("check == 'bad-row'")
    assert sorted(told["record_id"]) == ["mitdb/102", "mitdb/104", "mitdb/114"]


def test_windows_are_the_samples_as_the_library_reads_them(root, records, store):
    for name in ("100", "208", "200"):
        theirs = wfdb.rdrecord(str(root / name))
        lead = theirs.p_signal[:, theirs.sig_name.index("MLII")]
        some = records[records["recording_id"] == f"mitdb/{name}"].sample(20, random_state=0)
        for row, found in zip(some.itertuples(), Store(store).read(some["row"].to_numpy())[:, 0], strict=True):
            beat = int(row.record_id.rpartition("-")[2])
            assert np.allclose(found, lead[beat - 540 : beat + 540], atol=1e-6)


def test_the_split_of_those_at_hand_is_clean(records, configs):
    split = assign(records, configs.task("beats-aami"), 0)
    held = split.groupby("split")["recording_id"].unique().map(sorted).to_dict()
    assert held["test"] == [f"mitdb/{name}" for name in ("100", "105", "121", "123", "200")]
    assert held["train"] == [f"mitdb/{name}" for name in ("106", "108", "116", "119", "208")]
    checks, _ = audit(split, records.set_index("record_id")["digest"])
    assert not [check for check in checks if check.verdict == "leak"]
