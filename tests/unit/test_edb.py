"""European ST-T: episodes by known cases, windows of one lead by its name, subjects by headers, and what the stand-in plants."""

import numpy as np
import pandas as pd
import pytest
import wfdb
from scipy.signal import find_peaks
from sklearn.metrics import roc_auc_score

from tests.conftest import build
from vitalbench.data.annotations import Annotations, Facts, read_annotations
from vitalbench.data.datasets import UnreadableRecord, edb
from vitalbench.data.store import Store
from vitalbench.data.synthetic.edb import RECORDS
from vitalbench.errors import InputError
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit


def marked(*rows: tuple[int, str, str]) -> Annotations:
    sample, symbol, note = zip(*rows, strict=True)
    return Annotations(np.array(sample), list(symbol), list(note))


@pytest.fixture(scope="module")
def store(configs, tmp_path_factory):
    dataset = configs.dataset("edb")
    standin = dataset.standin.model_copy(update={"patients": 24, "seconds": 120.0})
    small = dataset.model_copy(update={"standin": standin, "parts": 2})
    return small, build("edb", small, "generated", None, tmp_path_factory.mktemp("edb"))


def records_of(store):
    return pd.read_parquet(store[1].with_name("records.parquet"))


def test_an_episode_lasts_from_its_begin_to_its_end_in_its_own_lead():
    notes = marked((100, "s", "(ST1-"), (150, "s", "AST1-120"), (300, "s", "ST1-)"))
    assert edb.episodes(notes, 1, 1000).spans == [(100, 300, "ST-")]
    assert edb.episodes(notes, 0, 1000).spans == []


def test_a_doubled_sign_is_no_episode_and_episodes_of_both_signs_are_two():
    notes = marked(
        (100, "T", "(T0+"), (120, "T", "T0++"), (200, "T", "(T0-"), (250, "T", "T0+)"), (260, "T", "T0++"), (300, "T", "T0-)")
    )  # fmt: skip
    assert edb.episodes(notes, 0, 1000).spans == [(100, 250, "T+"), (200, 300, "T-")]


def test_a_turned_axis_is_told_from_a_change():
    notes = marked(
        (100, '"', "(st0+"), (150, '"', "ast0+200"), (300, '"', "st0+)"), (300, '"', "BUTTON"), (310, '"', "TS")
    )
    assert edb.episodes(notes, 0, 1000).spans == [(100, 300, "st+")]


def test_an_episode_that_is_not_ended_is_known_up_to_its_last_mark():
    found = edb.episodes(marked((100, "s", "(ST0-"), (600, "s", "AST0-300")), 0, 1000)
    assert found.spans == [(100, 600, "ST-")]
    assert found.unknown == [(600, 1000)]


def test_an_episode_that_begins_again_ends_what_is_known_of_the_first():
    found = edb.episodes(marked((100, "s", "(ST0-"), (300, "s", "(ST0-"), (500, "s", "ST0-)")), 0, 1000)
    assert found.spans == [(100, 100, "ST-"), (300, 500, "ST-")]
    assert found.unknown == [(100, 300)]


def test_an_end_without_a_begin_is_a_damaged_file():
    with pytest.raises(UnreadableRecord, match="end an episode of ST- that did not begin"):
        edb.episodes(marked((100, "s", "ST0-)")), 0, 1000)


def test_windows_are_of_one_state_and_follow_the_reference():
    found = edb.Episodes([(450, 800, "ST-"), (500, 700, "T+")], [(900, 1000)])
    told = list(edb.windows(found, 1200, 100, 150))
    assert told == [(200, []), (300, []), (500, ["ST-", "T+"]), (600, ["ST-", "T+"]), (700, ["ST-"]), (800, []), (1000, []),
                    (1100, [])]  # fmt: skip


def test_what_is_behind_the_end_mark_of_a_note_is_cut_off(tmp_path):
    notes = ["(T0+\x00\x13", "T0+)"]
    wfdb.wrann("x", "atr", np.array([5, 90]), ["T", "T"], aux_note=notes, write_dir=str(tmp_path))
    assert read_annotations(tmp_path / "x", "atr", Facts(250.0, 1000, ["V4"], [])).note == ["(T0+", "T0+)"]


