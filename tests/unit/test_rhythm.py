"""Rhythm from annotations: spans and windows by known cases, and what the three releases' stand-ins plant."""

import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.annotations import Annotations, Facts
from vitalbench.data.datasets import UnreadableRecord, rhythm
from vitalbench.data.store import Store
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit

FACTS = Facts(100.0, 6000, ["I", "II"], [])


def annotated(*rows: tuple[int, str, str]) -> Annotations:
    sample, symbol, note = zip(*rows, strict=True)
    return Annotations(np.array(sample), list(symbol), list(note))


@pytest.fixture(scope="module")
def stores(configs, tmp_path_factory):
    found = {}
    for name, patients in (("afdb", 6), ("cpsc2021", 9), ("nsrdb", 2)):
        dataset = configs.dataset(name)
        standin = dataset.standin.model_copy(update={"patients": patients, "seconds": 90.0})
        small = dataset.model_copy(update={"standin": standin, "parts": 2})
        if name == "afdb":  # two of its six have no signals
            small = small.model_copy(update={"quality": small.quality.model_copy(update={"max_quarantined": 0.5})})
        found[name] = small, build(name, small, "generated", None, tmp_path_factory.mktemp(name))
    return found


def test_a_rhythm_lasts_to_the_next_change_and_the_last_to_the_last_beat():
    marks = annotated((50, "N", ""), (1000, "+", "(AFIB"), (2500, "+", "(N"), (5900, "N", ""))
    assert rhythm.rhythm_spans(FACTS, marks) == [(0.0, 10.0, "N"), (10.0, 25.0, "AFIB"), (25.0, 59.0, "N")]


def test_where_rhythms_alone_are_marked_the_last_lasts_to_the_end():
    assert rhythm.rhythm_spans(FACTS, annotated((30, "+", "(AFIB"))) == [(0.0, 60.0, "AFIB")]
    marks = annotated((30, "+", "(N"), (1000, "+", "(AFIB"), (2500, "+", "(N"), (4000, "+", "(AFIB"))
    assert rhythm.rhythm_spans(FACTS, marks)[-1] == (40.0, 60.0, "AFIB")


def test_what_lies_before_the_first_annotation_is_left_out_but_for_a_beats_wait():
    assert rhythm.rhythm_spans(FACTS, annotated((2300, "N", ""), (5900, "N", ""))) == [(23.0, 59.0, "N")]
    assert rhythm.rhythm_spans(FACTS, annotated((2300, "+", "(AFIB"))) == [(23.0, 60.0, "AFIB")]
    assert rhythm.rhythm_spans(FACTS, annotated((290, "N", ""), (5900, "N", ""))) == [(0.0, 59.0, "N")]


def test_a_header_without_a_length_leaves_the_last_annotation_for_the_end():
    silent = Facts(100.0, 0, ["I", "II"], [])
    marks = annotated((50, "N", ""), (1000, "+", "(AFIB"), (5900, "N", ""))
    assert rhythm.rhythm_spans(silent, marks) == [(0.0, 10.0, "N"), (10.0, 59.0, "AFIB")]


@pytest.mark.parametrize("end", [5999, 6000])
def test_a_change_on_the_last_sample_or_behind_it_is_no_rhythm(end):
    spans = rhythm.rhythm_spans(FACTS, annotated((0, "+", "(AFIB"), (end, "+", "(N")))
    assert [name for _, _, name in spans] == ["AFIB"]


def test_what_no_one_annotated_is_left_out():
    assert rhythm.rhythm_spans(FACTS, annotated((50, "N", ""), (3000, "N", ""))) == [(0.0, 30.0, "N")]


def test_a_header_that_speaks_of_the_whole_recording_is_believed_and_held_to_it():
    persistent = Facts(100.0, 6000, ["I"], ["persistent atrial fibrillation"])
    assert rhythm.rhythm_spans(persistent, annotated((50, "N", ""), (5900, "N", "")))[0][2] == "AFIB"
    with pytest.raises(UnreadableRecord, match="another rhythm"):
        rhythm.rhythm_spans(persistent, annotated((0, "+", "(AFIB"), (3000, "+", "(N"), (5900, "N", "")))


@pytest.mark.parametrize("note", ["(AFIB ", "(afib", "(AF", "(", "(XYZ", "AFIB", ""])
@pytest.mark.parametrize("place", [30, 3000])
def test_a_mark_of_no_known_rhythm_is_a_finding_and_no_recording_without_fibrillation(stores, tmp_path, note, place):
    """Taken as it stands it would be another rhythm than fibrillation, and label the recording's windows so."""
    dataset, store = stores["afdb"]
    shutil.copytree(store.parent / "release", tmp_path / "release")
    marks = np.array([place]), ["+"]
    wfdb.wrann("04126", "atr", *marks, aux_note=[note], write_dir=str(tmp_path / "release"))
    rows = rhythm.read_index(tmp_path / "release", dataset).set_index("recording_id").loc[["04126"]]
    told = f"04126.atr: the mark at {place / 250:.1f} s is of no known rhythm; allowed: (AFIB (AFL (J (N"
    assert rows["fault"].tolist() == [told]


def test_the_rhythms_that_are_known_are_those_that_data_sets_give(configs):
    for name, known in rhythm.RHYTHMS.items():
        assert configs.dataset(name).gives.label_sets["rhythm"] == known


