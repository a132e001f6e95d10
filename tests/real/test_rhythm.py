"""On 18 real recordings of CPSC2021 by 6 patients: rhythm as annotated, windows as the library reads them."""

import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.datasets import rhythm
from vitalbench.data.store import Store
from vitalbench.files import read_json

pytestmark = pytest.mark.slow
PAROXYSMAL, PERSISTENT = {"101", "92"}, {"8", "84"}


@pytest.fixture(scope="module")
def root(real_data):
    return real_data / "cpsc2021"


@pytest.fixture(scope="module")
def store(configs, root, tmp_path_factory):
    return build("cpsc2021", configs.dataset("cpsc2021"), "local", root, tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def records(store):
    return pd.read_parquet(store.with_name("records.parquet"))


def test_no_recording_is_lost(records, store):
    assert records["recording_id"].nunique() == 18
    assert records["patient_id"].nunique() == 6
    assert pd.read_csv(store.with_name("quality.csv")).query("action == 'quarantined'").empty


def test_what_is_at_hand_is_told_as_part_of_the_release(configs, store):
    assert not read_json(store.with_name("manifest.json"))["release"]["complete"]
    assert configs.dataset("cpsc2021").expected.records == 730 + 706


def test_rhythms_are_those_of_the_patients_kind(records):
    rhythms = records.explode("labels:rhythm").groupby("patient_id")["labels:rhythm"].agg(set)
    for patient, found in rhythms.items():
        name = patient.removeprefix("cpsc2021/")
        assert found == ({"AFIB"} if name in PERSISTENT else {"N", "AFIB"} if name in PAROXYSMAL else {"N"})


def test_every_window_lies_between_two_changes(root, records):
    for recording, windows in records.groupby("recording_id"):
        name = str(recording).removeprefix("cpsc2021/")
        marks = wfdb.rdann(str(root / name), "atr")
        changes = [sample / 200 for sample, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol == "+"]
        for start, end in windows[["start_s", "end_s"]].itertuples(index=False):
            assert not any(start < change < end - 0.006 for change in changes)


def test_windows_are_the_samples_as_the_library_reads_them(root, records, store):
    for row in records.sample(30, random_state=0).to_dict("records"):
        theirs = wfdb.rdrecord(str(root / row["file"])).p_signal.T
        first = round(row["start_s"] * 200)
        assert np.allclose(Store(store).read(np.array([row["row"]]))[0], theirs[:, first : first + 2000], atol=1e-5)


def _at_fault(configs, root, tmp_path, name, other):
    copy = tmp_path / "cpsc2021"
    copy.mkdir()
    for record in (name, other):
        for beside in (".hea", ".dat", ".atr"):
            shutil.copyfile(root / f"{record}{beside}", copy / f"{record}{beside}")
    shutil.copyfile(root / f"{other}.atr", copy / f"{name}.atr")
    index = rhythm.read_index(copy, configs.dataset("cpsc2021"))
    return index.loc[index["fault"] != ""].set_index("record_id")["fault"].to_dict()


def test_the_annotations_of_a_shorter_recording_are_told_by_their_end(configs, root, tmp_path):
    told = _at_fault(configs, root, tmp_path, "data_101_8", "data_101_6")
    assert told == {
        "data_101_8": "data_101_8.atr: its last annotation is at 111.8 s of 121.2 s: it was cut, or is another's"
    }


def test_the_annotations_of_a_recording_about_as_long_are_told_by_being_there_twice(configs, root, tmp_path):
    told = _at_fault(configs, root, tmp_path, "data_35_10", "data_35_4")
    assert set(told) == {"data_35_10", "data_35_4"}
    assert told["data_35_10"] == "its annotations are byte by byte those of data_35_4"
