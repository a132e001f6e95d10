"""`vitalbench predict` says of one record what the run said of it, and says what that is worth."""

import shutil
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import wfdb

from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.results import Results, find_run, suite_of

pytestmark = [pytest.mark.slow, pytest.mark.alone]  # looks at the run that test_quick.py times


def run_of(quick, design: str = "s4d"):
    return next(cell for cell in Results(quick.results).measured if cell.cell.design == design)


def file_of(quick, record: str):
    folder = Results(quick.results).store_folder("ptbxl")
    records = pd.read_parquet(folder / "records.parquet").set_index("record_id")
    return folder / "release" / records.loc[record, "file"]


def read_records_of(cell) -> list[str]:
    return pd.read_parquet(cell.folder / "predictions.parquet")["record_id"].tolist()


@pytest.mark.parametrize("design", ["s4d", "xresnet1d101"])
def test_a_record_gets_the_probabilities_that_the_run_gave_it(quick, tmp_path, capsys, design):
    cell = run_of(quick, design)
    scored = pd.read_parquet(cell.folder / "predictions.parquet")
    for split in ("test", "val"):
        row = scored[scored["split"] == split].iloc[3]
        out = ["--out", str(tmp_path / "f.svg"), "--csv", str(tmp_path / "p.csv")]
        assert cli.run(["predict", str(cell.folder), f"{file_of(quick, row['record_id'])}.hea", *out]) == 0
        found = pd.read_csv(tmp_path / "p.csv")
        stated = [row[f"y_prob:{name}"] for name in found["class"]]
        assert found["probability"].to_numpy() == pytest.approx(stated, abs=1e-6)
        assert ((found["low"] >= 0) & (found["low"] < found["high"]) & (found["high"] <= 1)).all()
        assert found["calibrated"].between(found["low"], found["high"]).all()
        assert (found["decided"] == np.where(found["probability"] >= found["threshold"], "yes", "no")).all()
        said = capsys.readouterr().out
        assert f"{row['record_id']}, split {split}" in said
        assert "The record is generated, as are those the run was trained on." in said
    ElementTree.parse(tmp_path / "f.svg")


def test_a_record_that_is_no_generated_one_is_told_that_the_run_knows_only_those(quick, tmp_path, capsys):
    cell = run_of(quick)
    scored = pd.read_parquet(cell.folder / "predictions.parquet")
    read = wfdb.rdrecord(str(file_of(quick, scored["record_id"].iloc[0])), physical=False)
    wfdb.wrsamp(
        "own", fs=100, units=read.units, sig_name=read.sig_name, d_signal=read.d_signal + 1, fmt=read.fmt,
        adc_gain=read.adc_gain, baseline=read.baseline, write_dir=str(tmp_path),
    )  # fmt: skip
    assert cli.run(["predict", str(cell.folder), str(tmp_path / "own"), "--out", str(tmp_path / "f.png")]) == 0
    said = capsys.readouterr().out
    assert "trained on generated records" in said
    assert "The same recording" not in said
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_a_record_of_another_rate_or_none_is_refused_in_one_line(quick, tmp_path):
    values = np.zeros((5000, 12), dtype=np.int16)
    names = read_json(run_of(quick).folder / "config.json")["dataset"]["signal"]["leads"]
    wfdb.wrsamp(
        "fast", fs=500, units=["mV"] * 12, sig_name=names, d_signal=values, fmt=["16"] * 12,
        adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path),
    )  # fmt: skip
    for name, told in (("fast.hea", "wrong-rate: 500 Hz, not 100"), ("nothing", "missing-file")):
        with pytest.raises(InputError, match=told):
            cli.run(["predict", str(run_of(quick).folder), str(tmp_path / name), "--out", str(tmp_path / "f.png")])
    with pytest.raises(InputError, match=r"allowed: \.pdf, \.png, \.svg"):
        cli.run(["predict", str(run_of(quick).folder), str(tmp_path / "fast"), "--out", str(tmp_path / "f.jpg")])
    assert not (tmp_path / "f.png").exists()


def test_a_record_that_would_be_kept_out_of_the_store_is_refused_and_one_that_is_questioned_says_so(
    quick, tmp_path, capsys
):
    cell = run_of(quick)
    read = wfdb.rdrecord(str(file_of(quick, read_records_of(cell)[0])), physical=False)

    def predict(name: str, digital) -> int:
        wfdb.wrsamp(
            name, fs=100, units=read.units, sig_name=read.sig_name, d_signal=digital, fmt=read.fmt,
            adc_gain=read.adc_gain, baseline=read.baseline, write_dir=str(tmp_path),
        )  # fmt: skip
        return cli.run(["predict", str(cell.folder), str(tmp_path / name), "--out", str(tmp_path / "f.png")])

    missing, flat = read.d_signal.copy(), read.d_signal.copy()
    missing[:, 5] = 7
    flat[:600, 5] = 7
    with pytest.raises(InputError, match=r"missing: no record for the run's data set: missing-lead: lead AVF$"):
        predict("missing", missing)
    assert not (tmp_path / "f.png").exists()
    assert predict("flat", flat) == 0
    assert "Questioned by the data set's checks: flat-lead: lead AVF." in capsys.readouterr().out


def test_a_model_other_than_the_run_left_is_refused(quick, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_of(quick).folder, folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(InputError, match="not as this run left it"):
        cli.run(["predict", str(folder), "x.hea"])


def test_a_run_without_a_model_is_refused(quick):
    with pytest.raises(InputError, match="left no model"):
        cli.run(["predict", str(run_of(quick, "prevalence").folder), "x.hea"])


def test_a_run_is_found_by_the_first_digits_of_its_id(quick):
    cell = run_of(quick)
    assert find_run(cell.run_id[:9], quick.folder / "results").samefile(cell.folder)
    assert suite_of(cell.folder).samefile(quick.results)
    with pytest.raises(InputError, match=r"allowed: .*; nearest: "):
        find_run(cell.run_id[:-1] + "x", quick.folder / "results")
    with pytest.raises(InputError, match="neither a run's folder"):
        find_run("", quick.folder / "results")
