"""A part is written whole, in any codec, kept where nothing changed, and found again when it is replaced."""

import os
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.conftest import build
from tests.unit.test_store import copy_release
from vitalbench.data.index import part_of, read_part
from vitalbench.data.part import PartSignals
from vitalbench.data.standardise import standardise
from vitalbench.data.store import Store, join
from vitalbench.data.versions import recover
from vitalbench.errors import InputError
from vitalbench.files import read_json

CODECS = ["none", "gzip", "zstd"]


@pytest.fixture
def release(small_store, tmp_path):
    return copy_release(small_store, tmp_path)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "parts").iterdir())}


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_changes_the_size_and_nothing_else(small_store, small_dataset, tmp_path, codec):
    shutil.copytree(small_store.parent / "release", tmp_path / "release")
    store = build("ptbxl", small_dataset.model_copy(update={"codec": codec}), "generated", None, tmp_path)
    rows = np.arange(Store(small_store).records)
    assert np.array_equal(Store(store).read(rows), Store(small_store).read(rows))
    assert np.array_equal(
        Store(store).read(rows[:2], np.array([3, 90]), 100), Store(small_store).read(rows[:2], np.array([3, 90]), 100)
    )
    smaller = sum(map(len, contents(tmp_path).values())) < 0.8 * sum(map(len, contents(small_store.parent).values()))
    assert smaller == (codec != "none")


def test_gzip_parts_are_plain_hdf5(small_store, small_dataset, tmp_path):
    store = build("ptbxl", small_dataset.model_copy(update={"codec": "gzip"}), "generated", None, tmp_path)
    with h5py.File(store) as ours, h5py.File(small_store) as plain:
        assert np.array_equal(ours["signals"][:], plain["signals"][:])


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_records_make_the_same_bytes(small_dataset, release, tmp_path, codec):
    dataset = small_dataset.model_copy(update={"codec": codec})
    first, second = (build("ptbxl", dataset, "local", release, tmp_path / name).parent for name in ("a", "b"))
    assert contents(first) == contents(second)


def test_nothing_changed_nothing_written(small_dataset, release, tmp_path, capsys):
    build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data" / "parts").iterdir()}
    build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data" / "parts").iterdir()} == before
    assert capsys.readouterr().err.count("unchanged, kept") == small_dataset.parts


def add_patient(release, patient: str) -> None:
    """A copy of the first record as a new patient's."""
    table = pd.read_csv(release / "ptbxl_database.csv", dtype=str)
    row = table.iloc[[0]].assign(ecg_id="99999", patient_id=patient)
    pd.concat([table, row]).to_csv(release / "ptbxl_database.csv", index=False)