def test_one_subjects_headers_agree_in_any_order():
    one = ["Age: 62  Sex: M", "Mixed angina", "1-vessel disease (RCA)", "Recorder type: ICR 7200"]
    assert edb.subject_key(one) == edb.subject_key([one[0], *reversed(one[1:])])
    assert edb.subject_key(one) != edb.subject_key(["Age: 63  Sex: M", *one[1:]])
    assert edb.subject_key(["Recorder type: ICR 7200"]) is None


def test_recordings_of_one_subject_count_as_one(store):
    owner = records_of(store).groupby("recording_id")["patient_id"].first()
    assert owner.nunique() == 24 - 6
    for names in (["e0118", "e0119", "e0121", "e0122"], ["e0123", "e0124", "e0125", "e0126"]):
        assert owner[[f"edb/{name}" for name in names]].nunique() == 1


def test_the_pair_whose_headers_differ_by_two_years_is_one_subject(configs, tmp_path):
    dataset = configs.dataset("edb")
    small = dataset.standin.model_copy(update={"patients": 45, "seconds": 41.0})
    edb.write_standin(tmp_path, dataset.model_copy(update={"standin": small}))
    owner = edb.read_index(tmp_path, dataset).groupby("recording_id")["patient_id"].first()
    assert owner["e0210"] == owner["e0206"] == "e0206"
    ages = edb.read_index(tmp_path, dataset).groupby("recording_id")["age"].first()
    assert ages["e0206"] - ages["e0210"] == pytest.approx(2)
    assert np.isnan(ages["e0166"])


def test_a_header_that_says_nothing_is_a_subject_of_its_own(configs, tmp_path, capsys):
    dataset = configs.dataset("edb")
    few = dataset.standin.model_copy(update={"patients": 3, "seconds": 60.0})
    edb.write_standin(tmp_path, dataset.model_copy(update={"standin": few}))
    for name in ("e0103", "e0104"):
        header = tmp_path / f"{name}.hea"
        header.write_text(
            "\n".join(line for line in header.read_text().splitlines() if not line.startswith("#")) + "\n"
        )
    assert edb.read_index(tmp_path, dataset)["patient_id"].nunique() == 3
    assert "2 headers do not say whose they are" in capsys.readouterr().err


def test_a_record_is_the_leads_window_beside_its_reference(store):
    _dataset, path = store
    for row in records_of(store).sample(8, random_state=0).to_dict("records"):
        theirs = wfdb.rdrecord(str(path.parent / "release" / row["file"]))
        lead = theirs.p_signal[:, theirs.sig_name.index(row["lead"])]
        first = round(row["start_s"] * 250)
        zero = np.median(lead[: 30 * 250])
        ours = Store(path).read(np.array([row["row"]]))[0]
        assert np.allclose(ours[0], lead[first : first + 2500] - zero, atol=4e-3)
        assert np.allclose(ours[1], lead[2500:5000] - zero, atol=4e-3)


def test_offsets_of_millivolts_are_gone(store):
    theirs = wfdb.rdrecord(str(store[1].parent / "release/e0103")).p_signal
    assert np.abs(np.median(theirs, axis=0)).max() > 1
    assert np.abs(np.median(Store(store[1]).read(np.arange(100)), axis=2)).max() < 0.3


def test_a_lead_is_found_under_its_name_in_either_order(store):
    found = records_of(store).groupby("recording_id")["lead"].agg(set)
    assert found["edb/e0104"] == found["edb/e0105"] == {"V4", "MLIII"}
    assert len({tuple(row) for row in found.map(sorted)}) > 4


def st_level(lead: np.ndarray) -> float:
    """The mean of the ST segment, 130 ms behind each steepest deflection, over that before it."""
    steep = np.abs(np.gradient(lead))
    peaks = find_peaks(steep, height=0.5 * steep.max(), distance=100)[0]
    peaks = peaks[(peaks > 60) & (peaks < len(lead) - 60)]
    return float(np.mean([lead[peak + 25 : peak + 42].mean() - lead[peak - 20 : peak - 12].mean() for peak in peaks]))


