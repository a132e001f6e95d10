"""The store holds every good record once, says what it kept out, and gives back the samples as they were."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.conftest import build
from vitalbench.config.dataset import Quality
from vitalbench.data.datasets import Record, ptbxl
from vitalbench.data.index import part_of
from vitalbench.data.quality import INVALID, sample_checks
from vitalbench.data.release import acquire
from vitalbench.data.store import Store, read_records
from vitalbench.errors import InputError
from vitalbench.files import read_json


def copy_release(small_store, tmp_path):
    """The stand-in's files as if they were a release: without watermark and truth."""
    root = tmp_path / "ptbxl"
    shutil.copytree(small_store.parent / "release", root)
    (root / "STAND-IN.txt").unlink()
    (root / "standin_truth.csv").unlink()
    for header in root.rglob("*.hea"):
        header.write_text("".join(line for line in header.read_text().splitlines(True) if not line.startswith("#")))
    return root


def test_samples_come_back_as_the_reader_read_them(small_store, small_dataset):
    records = pd.read_parquet(small_store.with_name("records.parquet"))
    store = Store(small_store)
    rows = np.array([5, 0, len(records) - 1, 5])
    found = store.read(rows)
    for row, signal in zip(rows, found, strict=True):
        record = ptbxl.read_record(small_store.parent / "release", records.iloc[row].to_dict(), small_dataset)
        assert np.array_equal(signal, record.digital.astype(np.float32) / 1000)


def test_crops_are_the_same_samples(small_store):
    store = Store(small_store)
    rows, starts = np.array([3, 7]), np.array([0, 720])
    whole, crops = store.read(rows), store.read(rows, starts, 250)
    assert np.array_equal(crops[0], whole[0, :, :250])
    assert np.array_equal(crops[1], whole[1, :, 720:970])


def test_the_virtual_dataset_shows_the_same_to_any_hdf5_reader(small_store):
    with h5py.File(small_store) as file:
        everything = file["signals"][:].astype(np.float32) / file["gain"][:][:, :, None]
    store = Store(small_store)
    assert np.array_equal(everything, store.read(np.arange(store.records)))


@pytest.mark.parametrize("calibration", ["gain", "baseline", "both"])
def test_records_of_different_amplifiers_are_each_read_by_their_own(small_store, tmp_path, calibration):
    folder = tmp_path / "data"
    shutil.copytree(small_store.parent, folder, symlinks=True)
    rng = np.random.default_rng(0)
    for part in (folder / "parts").glob("*.h5"):
        with h5py.File(part, "r+") as file:
            if calibration != "baseline":
                file["gain"][...] = rng.choice([200, 1000, 4880], file["gain"].shape)
            if calibration != "gain":
                file["baseline"][...] = rng.choice([-5, 0, 1024], file["baseline"].shape)
    with h5py.File(folder / "store.h5") as file:
        expected = (file["signals"][:] - file["baseline"][:][:, :, None]) / file["gain"][:][:, :, None]
    assert np.array_equal(Store(folder / "store.h5").read(np.arange(len(expected))), expected.astype(np.float32))


def test_every_record_is_there_once_and_patients_stay_in_their_part(small_store, small_dataset):
    records = pd.read_parquet(small_store.with_name("records.parquet"))
    index = ptbxl.read_index(small_store.parent / "release", small_dataset)
    assert sorted(records["record_id"]) == sorted("ptbxl/" + index["record_id"])
    assert records["row"].tolist() == list(range(len(records)))
    parts = [pd.read_parquet(path) for path in sorted((small_store.parent / "parts").glob("*.parquet"))]
    owners = [set(part["patient_id"]) for part in parts]
    assert not owners[0] & owners[1]
    assert not owners[1] & owners[2]


@given(st.text(), st.integers(1, 1024))
def test_a_part_is_fixed_by_the_id_alone(patient, parts):
    assert part_of(patient, parts) == part_of(patient, parts)
    assert 0 <= part_of(patient, parts) < parts


def test_bad_records_are_quarantined_counted_and_named(small_store, small_dataset, tmp_path):
    root = copy_release(small_store, tmp_path)
    files = ptbxl.read_index(root, small_dataset)["file"]
    (root / files[0]).with_suffix(".dat").write_bytes(b"short")
    content = bytearray((root / files[1]).with_suffix(".dat").read_bytes())
    content[0] ^= 1
    (root / files[1]).with_suffix(".dat").write_bytes(bytes(content))
    (root / files[2]).with_suffix(".hea").unlink()
    store = build("ptbxl", small_dataset, "local", root, tmp_path / "data")
    found = pd.read_csv(store.with_name("quality.csv"))
    quarantined = found[found["action"] == "quarantined"].set_index("record_id")["check"].to_dict()
    assert quarantined == {"ptbxl/1": "short-file", "ptbxl/2": "bad-checksum", "ptbxl/3": "missing-file"}
    assert Store(store).records == len(files) - 3
    assert read_json(store.with_name("manifest.json"))["release"]["source"] == "local"