def test_an_added_patient_rebuilds_one_part(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = contents(folder)
    add_patient(release, "777777")
    build("ptbxl", small_dataset, "local", release, folder)
    after = contents(folder)
    touched = f"part-{part_of('ptbxl/777777', small_dataset.parts):04d}"
    assert {name.split(".")[0] for name in after if after[name] != before[name]} == {touched}
    again = build("ptbxl", small_dataset, "local", release, tmp_path / "whole").parent
    assert contents(again) == after


def test_a_changed_sample_file_rebuilds_its_part(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = contents(folder)
    rows = read_part(folder / "index.parquet", 1)
    os.utime(release / f"{rows['file'][0]}.dat", ns=(1, 1))
    build("ptbxl", small_dataset, "local", release, folder)
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"part-0001.json"}


def test_a_damaged_part_is_made_again(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = contents(folder)
    (folder / "parts" / "part-0001.h5").write_bytes(b"cut")
    (folder / "parts" / "part-0002.json").write_text("{")
    build("ptbxl", small_dataset, "local", release, folder)
    assert contents(folder) == before


def test_a_killed_part_leaves_the_old_one(small_dataset, release, tmp_path, monkeypatch):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = contents(folder)
    add_patient(release, "777777")
    from vitalbench.data.datasets import ptbxl

    read, calls = ptbxl.read_record, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(ptbxl, "read_record", killed)
    with pytest.raises(KeyboardInterrupt):
        build("ptbxl", small_dataset, "local", release, folder)
    assert contents(folder) == before
    monkeypatch.undo()
    build("ptbxl", small_dataset, "local", release, folder)
    assert contents(folder) == contents(build("ptbxl", small_dataset, "local", release, tmp_path / "whole").parent)


def test_an_older_build_comes_back(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    old = read_json(folder / "manifest.json")
    samples = Store(folder / "store.h5").read(np.arange(5))
    add_patient(release, "777777")
    build("ptbxl", small_dataset, "local", release, folder)
    assert read_json(folder / "manifest.json")["records"] == old["records"] + 1
    manifest, parts = recover(folder / "versions", old["version"], tmp_path / "old")
    join(small_dataset, manifest["release"], parts, tmp_path / "old" / "store.h5")
    assert read_json(tmp_path / "old" / "manifest.json") == old
    assert np.array_equal(Store(tmp_path / "old" / "store.h5").read(np.arange(5)), samples)
    with pytest.raises(InputError, match="no version '0123'"):
        recover(folder / "versions", "0123", tmp_path / "none")


def test_parts_that_did_not_change_are_kept_once(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    add_patient(release, "777777")
    build("ptbxl", small_dataset, "local", release, folder)
    kept = list((folder / "versions" / "parts").glob("*.h5"))
    assert len(kept) == small_dataset.parts + 1
    assert len(list((folder / "versions").glob("*.json"))) == 2


def test_an_altered_version_is_not_recovered(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    kept = next((folder / "versions" / "parts").glob("*.parquet"))
    kept.unlink()
    kept.write_bytes(b"other")
    with pytest.raises(InputError, match="missing or altered"):
        recover(folder / "versions", read_json(folder / "manifest.json")["version"], tmp_path / "old")


def test_an_empty_part_is_a_part(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    rows = read_part(folder / "index.parquet", 0)
    for codec in CODECS:
        part = tmp_path / codec / "part-0000.h5"
        standardise(rows.iloc[:0], small_dataset.model_copy(update={"codec": codec}), "local", release, part)
        assert PartSignals(part) is not None
        assert len(pd.read_parquet(part.with_suffix(".parquet"))) == 0


def relabelled(release) -> None:
    table = pd.read_csv(release / "ptbxl_database.csv", dtype=str)
    table.loc[0, "scp_codes"] = "{'IMI': 100.0}"
    table.to_csv(release / "ptbxl_database.csv", index=False)


def recalibrated(release) -> None:
    header = sorted(release.rglob("*.hea"))[0]
    header.write_text(header.read_text().replace("1000.0(0)/mV", "500.0(0)/mV"))


@pytest.mark.parametrize("change", [relabelled, recalibrated])
def test_the_content_of_a_store_is_its_labels_and_calibration_too(small_dataset, release, tmp_path, change):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = read_json(folder / "manifest.json")["content"]
    change(release)
    build("ptbxl", small_dataset, "local", release, folder)
    assert read_json(folder / "manifest.json")["content"] != before


def test_the_content_does_not_depend_on_the_parts(small_dataset, release, tmp_path):
    few = build("ptbxl", small_dataset, "local", release, tmp_path / "few").parent
    many = build("ptbxl", small_dataset.model_copy(update={"parts": 7}), "local", release, tmp_path / "many").parent
    assert read_json(few / "manifest.json")["content"] == read_json(many / "manifest.json")["content"]


def test_a_part_damaged_after_it_was_made_is_named_when_it_is_joined(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    part = folder / "parts" / "part-0001.h5"
    part.write_bytes(part.read_bytes()[:3000])
    parts = sorted((folder / "parts").glob("*.h5"))
    with pytest.raises(InputError, match=r"part-0001\.h5: damaged"):
        join(small_dataset, read_json(folder / "release.json"), parts, folder / "store.h5")
