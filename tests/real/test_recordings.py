"""Copies among real recordings whose windows a store holds: none where there are none, and a planted one is found."""

import shutil

import numpy as np
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.store import read_records
from vitalbench.split import neighbours

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "recordings"), [("mitdb", 10), ("cpsc2021", 18)])
def test_no_two_recordings_are_taken_for_copies(configs, real_data, tmp_path, name, recordings):
    dataset = configs.dataset(name)
    if name == "mitdb":  # three of the thirteen at hand have one lead only, which is not MLII
        dataset = dataset.model_copy(update={"quality": dataset.quality.model_copy(update={"max_quarantined": 0.5})})
    store = build(name, dataset, "local", real_data / name, tmp_path)
    assert read_records(store)["recording_id"].nunique() == recordings
    assert neighbours.find(store, 2).empty


def test_a_planted_copy_is_found(configs, real_data, tmp_path):
    root = tmp_path / "release"
    shutil.copytree(real_data / "cpsc2021", root)
    name = min(
        path.stem for path in root.glob("*.hea") if "persistent" in path.read_text() or "non atrial" in path.read_text()
    )
    record, marks = wfdb.rdrecord(str(root / name)), wfdb.rdann(str(root / name), "atr")
    rng = np.random.default_rng(0)
    noise = 0.1 * np.nanstd(record.p_signal) * rng.standard_normal(record.p_signal.shape)
    wfdb.wrsamp(
        "data_999_1", fs=record.fs, units=["mV", "mV"], sig_name=record.sig_name, p_signal=0.6 * (record.p_signal + noise),
        fmt=["16", "16"], comments=record.comments, write_dir=str(root),
    )  # fmt: skip
    wfdb.wrann(  # one beat fewer: the same annotations would be told before the samples are looked at
        "data_999_1", "atr", marks.sample[1:], marks.symbol[1:], aux_note=marks.aux_note[1:], write_dir=str(root)
    )
    store = build("cpsc2021", configs.dataset("cpsc2021"), "local", root, tmp_path / "store")
    found = neighbours.find(store, 2)
    recording = read_records(store).set_index("record_id")["recording_id"]
    pairs = {frozenset((recording[a], recording[b])) for a, b in zip(found["record_a"], found["record_b"], strict=True)}
    assert pairs == {frozenset((f"cpsc2021/{name}", "cpsc2021/data_999_1"))}
