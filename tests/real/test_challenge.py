"""On real records of the 2021 Challenge: 20 of Georgia, 20 of Chapman and Ningbo, 10 of PTB-XL. Of reader and flow alone."""

import ast

import numpy as np
import pandas as pd
import pytest
import wfdb

from tests.conftest import build
from vitalbench.data.datasets import challenge, combined
from vitalbench.data.snomed import from_statements, vocabulary
from vitalbench.split.audit import audit

pytestmark = pytest.mark.slow
HERE = {"georgia": 20, "chapman-ningbo": 20, "ptbxl-challenge": 10}


@pytest.fixture(scope="module")
def root(real_data):
    return real_data / "challenge2021"


@pytest.fixture(scope="module", params=HERE)
def built(request, configs, root, tmp_path_factory):
    """Each source's name, data set, and store."""
    dataset = configs.dataset(request.param)
    return request.param, dataset, build(request.param, dataset, "local", root, tmp_path_factory.mktemp("real"))


@pytest.fixture
def findings(built):
    return pd.read_csv(built[2].with_name("quality.csv"))


def test_every_record_is_stored_or_told_of(built, findings):
    name, _dataset, store = built
    records = pd.read_parquet(store.with_name("records.parquet"))
    gone = findings[findings["action"] == "quarantined"]["record_id"].nunique()
    assert len(records) + gone == HERE[name]


def test_the_diagnoses_are_those_of_the_headers_as_the_library_reads_them(built, root):
    _name, _dataset, store = built
    own = vocabulary()["abbreviation"].to_dict()
    for row in pd.read_parquet(store.with_name("records.parquet")).to_dict("records"):
        comments = wfdb.rdheader(str(root / row["file"])).comments
        said = next(line for line in comments if line.startswith("Dx:")).removeprefix("Dx:").strip().split(",")
        assert sorted(row["labels:snomed"]) == sorted({own[code] for code in said})


def test_a_resampled_record_is_the_recording_below_40_hz(built, root):
    """A comparison by another way: the spectra of both, frequency by frequency."""
    _name, dataset, store = built
    for row in pd.read_parquet(store.with_name("records.parquet")).head(5).to_dict("records"):
        ours = challenge.read_record(root, row, dataset)
        theirs = wfdb.rdrecord(str(root / row["file"])).p_signal.T
        window = np.hanning(1000), np.hanning(5000)
        a = np.fft.rfft((ours.digital / ours.gain[:, None]) * window[0], axis=1)[:, 5:400] / 1000
        b = np.fft.rfft(theirs * window[1], axis=1)[:, 5:400] / 5000
        assert np.abs(a - b).max() < 0.002 * np.abs(b).max() + 2e-5


def test_georgia_holds_one_recording_under_two_names(configs, root, tmp_path):
    dataset = configs.dataset("georgia")
    store = build("georgia", dataset, "local", root, tmp_path)
    records = pd.read_parquet(store.with_name("records.parquet")).set_index("record_id")
    pair = records.loc[["georgia/E07509", "georgia/E07510"]]
    assert pair["digest"].nunique() == 1
    assert pair["patient_id"].nunique() == 1
    # Were each a patient of its own, a split might part them, and the audit would refuse it.
    parted = records.reset_index()[["record_id"]].assign(patient_id=records.index)
    parted["split"] = np.where(parted["record_id"] == "georgia/E07509", "train", "test")
    checks, _ = audit(parted, records["digest"])
    assert [(check.check, check.found) for check in checks if check.verdict == "leak"] == [("identical-samples", 1)]


def test_the_records_at_hand_that_lack_leads_are_kept_out(configs, root, tmp_path):
    store = build("chapman-ningbo", configs.dataset("chapman-ningbo"), "local", root, tmp_path)
    told = pd.read_csv(store.with_name("quality.csv")).query("check == 'missing-lead'")
    assert sorted(told["detail"]) == ["lead V2 V4 V6"] * 2