def test_a_copy_under_another_name_is_flagged(small_store, small_dataset, tmp_path):
    root = copy_release(small_store, tmp_path)
    files = ptbxl.read_index(root, small_dataset)["file"]
    source, copy = root / files[0], root / files[4]
    copy.with_suffix(".dat").write_bytes(source.with_suffix(".dat").read_bytes())
    copy.with_suffix(".hea").write_text(source.with_suffix(".hea").read_text().replace(source.name, copy.name))
    store = build("ptbxl", small_dataset, "local", root, tmp_path / "data")
    found = pd.read_csv(store.with_name("quality.csv"))
    assert found["check"].tolist() == ["duplicate"]
    assert "ptbxl/1" in found["record_id"][0] + found["detail"][0]


def test_a_stand_in_is_never_taken_for_the_release(small_store, small_dataset, tmp_path):
    with pytest.raises(InputError, match="this is a stand-in"):
        acquire("ptbxl", small_dataset, "local", small_store.parent / "release", tmp_path / "release.json")
    root = copy_release(small_store, tmp_path)
    header = next(root.rglob("*.hea"))
    header.write_text(header.read_text() + "# vitalbench stand-in: generated, not a recording of a person\n")
    with pytest.raises(InputError, match="a generated record"):
        build("ptbxl", small_dataset, "local", root, tmp_path / "data")


def test_an_index_that_leaves_its_folder_is_refused(small_store, small_dataset, tmp_path):
    root = copy_release(small_store, tmp_path)
    table = pd.read_csv(root / "ptbxl_database.csv")
    table.loc[0, "filename_lr"] = "../../secret"
    table.to_csv(root / "ptbxl_database.csv", index=False)
    with pytest.raises(InputError, match="outside the release"):
        acquire("ptbxl", small_dataset, "local", root, tmp_path / "release.json")


def test_a_damaged_store_is_named(tmp_path):
    (tmp_path / "store.h5").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"store\.h5: not a store"):
        Store(tmp_path / "store.h5")


def test_a_store_that_is_not_there_is_not_said_to_lack_a_table(tmp_path):
    with pytest.raises(InputError, match=r"nope\.h5: no such file$"):
        read_records(tmp_path / "nope.h5")


def record(digital: np.ndarray) -> Record:
    leads = len(digital)
    return Record(digital.astype(np.int16), np.full(leads, 1000, np.float32), np.zeros(leads, np.float32))


def test_questionable_samples_are_found(small_dataset):
    good = np.random.default_rng(0).integers(-500, 500, (12, 1000))
    limits = Quality(flat_seconds=5.0, max_abs_mv=10.0)

    def checks(digital: np.ndarray) -> list[str]:
        return [check for check, _ in sample_checks(record(digital), small_dataset.signal, limits)]

    assert checks(good) == []
    flat, short, loud, invalid = good.copy(), good.copy(), good.copy(), good.copy()
    flat[3, 200:700] = 17
    short[3, 200:690] = 17
    loud[5, 10] = 12_000
    invalid[0, 0] = INVALID
    assert checks(flat) == ["flat-lead"]
    assert checks(short) == []
    assert checks(loud) == ["amplitude"]
    assert checks(invalid) == ["invalid-sample"]  # the mark is no voltage


def test_samples_that_were_not_recorded_cannot_be_let_in():
    with pytest.raises(ValidationError, match="must hold 'invalid-sample'"):
        Quality(quarantine=["flat-lead"])


def test_the_new_questions_find_what_they_are_for(small_dataset):
    signal = small_dataset.signal.model_copy(update={"rate_hz": 500})
    rng = np.random.default_rng(0)
    good = rng.integers(-500, 500, (12, 5000))

    def checks(digital: np.ndarray) -> list[str]:
        return [check for check, _ in sample_checks(record(digital), signal, Quality())]

    missing, clipped, mains, both = good.copy(), good.copy(), good.copy(), good.copy()
    missing[2] = 40
    clipped[4, 100:126] = 4000
    mains[7] = 1000 * np.sin(2 * np.pi * 50.3 * np.arange(5000) / 500)
    both[9, :] = np.where(np.arange(5000) % 400 < 30, -5000, good[9])
    assert checks(good) == []
    assert checks(missing) == ["missing-lead"]
    assert checks(clipped) == ["clipping"]
    assert checks(mains) == ["powerline"]
    assert checks(both) == ["clipping"]


def test_mains_are_not_looked_for_where_the_rate_cannot_show_them(small_dataset):
    wave = 1000 * np.sin(2 * np.pi * 49.9 * np.arange(1000) / 100)
    assert sample_checks(record(np.tile(wave, (12, 1))), small_dataset.signal, Quality()) == []