def test_windows_lie_in_one_rhythm():
    spans = [(0.0, 25.0, "N"), (25.0, 39.9, "AFIB"), (39.9, 60.0, "N")]
    assert rhythm._windows(spans, 10.0) == [(0.0, "N"), (10.0, "N"), (40.0, "N"), (50.0, "N")]


@pytest.mark.parametrize("name", ["afdb", "cpsc2021", "nsrdb"])
def test_windows_are_the_recordings_samples(stores, name):
    dataset, store = stores[name]
    records = pd.read_parquet(store.with_name("records.parquet"))
    for row in records.sample(8, random_state=0).to_dict("records"):
        theirs = wfdb.rdrecord(str(store.parent / "release" / row["file"])).p_signal.T
        first = round(row["start_s"] * dataset.signal.rate_hz)
        ours = Store(store).read(np.array([row["row"]]))[0]
        assert np.allclose(ours, theirs[:, first : first + dataset.signal.samples], atol=1e-3)


def test_recordings_without_signals_are_findings(stores):
    told = pd.read_csv(stores["afdb"][1].with_name("quality.csv"))
    assert sorted(told["record_id"]) == ["afdb/00735", "afdb/03665"]
    assert set(told["detail"]) == {"has no lead ECG1"}


@pytest.mark.parametrize("name", ["afdb", "nsrdb"])
def test_an_uncalibrated_lead_is_taken_only_where_the_data_set_says_what_its_gain_is(stores, name):
    dataset, store = stores[name]
    row = pd.read_parquet(store.with_name("records.parquet")).iloc[0].to_dict()
    assert (rhythm.read_record(store.parent / "release", row, dataset).gain == 200).all()
    with pytest.raises(UnreadableRecord, match="not calibrated"):
        rhythm.read_record(store.parent / "release", row, dataset.model_copy(update={"harmonise": None}))


def test_the_end_and_the_start_that_no_one_annotated_have_no_window(stores):
    records = pd.read_parquet(stores["nsrdb"][1].with_name("records.parquet"))
    assert records["end_s"].max() <= 75.0
    assert records.groupby("recording_id")["start_s"].min().to_dict() == {"nsrdb/16265": 0.0, "nsrdb/16272": 30.0}


def test_a_recording_that_is_marked_once_is_of_that_rhythm_to_its_end(stores):
    release = stores["afdb"][1].parent / "release"
    marks = wfdb.rdann(str(release / "04126"), "atr")
    assert (marks.symbol, marks.aux_note) == (["+"], ["(AFIB"])
    records = pd.read_parquet(stores["afdb"][1].with_name("records.parquet"))
    found = records[records["recording_id"] == "afdb/04126"]
    assert found["start_s"].tolist() == [10.0 * at for at in range(9)]
    assert found["labels:af"].map(list).tolist() == [["AF"]] * 9


def test_age_and_sex_are_subgroups_where_headers_state_them(stores, configs):
    own = pd.read_parquet(stores["nsrdb"][1].with_name("records.parquet"))
    assert set(own["group:sex"]) <= {"male", "female"}
    assert own["age"].notna().all()
    other = pd.read_parquet(stores["afdb"][1].with_name("records.parquet"))
    assert set(other["group:sex"]) == set(other["group:age_band"]) == {"unknown"}
    assert configs.task("af").subgroups == configs.task("beats-aami").subgroups == ["sex", "age_band"]


def test_two_recordings_that_are_each_in_one_rhythm_may_have_the_same_mark(stores, tmp_path):
    dataset, store = stores["afdb"]
    shutil.copytree(store.parent / "release", tmp_path / "release")
    shutil.copyfile(tmp_path / "release/04126.atr", tmp_path / "release/04048.atr")
    index = rhythm.read_index(tmp_path / "release", dataset)
    assert (index[index["recording_id"] == "04048"]["fault"] == "").all()


def test_a_recording_without_a_window_is_quarantined_and_counted(stores, tmp_path):
    dataset, store = stores["afdb"]
    shutil.copytree(store.parent / "release", tmp_path / "release")
    (tmp_path / "release/04015.atr").write_bytes(b"\x00\x00")  # whole, and nothing is annotated
    recordings = rhythm.read_index(store.parent / "release", dataset)["recording_id"].nunique()
    index = rhythm.read_index(tmp_path / "release", dataset)
    assert index["recording_id"].nunique() == recordings
    faults = index.loc[index["recording_id"] == "04015", "fault"].tolist()
    assert faults == ["no 10 s of it are annotated and in one rhythm"]


def test_a_patients_recordings_stay_together(stores, configs):
    records = pd.read_parquet(stores["cpsc2021"][1].with_name("records.parquet"))
    assert records["patient_id"].nunique() == 9
    assert records["recording_id"].nunique() > 20
    split = configs.task("af").split.model_copy(update={"folds": 3, "val": [2], "test": [3]})
    found = assign(records, configs.task("af").model_copy(update={"split": split}), 0)
    checks, _ = audit(found, records.set_index("record_id")["digest"])
    assert not [check for check in checks if check.verdict == "leak"]
    assert {"window-overlap", "patient-overlap"} <= {check.check for check in checks}
