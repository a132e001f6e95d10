"""A data set whose reader no real file has been read by says so wherever its numbers are shown."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vitalbench.config.dataset import Dataset
from vitalbench.config.strict import validated
from vitalbench.files import write_json
from vitalbench.report.page import _caveats
from vitalbench.report.page_tables import data_rows
from vitalbench.report.tables import quality_rows

TOLD = "reader unverified on real files"


@pytest.fixture
def results(configs, tmp_path):
    """Two data sets that were built, one with a finding, and one that is not here; mitdb's reader has read real files."""
    datasets = {name: configs.dataset(name) for name in ("nsrdb", "mitdb", "edb")}
    for name in ("nsrdb", "mitdb"):
        release = {"source": "generated", "records": 4, "complete": False}
        write_json(tmp_path / name / "manifest.json", {"release": release, "records": 4, "patients": 4})
        rows = (
            [{"check": "flat-lead", "action": "flagged", "record_id": "r1", "detail": "x"}] if name == "nsrdb" else []
        )
        table = pd.DataFrame(rows, columns=["check", "action", "record_id", "detail"])
        table.to_csv(tmp_path / name / "quality.csv", index=False)
    dumped = {name: dataset.model_dump() for name, dataset in datasets.items()}
    return SimpleNamespace(
        suite={"datasets": dumped, "sources": {"nsrdb": "generated", "mitdb": "generated", "edb": None}},
        dataset=lambda name: validated(Dataset, dumped[name], name),
        data=lambda name: tmp_path / name if name != "edb" else None,
    )


def test_the_page_and_its_table_of_data_say_so(results):
    assert _caveats(results) == [
        f"MIT-BIH Normal Sinus Rhythm Database: {TOLD}.",
        f"European ST-T Database: {TOLD}.",
    ]
    shown = {row[0]: row[2] for row in data_rows(results)}
    assert shown["MIT-BIH Normal Sinus Rhythm Database"] == f"generated stand-in; {TOLD}"
    assert shown["European ST-T Database"] == f"none here; {TOLD}"
    assert shown["MIT-BIH Arrhythmia Database"] == "generated stand-in"


def test_the_table_of_quality_says_so_with_and_without_findings(results):
    rows = {row["dataset"]: row for row in quality_rows(results)}
    assert rows["nsrdb"]["caveat"] == TOLD
    assert rows["nsrdb"]["check"] == "flat-lead"
    assert rows["mitdb"]["caveat"] == ""


def test_data_sets_without_a_real_file_declare_it(configs):
    for name in ("nsrdb", "edb", "afdb", "cpsc2018"):
        assert configs.dataset(name).caveat == TOLD
    for name in ("combined", "challenge2021"):
        assert configs.dataset(name).caveat == "reader of cpsc_2018 and cpsc_2018_extra unverified on real files"
    assert configs.dataset("ptbxl").caveat == ""
