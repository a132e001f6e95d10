"""On real PTB-XL records: planted copies are found, and no two recordings are taken for one."""

import pytest

from tests.conftest import build
from vitalbench.split.planted import measure

pytestmark = pytest.mark.slow


def test_copies_of_real_records_are_found_and_recordings_of_one_patient_are_not_copies(configs, real_data, tmp_path):
    store = build("ptbxl", configs.dataset("ptbxl"), "local", real_data / "ptbxl", tmp_path)
    table = measure(store, 147, 0, 2).set_index("what")
    alarms = table.loc[["false alarms, two patients", "false alarms, one patient"]]
    assert alarms["found"].tolist() == [0, 0]
    assert alarms["of"].tolist() == [10_695, 36]
    recall = table.drop(alarms.index)["share"]
    assert (recall >= 0.95).all(), recall[recall < 0.95]
    assert (recall.filter(regex="^(renamed|rescaled|each lead rescaled|moved by .. %)$") == 1).all()
