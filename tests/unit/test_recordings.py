"""Recordings of which a store holds windows: a copy is found under another name, moved, rescaled and noisy; strangers are not."""

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench import cli
from vitalbench.data.datasets import rhythm
from vitalbench.data.store import Store, read_records
from vitalbench.errors import GateError
from vitalbench.split import neighbours, recordings

COPY, OF = "data_9_1", "data_2_1"  # of a patient whose rhythm does not change
MOVED_S = 10.0


def windows(starts, ends):
    return pd.DataFrame({"start_s": starts, "end_s": ends})


def planted(root, moved_s: float, factor: float, noise_mv: float) -> None:
    """A recording of another patient that is a copy of one: later by `moved_s`, rescaled, with noise."""
    record, marks = wfdb.rdrecord(str(root / OF)), wfdb.rdann(str(root / OF), "atr")
    first = round(moved_s * record.fs)
    rng = np.random.default_rng(5)
    signal = factor * (record.p_signal[first:] + noise_mv * rng.standard_normal(record.p_signal[first:].shape))
    wfdb.wrsamp(
        COPY, fs=record.fs, units=["mV", "mV"], sig_name=record.sig_name, p_signal=signal, fmt=["16", "16"],
        comments=record.comments, write_dir=str(root),
    )  # fmt: skip
    later = marks.sample >= first
    notes = [note for note, kept in zip(marks.aux_note, later, strict=True) if kept]
    symbols = [symbol for symbol, kept in zip(marks.symbol, later, strict=True) if kept]
    wfdb.wrann(COPY, "atr", marks.sample[later] - first, symbols, aux_note=notes, write_dir=str(root))


@pytest.fixture(scope="module")
def dataset(configs):
    whole = configs.dataset("cpsc2021")
    standin = whole.standin.model_copy(update={"patients": 4, "seconds": 80.0})
    return whole.model_copy(update={"standin": standin, "parts": 2})


@pytest.fixture(scope="module")
def release(dataset, tmp_path_factory):
    """The stand-in without what says that it is one, and a copy in it."""
    root = tmp_path_factory.mktemp("release")
    rhythm.write_standin(root, dataset)
    (root / "STAND-IN.txt").unlink()
    planted(root, MOVED_S, 1.7, 0.02)
    for header in root.glob("*.hea"):
        header.write_text("\n".join(line for line in header.read_text().splitlines() if "generated" not in line) + "\n")
    return root


@pytest.fixture(scope="module")
def store(dataset, release, tmp_path_factory):
    return build("cpsc2021", dataset, "local", release, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def found(store):
    return neighbours.find(store, 1)


def test_the_windows_of_a_copy_are_paired_with_those_of_the_same_time(store, found):
    times = read_records(store).set_index("record_id")
    assert len(found) >= 5
    assert found["copy"].all()
    for pair in found[["record_a", "record_b"]].itertuples(index=False):
        names = {times.loc[name, "recording_id"]: times.loc[name, "start_s"] for name in pair}
        assert set(names) == {f"cpsc2021/{COPY}", f"cpsc2021/{OF}"}
        assert names[f"cpsc2021/{OF}"] - names[f"cpsc2021/{COPY}"] == pytest.approx(MOVED_S, abs=0.1)


def test_samples_tell_nothing_of_it(store):
    assert not read_records(store)["digest"].duplicated().any()


def test_a_split_that_parts_the_copy_leaks(store, found, tmp_path, capsys):
    records = read_records(store)
    tested = records["recording_id"] == f"cpsc2021/{COPY}"
    table = records[["record_id", "patient_id", "recording_id", "start_s", "end_s"]]
    table.assign(split=np.where(tested, "test", "train")).to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(GateError, match="near-duplicate"):
        cli.run(["audit", "--records", str(tmp_path / "split.csv"), "--store", str(store), "--threads", "1"])
    assert f"near-duplicate train-test fold 0: {len(found)} found" in capsys.readouterr().out


def test_strangers_and_two_leads_of_one_recording_are_no_pair(configs, tmp_path):
    for name, patients in (("nsrdb", 3), ("edb", 4)):
        whole = configs.dataset(name)
        standin = whole.standin.model_copy(update={"patients": patients, "seconds": 100.0})
        small = whole.model_copy(update={"standin": standin, "parts": 1})
        assert neighbours.find(build(name, small, "generated", None, tmp_path / name), 1).empty


def test_a_stretch_begins_where_a_minute_is_covered():
    some = windows(
        [0.0, 10.0, 100.0, 110.0, 120.0, 130.0, 140.0, 150.0], [10.0, 20.0, 110.0, 120.0, 130.0, 140.0, 150.0, 160.0]
    )
    assert recordings._begin(some, 60.0) == 100.0
    assert recordings._begin(some, 20.0) == 0.0


def test_windows_that_overlap_are_counted_once():
    assert recordings._covered(windows([0.0, 1.0, 2.0, 10.0], [3.0, 4.0, 5.0, 11.0])).tolist() == [0, 3, 4, 5, 6]


def test_what_is_laid_side_by_side_is_the_recording(store, release):
    opened = Store(store)
    every = recordings.stretches(read_records(store))
    at = next(number for number, stretch in enumerate(every) if stretch.recording == f"cpsc2021/{OF}")
    leads = recordings.leads_that_change(opened, every[at])
    joined = recordings.read(opened, every, leads, np.array([at]))[0]
    theirs = wfdb.rdrecord(str(release / OF)).p_signal.T
    first = round(every[at].start_s * 200)
    covered = np.ptp(joined, axis=0) > 0
    assert covered.mean() > 0.8
    assert np.allclose(joined, theirs[:, first : first + joined.shape[1]], atol=2e-3)


def test_a_lead_that_is_the_same_in_every_window_is_left_out(configs, tmp_path):
    whole = configs.dataset("edb")
    standin = whole.standin.model_copy(update={"patients": 1, "seconds": 80.0})
    store = build("edb", whole.model_copy(update={"standin": standin, "parts": 1}), "generated", None, tmp_path)
    every = recordings.stretches(read_records(store))
    assert len(every) == 2
    assert recordings.leads_that_change(Store(store), every[0]).tolist() == [0]
