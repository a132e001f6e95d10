"""A part is written whole, in any codec, kept where nothing changed, and found again when it is replaced."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.conftest import build
from tests.unit.test_store import copy_release
from vitalbench.data.index import part_of, read_part
from vitalbench.data.join import join
from vitalbench.data.part import PartSignals, PartWriter
from vitalbench.data.release import acquire
from vitalbench.data.standardise import standardise
from vitalbench.data.store import Store, read_records
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


def test_a_store_is_the_same_bytes_whenever_it_is_built(small_dataset, release, tmp_path):
    first, second = (build("ptbxl", small_dataset, "local", release, tmp_path / name).parent for name in ("a", "b"))
    for name in ("store.h5", "records.parquet", "quality.csv", "manifest.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    # Both may fall into one second, so no object may hold a time at all.
    for path in (first / "store.h5", first / "parts" / "part-0000.h5"):
        with h5py.File(path) as file:
            for name in ("/", *file):
                told = h5py.h5o.get_info(file[name].id)
                assert {told.btime, told.ctime, told.mtime, told.atime} == {0}, name


def test_a_store_is_built_in_a_folder_named_from_here_and_read_from_elsewhere(
    small_dataset, release, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    store = build("ptbxl", small_dataset, "local", release, Path("data"))
    samples = Store(store).read(np.arange(3))
    monkeypatch.chdir("/")
    assert np.array_equal(Store(tmp_path / store).read(np.arange(3)), samples)
    with h5py.File(tmp_path / store) as file:
        assert file["signals"][:3].any()


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


def flip(path) -> None:
    """Change one bit in place: no new file, no new size."""
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        (byte,) = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([byte ^ 1]))


def test_damage_to_a_part_does_not_reach_its_kept_version(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    version = read_json(folder / "manifest.json")["version"]
    before = (folder / "parts/part-0001.h5").read_bytes()
    flip(folder / "parts/part-0001.h5")
    _, parts = recover(folder / "versions", version, tmp_path / "old")
    assert parts[1].read_bytes() == before
    flip(parts[1])  # nor does damage to what was recovered
    assert recover(folder / "versions", version, tmp_path / "older")[1][1].read_bytes() == before


def test_a_kept_file_is_read_only_and_a_damaged_one_is_kept_anew(small_dataset, release, tmp_path, capsys):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    kept = sorted((folder / "versions/parts").iterdir())
    assert {path.stat().st_mode & 0o222 for path in [*kept, *(folder / "versions").glob("*.json")]} == {0}
    kept[0].chmod(0o644)
    flip(kept[0])
    capsys.readouterr()
    build("ptbxl", small_dataset, "local", release, folder)
    assert f"{kept[0]}: damaged, kept anew" in capsys.readouterr().err
    recover(folder / "versions", read_json(folder / "manifest.json")["version"], tmp_path / "old")


@pytest.mark.parametrize("suffix", [".h5", ".parquet", ".findings.csv"])
def test_a_part_flipped_in_place_is_not_joined(small_dataset, release, tmp_path, suffix):
    add_damage(release)
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    part = folder / "parts" / "part-0001.h5"
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    flip(part.with_suffix(suffix))
    with pytest.raises(InputError, match=r"SHA-256 .*, its receipt says .*; delete it to build the part again") as told:
        join(small_dataset, read_json(folder / "release.json"), sorted(part.parent.glob("*.h5")), folder / "store.h5")
    assert str(told.value).startswith(f"{part.with_suffix(suffix)}: damaged")
    assert "\n" not in str(told.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def add_damage(release, records: slice = slice(None, None, 25)) -> int:
    """Something to report in every part: samples that end early."""
    damaged = sorted(release.rglob("*.dat"))[records]
    for samples in damaged:
        samples.write_bytes(samples.read_bytes()[:100])
    return len(damaged)


@pytest.mark.parametrize("suffix", [".parquet", ".findings.csv", ".json"])
def test_a_part_without_one_of_its_files_is_named(small_dataset, release, tmp_path, suffix):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    part = folder / "parts" / "part-0001.h5"
    part.with_suffix(suffix).unlink()
    with pytest.raises(InputError) as told:
        join(small_dataset, read_json(folder / "release.json"), sorted(part.parent.glob("*.h5")), folder / "store.h5")
    assert str(told.value).startswith(f"{part.with_suffix(suffix)}: ")


@pytest.mark.parametrize("content", ["[]", '{"records": 3}', '{"records": 3, "sha256": 4}'])
def test_a_parts_receipt_that_is_none_is_one_line(small_dataset, release, tmp_path, content):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    receipt = folder / "parts" / "part-0001.json"
    receipt.write_text(content)
    with pytest.raises(InputError, match=r"part-0001\.json: damaged"):
        join(
            small_dataset, read_json(folder / "release.json"), sorted(receipt.parent.glob("*.h5")), folder / "store.h5"
        )


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


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_flipped_bit_in_a_chunk_is_never_other_samples(small_dataset, release, tmp_path, codec):
    dataset = small_dataset.model_copy(update={"codec": codec})
    part = build("ptbxl", dataset, "local", release, tmp_path / "data").parent / "parts" / "part-0001.h5"
    with h5py.File(part) as file:
        place = file["signals"].id.get_chunk_info(3)
        whole = file["signals"][3] if codec == "gzip" else PartSignals(part).record(3)
    content = part.read_bytes()
    rng = np.random.default_rng(0)
    for at, bit in zip(rng.integers(0, place.size, 40), rng.integers(0, 8, 40), strict=True):
        changed = bytearray(content)
        changed[place.byte_offset + at] ^= 1 << bit
        part.write_bytes(changed)
        same, told = False, ""
        try:
            same = np.array_equal(PartSignals(part).record(3), whole)  # a bit that means nothing
        except InputError as error:
            told = str(error)
        assert same or told.startswith(f"{part}: row 3 is damaged (")
        assert "\n" not in told


def test_content_tells_records_apart_and_not_how_they_are_cut_into_parts(small_dataset, release, tmp_path):
    def content(name, parts=3):
        folder = build(
            "ptbxl", small_dataset.model_copy(update={"parts": parts}), "local", release, tmp_path / name
        ).parent
        return read_json(folder / "manifest.json")["content"]

    three = content("three")
    assert three == content("one", 1) == content("many", 150)
    table = pd.read_csv(release / "ptbxl_database.csv")
    table.loc[3, "age"] += 1
    table.to_csv(release / "ptbxl_database.csv", index=False)
    assert content("older") != three


def test_columns_that_some_parts_fill_and_others_do_not_have_one_type_and_their_values(
    small_dataset, release, tmp_path
):
    table = pd.read_csv(release / "ptbxl_database.csv", dtype={"patient_id": str})
    first = table["patient_id"].map(lambda patient: part_of(f"ptbxl/{patient}", 3) == 0)
    table["height"] = table["height"].where(first)
    table["device"] = table["device"].where(~first)
    table["scp_codes"] = table["scp_codes"].where(first, "{'NORM': 100.0}")  # of no form and no rhythm
    table.to_csv(release / "ptbxl_database.csv", index=False)
    dataset = small_dataset.model_copy(update={"carry": ["record_id", "patient_id", "height", "device"]})
    store = build("ptbxl", dataset, "local", release, tmp_path / "data")
    records = read_records(store).set_index("record_id")
    assert records["row"].tolist() == list(range(len(table)))
    for row in table.itertuples():
        record = records.loc[f"ptbxl/{row.ecg_id}"]
        for column in ("height", "device"):
            stated, stored = getattr(row, column), record[column]
            assert stored == stated or (pd.isna(stored) and pd.isna(stated))
    assert set(records["labels:form"].map(type)) == {np.ndarray}


def test_of_samples_that_three_records_share_two_are_told_as_copies_of_the_first(small_dataset, release, tmp_path):
    table = pd.read_csv(release / "ptbxl_database.csv", dtype=str)
    groups = table.groupby("patient_id").head(1).head(12)
    samples = {}
    for at, row in enumerate(groups.itertuples()):
        source, copy = release / groups.iloc[at % 4].filename_lr, release / row.filename_lr
        copy.with_suffix(".dat").write_bytes(source.with_suffix(".dat").read_bytes())
        copy.with_suffix(".hea").write_text(source.with_suffix(".hea").read_text().replace(source.name, copy.name))
        samples.setdefault(at % 4, []).append(f"ptbxl/{row.ecg_id}")
    store = build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    records = read_records(store)
    assert all(records.set_index("record_id").loc[ids, "row"].nunique() == 3 for ids in samples.values())
    found = pd.read_csv(store.with_name("quality.csv")).query("check == 'duplicate'")
    expected = {
        record: f"same samples as {min(ids)}" for ids in samples.values() for record in ids if record != min(ids)
    }
    detail = found["detail"].str.partition(", with other labels: ")[0]
    assert dict(zip(found["record_id"], detail, strict=True)) == expected


def test_a_column_without_a_value_goes_with_whatever_others_hold(small_dataset, release, tmp_path):
    """Parts that are kept were written when nobody had a value; a new one then brings a text."""
    table = pd.read_csv(release / "ptbxl_database.csv", dtype=str).assign(pacemaker="")
    table.to_csv(release / "ptbxl_database.csv", index=False)
    dataset = small_dataset.model_copy(update={"carry": ["record_id", "patient_id", "pacemaker"]})
    store = build("ptbxl", dataset, "local", release, tmp_path / "data")
    assert read_records(store)["pacemaker"].isna().all()
    table.loc[7, "pacemaker"] = "ja, pacemaker"
    table.to_csv(release / "ptbxl_database.csv", index=False)
    before = {path: path.stat().st_ino for path in store.parent.glob("parts/*.h5")}
    build("ptbxl", dataset, "local", release, tmp_path / "data")
    assert sum(path.stat().st_ino == inode for path, inode in before.items()) == 2
    records = read_records(store).set_index("record_id")
    told = records["pacemaker"].dropna()
    assert told.to_dict() == {f"ptbxl/{table.loc[7, 'ecg_id']}": "ja, pacemaker"}


def test_parts_of_two_indices_are_told_in_one_line(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    parts = sorted((folder / "parts").glob("*.h5"))

    def joined_with_one_part_of(dataset):
        acquire("ptbxl", dataset, "local", release, folder / "release.json")
        standardise(read_part(folder / "index.parquet", 1), dataset, "local", release, parts[1])
        with pytest.raises(InputError) as refused:
            join(dataset, read_json(folder / "release.json"), parts, folder / "store.h5")
        return str(refused.value)

    carry = [column for column in small_dataset.carry if column != "site"]
    fewer = joined_with_one_part_of(small_dataset.model_copy(update={"carry": carry}))
    assert "part-0001.h5: column 'site' is in the parts before it and not in it; `vitalbench standardise`" in fewer
    table = pd.read_csv(release / "ptbxl_database.csv", dtype=str).assign(device="7")
    table.to_csv(release / "ptbxl_database.csv", index=False)
    other = joined_with_one_part_of(small_dataset)
    assert "part-0001.h5: its columns are not those of the parts before it" in other
    assert "Field device has incompatible types" in other
    assert "\n" not in fewer + other


def test_a_part_under_the_name_of_another_is_refused(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    for path in (folder / "parts").glob("part-0000.*"):
        shutil.copy(path, path.with_name(path.name.replace("0000", "0001")))
    with pytest.raises(InputError, match=r"part-0001.h5: holds records of another part; delete it"):
        parts = sorted((folder / "parts").glob("*.h5"))
        join(small_dataset, read_json(folder / "release.json"), parts, folder / "store.h5")


def test_a_part_for_which_there_is_no_room_is_told_and_the_one_before_it_stays(
    small_dataset, release, tmp_path, monkeypatch
):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = contents(folder)

    def full(*_):
        raise RuntimeError("Can't decrement id ref count (unable to extend file properly)")

    monkeypatch.setattr(PartWriter, "close", full)
    rows = read_part(folder / "index.parquet", 1)
    with pytest.raises(OSError, match=r"could not be written .*unable to extend"):
        standardise(rows, small_dataset, "local", release, folder / "parts/part-0001.h5", "other code")
    assert contents(folder) == before