def test_a_change_is_told_by_the_reference_and_not_by_the_window_alone(store):
    records = records_of(store)
    shown = Store(store[1]).read(records["row"].to_numpy())
    window, reference = (np.array([st_level(record[lead]) for record in shown]) for lead in (0, 1))
    changed = (records["labels:st"].map(len) > 0) & (records["group:axis_shift"] == "no")
    kept = changed | (records["labels:stt"].map(len) == 0) & (records["group:axis_shift"] == "no")
    alone = roc_auc_score(changed[kept], np.abs(window - window.mean())[kept])
    beside = roc_auc_score(changed[kept], np.abs(window - reference)[kept])
    assert beside > 0.9
    assert alone < beside - 0.1


def test_windows_lie_in_the_episodes_of_their_own_lead(store):
    records, root = records_of(store), store[1].parent / "release"
    assert records["labels:st"].map(len).sum() > 20
    assert (records.loc[records["group:axis_shift"] == "yes", "labels:st"].map(len) == 0).any()
    for recording, rows in records.groupby("recording_id"):
        name = str(recording).removeprefix("edb/")
        notes = wfdb.rdann(str(root / name), "atr")
        order = wfdb.rdheader(str(root / name)).sig_name
        begins = [
            (at / 250, note) for at, note in zip(notes.sample, notes.aux_note, strict=True) if note.startswith("(ST")
        ]
        for row in rows[rows["labels:st"].map(len) > 0].to_dict("records"):
            assert any(note[3] == str(order.index(row["lead"])) and at <= row["start_s"] + 4e-3 for at, note in begins)
        assert rows["start_s"].min() >= edb.REFERENCE_S


def test_a_recording_with_a_third_lead_is_a_finding(configs, tmp_path):
    dataset = configs.dataset("edb")
    one = dataset.standin.model_copy(update={"patients": 1, "seconds": 60.0})
    edb.write_standin(tmp_path, dataset.model_copy(update={"standin": one}))
    header = tmp_path / "e0103.hea"
    first, *others = header.read_text().splitlines()
    third = f"e0103.dat {others[0].split(None, 1)[1].rsplit(' ', 1)[0]} V1"
    header.write_text("\n".join([first.replace("e0103 2", "e0103 3"), *others[:2], third, *others[2:]]) + "\n")
    index = edb.read_index(tmp_path, dataset).set_index("recording_id")
    assert index.loc["e0103", "fault"] == "leads V5 MLI V1, not one or two"


def test_a_recording_without_a_window_is_a_finding(configs, tmp_path):
    dataset = configs.dataset("edb")
    few = dataset.standin.model_copy(update={"patients": 3, "seconds": 60.0})
    edb.write_standin(tmp_path, dataset.model_copy(update={"standin": few}))
    (tmp_path / "e0103.atr").write_bytes(b"\x00\x00")  # whole, and nothing is annotated
    index = edb.read_index(tmp_path, dataset)
    assert index["recording_id"].nunique() == 3
    faults = index.set_index("recording_id")["fault"]
    assert faults["e0103"] == "no 10 s of it are annotated and behind its first 30 s"
    assert (faults[["e0104", "e0105"]] == "").all()


def test_no_recording_is_no_release(configs, tmp_path):
    with pytest.raises(InputError, match="no header of a recording lies there"):
        edb.read_index(tmp_path, configs.dataset("edb"))


def test_the_database_has_ninety_names():
    assert len(set(RECORDS)) == 90


def test_no_subject_is_on_both_sides_of_the_split(store, configs):
    records = records_of(store)
    task = configs.task("st-change")
    split = task.split.model_copy(update={"folds": 3, "val": [2], "test": [3]})
    found = assign(records, task.model_copy(update={"split": split}), 0)
    checks, _ = audit(found, records.set_index("record_id")["digest"])
    assert not [check for check in checks if check.verdict == "leak"]
    assert (found.groupby("patient_id")["split"].nunique() == 1).all()
