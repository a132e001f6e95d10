"""On real PTB-XL records: planted copies are found, and no two recordings are taken for one."""

import numpy as np
import pytest

from tests.conftest import build
from vitalbench.data.store import Store, read_records
from vitalbench.split.alignment import align, spectra
from vitalbench.split.fingerprint import prepare
from vitalbench.split.planted import measure

pytestmark = pytest.mark.slow


def test_copies_of_real_records_are_found_and_recordings_of_one_patient_are_not_copies(configs, real_data, tmp_path):
    store = build("ptbxl", configs.dataset("ptbxl"), "local", real_data / "ptbxl", tmp_path)
    table = measure(store, 147, 0, 2).set_index("what")
    alarms = table.loc[["false alarms, two patients", "false alarms, one patient"]]
    assert alarms["found"].tolist() == [0, 0]
    assert alarms["of"].tolist() == [10_695, 36]
    recall = table.drop(alarms.index)["share"]
    assert recall.pop("two leads exchanged") >= 0.8
    assert (recall >= 0.95).all(), recall[recall < 0.95]
    assert (recall.filter(regex="^(renamed|rescaled|each lead rescaled|moved by .. %)$") == 1).all()


def test_shorter_copies_of_real_records_are_found_among_all_pairs_and_nothing_else(configs, real_data, tmp_path):
    """Georgia's and Ningbo's of 10 s beside their first 5.2 to 9.9 s, filled up with 0 mV as `harmonise` does."""
    dataset = configs.dataset("challenge2021")
    loose = dataset.model_copy(update={"quality": dataset.quality.model_copy(update={"max_quarantined": 0.5})})
    store = build("challenge2021", loose, "local", real_data / "challenge2021", tmp_path)
    records = read_records(store).drop_duplicates("digest")
    whole = Store(store).read(records["row"].to_numpy())
    short = whole.copy()
    for record, end in zip(short, np.linspace(520, 990, len(short)).astype(int), strict=True):
        record[:, end:] = 0
    prepared = prepare(np.concatenate([whole, short]), 100)
    a, b = np.triu_indices(len(prepared), 1)
    copies = align(prepared, spectra(prepared), a, b).copies
    assert list(zip(a[copies], b[copies], strict=True)) == [(k, len(whole) + k) for k in range(len(whole))]
    assert len(whole) >= 45