def test_the_numbers_of_the_challenges_ptbxl_are_those_of_the_release(configs, root, real_data):
    """No record of both is at hand; that the rhythms and bundle branch blocks agree in all ten speaks for the number."""
    every = pd.read_csv(real_data / "ptbxl/index_all_21799.csv.gz", dtype=str).set_index("ecg_id")
    index = challenge.read_index(root, configs.dataset("ptbxl-challenge"))
    counted = (
        vocabulary().assign(scp=lambda table: table["scp"].str.split()).explode("scp").set_index("scp")["counted_as"]
    )
    for record, findings in index[["record_id", "labels:findings"]].itertuples(index=False):
        release = every.loc[combined.ecg_id(record)]
        rhythm = {counted[name] for name in ast.literal_eval(release["rhythm"])}
        assert rhythm <= set(findings)
        assert ("IRBBB" in findings) == ("IRBBB" in release["sub_class"])


@pytest.fixture(scope="module")
def codes_of_statements(real_data):
    """By ecg_id, the abbreviations of the codes of PTB-XL's statements; of diagnoses its index has the subclasses alone."""
    every = pd.read_csv(real_data / "ptbxl/index_all_21799.csv.gz").set_index("ecg_id")
    said = every[["sub_class", "form", "rhythm"]].map(ast.literal_eval).sum(axis=1)
    known = set(vocabulary()["scp"].str.split().explode())
    own = vocabulary()["abbreviation"]
    return said.map(lambda names: {own[c] for c in from_statements([n if n in known else f"{n}_" for n in names])})


def test_the_codes_of_statements_are_those_that_the_challenge_gave_its_copies(configs, root, codes_of_statements):
    index = challenge.read_index(root, configs.dataset("ptbxl-challenge"))
    assert len(index) == 10
    for record, codes in index[["record_id", "labels:snomed"]].itertuples(index=False):
        assert codes_of_statements[int(combined.ecg_id(record))] == set(codes), record


def test_the_codes_of_all_statements_come_to_the_challenges_counts(codes_of_statements):
    """Of 21,799 records; it counted 21,837, of which 38 were taken back."""
    counted = codes_of_statements.explode().value_counts()
    stated = vocabulary().set_index("abbreviation")["ptb-xl"]
    exactly = [
        "AF",
        "AFL",
        "PAC",
        "abQRS",
        "SA",
        "SB",
        "STach",
        "SVPB",
        "LPR",
        "QAb",
        "LQRSV",
        "TInv",
        "VBig",
        "VTrig",
        "STD",
        "STE",
    ]
    assert counted[exactly].to_dict() == stated[exactly].to_dict()
    assert (counted["NSR"], stated["NSR"]) == (18058, 18092)
    assert (counted["VEB"], stated["VEB"]) == (1151, 1154)
    assert (counted["TAb"], stated["TAb"]) == (2341, 2345)
    assert "LVHV" not in counted


def test_the_combined_set_has_ptbxls_own_records_and_the_others(configs, real_data, tmp_path):
    store = build("combined", configs.dataset("combined"), "local", real_data, tmp_path)
    records = pd.read_parquet(store.with_name("records.parquet"))
    assert records["group:origin"].value_counts().to_dict() == {"ptb-xl": 147, "georgia": 20, "ningbo": 18}
    assert records.loc[records["group:origin"] == "ptb-xl", "patient_id"].nunique() == 135
    assert (records.groupby("patient_id")["strat_fold"].nunique() == 1).all()
    told = combined.left_out(real_data, configs.dataset("combined"), pd.read_parquet(tmp_path / "index.parquet"))
    assert told == {combined.GONE: (10, 0)}


def test_the_combined_set_has_the_axes_of_ptbxls_table(configs, real_data):
    index = combined.read_index(real_data, configs.dataset("combined")).set_index("record_id")
    index = index[index["group:origin"] == "ptb-xl"]
    table = pd.read_csv(real_data / "ptbxl/ptbxl_database.csv").set_index("ecg_id")
    for name, axes, count in (("LAD", ["LAD", "ALAD"], 28), ("RAD", ["RAD", "ARAD"], 3)):
        deviates = table.index[table["heart_axis"].isin(axes)]
        ours = index[[name in found for found in index["labels:scored"]]]
        assert len(deviates) == count
        assert set(ours.index) == {f"ptbxl-{number}" for number in deviates}
        assert not any(ours["labels:normal"])
