"""What is sealed opens with its key, at its place, unaltered, or not at all."""

import os
import tracemalloc
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import build, describe
from tests.unit.test_config import edit, refusal
from vitalbench import cli
from vitalbench.data import table_file
from vitalbench.data.store import Store, read_records
from vitalbench.errors import GateError, InputError
from vitalbench.files import read_json
from vitalbench.privacy import sealed_folder
from vitalbench.privacy.key import Key
from vitalbench.privacy.sealed_folder import LIST, seal_folder, unseal_folder
from vitalbench.privacy.vault import (
    CHUNK,
    ROW_OVERHEAD,
    RowVault,
    SealedWriter,
    open_row,
    open_stream,
    seal_row,
    seal_stream,
)
from vitalbench.split import neighbours

SECRET = bytes(range(32))
KEY, OTHER = Key(SECRET), Key(SECRET[::-1])
HEADER = 36


@pytest.fixture
def key_here(monkeypatch):
    monkeypatch.setenv("VITALBENCH_KEY", SECRET.hex())


def sealed(content: bytes, name: str = "a/b.dat", chunk: int = 16) -> bytes:
    target = BytesIO()
    seal_stream(KEY, name, BytesIO(content), target, chunk)
    return target.getvalue()


def opened(content: bytes, name: str = "a/b.dat", key: Key = KEY) -> bytes:
    target = BytesIO()
    open_stream(key, name, BytesIO(content), target, "it")
    return target.getvalue()


@given(st.binary(), st.binary())
def test_a_row_comes_back_and_never_seals_to_the_same_bytes(content, aad):
    cipher = AESGCM(SECRET)
    first, second = seal_row(cipher, aad, content), seal_row(cipher, aad, content)
    assert len(first) == len(content) + ROW_OVERHEAD
    assert first != second
    assert open_row(cipher, aad, first) == open_row(cipher, aad, second) == content


@given(st.binary(min_size=1), st.integers(0), st.integers(0, 7))
def test_a_row_with_any_bit_changed_does_not_open(content, at, bit):
    cipher = AESGCM(SECRET)
    changed = bytearray(seal_row(cipher, b"part 0", content))
    changed[at % len(changed)] ^= 1 << bit
    with pytest.raises(InvalidTag):
        open_row(cipher, b"part 0", bytes(changed))


def test_a_row_opens_in_its_part_and_at_its_place_alone():
    row = RowVault(KEY, "part-0000.h5").seal(3, b"samples")
    assert RowVault(KEY, "part-0000.h5").open(3, row) == b"samples"
    for vault, at in (
        (RowVault(KEY, "part-0000.h5"), 4),
        (RowVault(KEY, "part-0001.h5"), 3),
        (RowVault(OTHER, "part-0000.h5"), 3),
    ):
        with pytest.raises(InputError, match="does not open: it was altered or moved"):
            vault.open(at, row)


def test_the_cipher_is_aes_256_gcm_as_published():
    """Test case 16 of the GCM specification (McGrew and Viega 2005), 256-bit key with associated data."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    stored = bytes.fromhex(
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert open_row(AESGCM(key), aad, stored) == plain


@given(st.binary(max_size=200), st.integers(1, 64))
def test_a_file_comes_back_whatever_its_length_and_chunks(content, chunk):
    assert opened(sealed(content, chunk=chunk)) == content


@settings(max_examples=60)
@given(st.binary(min_size=1, max_size=80), st.integers(0), st.integers(0, 7))
def test_a_file_with_any_bit_changed_does_not_open(content, at, bit):
    changed = bytearray(sealed(content))
    changed[at % len(changed)] ^= 1 << bit
    with pytest.raises(InputError):
        opened(bytes(changed))


@given(st.integers(0, 36 + 3 * 32))
def test_a_file_cut_off_anywhere_does_not_open(length):
    whole = sealed(bytes(48))
    if length == len(whole):
        return
    with pytest.raises(InputError):
        opened(whole[:length])


def test_chunks_swapped_repeated_dropped_or_of_an_older_file_do_not_open():
    new, old = sealed(bytes(range(48))), sealed(bytes(range(48)))
    header, pieces = new[:HEADER], [new[HEADER + at : HEADER + at + 32] for at in (0, 32, 64)]
    olden = old[HEADER + 32 : HEADER + 64]
    a, b, c = pieces
    assert opened(header + a + b + c) == bytes(range(48))
    for wrong in ([b, a, c], [a, a, c], [a, c], [b, c], [a, b], [a, b, c, c], [a, olden, c], []):
        with pytest.raises(InputError, match="does not open"):
            opened(header + b"".join(wrong))


def test_a_file_under_another_name_or_key_or_that_is_none_is_one_line():
    content = sealed(b"samples")
    with pytest.raises(InputError, match="another file under this name"):
        opened(content, name="a/c.dat")
    with pytest.raises(InputError, match=f"sealed with the key {KEY.fingerprint}; the key here is {OTHER.fingerprint}"):
        opened(content, key=OTHER)
    with pytest.raises(InputError, match="not a sealed file"):
        opened(b"samples")


def test_sealing_takes_memory_of_a_few_chunks_whatever_the_file(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(40 * CHUNK))
    tracemalloc.start()
    with (tmp_path / "raw").open("rb") as source, (tmp_path / "sealed").open("wb") as target:
        seal_stream(KEY, "raw", source, target)
    with (tmp_path / "sealed").open("rb") as source, (tmp_path / "back").open("wb") as target:
        open_stream(KEY, "raw", source, target, "it")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * CHUNK
    assert (tmp_path / "back").stat().st_size == 40 * CHUNK


@pytest.fixture
def raw(tmp_path):
    """A folder of three files, one empty."""
    root = tmp_path / "raw"
    (root / "records").mkdir(parents=True)
    (root / "index.csv").write_text("id,name\n1,Erika\n")
    (root / "records/1.dat").write_bytes(np.random.default_rng(0).bytes(3_000_000))
    (root / "records/2.dat").write_bytes(b"")
    return root


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_sealed_and_opened_by_command(raw, tmp_path, key_here, capsys):
    assert cli.run(["seal", str(raw), "--out", str(tmp_path / "sealed")]) == 0
    assert cli.run(["unseal", str(tmp_path / "sealed"), "--out", str(tmp_path / "back")]) == 0
    assert contents(tmp_path / "back") == contents(raw)
    assert set(contents(tmp_path / "sealed")) == {*contents(raw), LIST}
    assert all(b"Erika" not in content for content in contents(tmp_path / "sealed").values())
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "back").rglob("*.*")} == {0o600}
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o700
    shown = capsys.readouterr()
    assert SECRET.hex() not in shown.out + shown.err
    assert KEY.fingerprint in shown.err


def test_files_of_a_sealed_folder_that_were_swapped_do_not_open_and_leave_nothing(raw, tmp_path):
    seal_folder(raw, tmp_path / "sealed", KEY)
    one, two = tmp_path / "sealed/records/1.dat", tmp_path / "sealed/records/2.dat"
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    with pytest.raises(InputError, match=r"1\.dat: another sealing of this file than the list's"):
        unseal_folder(tmp_path / "sealed", tmp_path / "back", KEY)
    assert not (tmp_path / "back").exists()


def test_a_file_altered_in_a_sealed_folder_does_not_open_and_is_not_left(raw, tmp_path):
    seal_folder(raw, tmp_path / "sealed", KEY)
    path = tmp_path / "sealed/records/1.dat"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"1\.dat: chunk 2 does not open"):
        unseal_folder(tmp_path / "sealed", tmp_path / "back", KEY)
    assert set(contents(tmp_path / "back")) == {"index.csv"}


def older_copy(raw, sealed):
    seal_folder(raw, raw.parent / "again", KEY)
    (sealed / "index.csv").write_bytes((raw.parent / "again/index.csv").read_bytes())


WRONG = {
    "a file missing": (
        lambda raw, sealed: (sealed / "records/1.dat").unlink(),
        r"1 of 3 files missing that were sealed: records/1\.dat; --incomplete opens the rest",
    ),
    "two files missing": (
        lambda raw, sealed: [path.unlink() for path in (sealed / "records").glob("*")],
        r"2 of 3 files missing that were sealed: records/1\.dat, records/2\.dat",
    ),
    "a file put in": (
        lambda raw, sealed: (sealed / "records/3.dat").write_bytes((sealed / "index.csv").read_bytes()),
        r"records/3\.dat: not in the list of what was sealed",
    ),
    "a file of another sealing": (older_copy, r"index\.csv: another sealing of this file than the list's"),
    "no list": (
        lambda raw, sealed: (sealed / LIST).unlink(),
        rf"no {LIST}: the folder was not sealed to its end, or the list was taken out",
    ),
    "the list of another folder": (
        lambda raw, sealed: (sealed / LIST).write_bytes((sealed / "index.csv").read_bytes()),
        rf"{LIST}: chunk 0 does not open",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_sealed_folder_that_is_not_what_was_sealed_is_refused_before_anything_is_opened(raw, tmp_path, what):
    harm, message = WRONG[what]
    seal_folder(raw, tmp_path / "sealed", KEY)
    harm(raw, tmp_path / "sealed")
    with pytest.raises(InputError, match=message):
        unseal_folder(tmp_path / "sealed", tmp_path / "back", KEY)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("lost", ["records/1.dat", LIST])
def test_what_is_left_of_a_sealed_folder_opens_on_request_and_what_is_missing_is_said(
    raw, tmp_path, key_here, capsys, lost
):
    seal_folder(raw, tmp_path / "sealed", KEY)
    (tmp_path / "sealed" / lost).unlink()
    with pytest.raises(GateError, match="1 missing of what was sealed"):
        cli.run(["unseal", str(tmp_path / "sealed"), "--out", str(tmp_path / "back"), "--incomplete"])
    assert capsys.readouterr().out == f"{lost}\n"
    expected = contents(raw)
    expected.pop(lost, None)
    assert contents(tmp_path / "back") == expected


def test_a_folder_that_holds_a_file_of_the_lists_name_is_not_sealed(raw, tmp_path):
    (raw / LIST).write_text("")
    with pytest.raises(InputError, match=rf"{LIST}: this name is the list's of a sealed folder"):
        seal_folder(raw, tmp_path / "sealed", KEY)


def test_what_is_no_file_is_told_before_anything_is_sealed(raw, tmp_path):
    os.mkfifo(raw / "pipe")
    with pytest.raises(InputError, match=r"pipe: no file \(a pipe, a socket or a device\)"):
        seal_folder(raw, tmp_path / "sealed", KEY)
    assert not (tmp_path / "sealed").exists()


def test_a_name_that_is_not_utf_8_is_one_line(raw, tmp_path):
    Path(os.fsdecode(os.fsencode(raw) + b"/m\xfcller.dat")).write_bytes(b"")
    with pytest.raises(InputError, match=r"the file 'm\\udcfcller.dat' has a name that is not UTF-8"):
        seal_folder(raw, tmp_path / "sealed", KEY)


def test_a_sealing_that_was_cut_short_is_seen(raw, tmp_path, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sealed_folder, "sealed_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        seal_folder(raw, tmp_path / "sealed", KEY)
    with pytest.raises(InputError, match="was not sealed to its end"):
        unseal_folder(tmp_path / "sealed", tmp_path / "back", KEY)


def test_what_is_opened_is_its_owners_alone_at_every_moment(raw, tmp_path, monkeypatch):
    seal_folder(raw, tmp_path / "sealed", KEY)
    (tmp_path / "back").mkdir(mode=0o755)
    replace, modes = Path.replace, []

    def seen(self, target):
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", seen)
    unseal_folder(tmp_path / "sealed", tmp_path / "back", KEY)
    assert modes == [0o600] * 3


def test_sealing_onto_something_or_into_itself_or_through_a_link_is_refused(raw, tmp_path):
    with pytest.raises(InputError, match="not empty"):
        seal_folder(raw, raw, KEY)
    with pytest.raises(InputError, match="lies in"):
        seal_folder(raw, raw / "sealed", KEY)
    (raw / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="a link"):
        seal_folder(raw, tmp_path / "sealed", KEY)


@pytest.fixture
def encrypted(small_dataset, tmp_path, key_here):
    """A store of 40 generated patients, encrypted; the same records plain."""
    few = small_dataset.model_copy(update={"standin": small_dataset.standin.model_copy(update={"patients": 40})})
    plain = build("ptbxl", few, "generated", None, tmp_path / "plain")
    return build("ptbxl", few.model_copy(update={"encrypt": True}), "generated", None, tmp_path / "encrypted"), plain


def test_an_encrypted_store_reads_as_the_plain_one_does(encrypted):
    store, plain = encrypted
    rows = np.array([3, 0, 41, 3])
    assert np.array_equal(Store(store).read(rows), Store(plain).read(rows))
    starts = np.array([0, 100, 250, 750])
    assert np.array_equal(Store(store).read(rows, starts, 250), Store(plain).read(rows, starts, 250))
    pd.testing.assert_frame_equal(read_records(store), read_records(plain))
    folders = [read_json(path.with_name("manifest.json"))["content"] for path in encrypted]
    assert folders[0] == folders[1]


def test_neither_samples_nor_labels_lie_in_an_encrypted_store(encrypted):
    store, plain = encrypted
    samples = b"".join(path.read_bytes() for path in store.parent.glob("parts/*.h5"))
    with h5py.File(plain) as file:
        assert all(file["signals"][row].tobytes()[:64] not in samples for row in range(20))
    for table in [
        store.with_name("records.parquet"),
        store.with_name("index.parquet"),
        *store.parent.glob("parts/*.parquet"),
    ]:
        assert b"labels:superdiagnostic" not in table.read_bytes(), table
    written = [path for path in store.parent.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.hex().encode() in path.read_bytes() or SECRET in path.read_bytes()]


def test_no_table_lies_plain_even_for_the_moment_before_it_is_sealed(small_dataset, tmp_path, key_here, monkeypatch):
    few = small_dataset.model_copy(
        update={"standin": small_dataset.standin.model_copy(update={"patients": 5}), "encrypt": True}
    )
    seen = []

    class Watched(SealedWriter):
        def __init__(self, key, name, target):
            super().__init__(key, name, target)
            self.name = name

        def finish(self):
            super().finish()
            seen.append(self.name)
            lying = [
                path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(tmp_path / "release")
            ]
            assert not [path for path in lying if b"labels:superdiagnostic" in path.read_bytes()]

    monkeypatch.setattr(table_file, "SealedWriter", Watched)
    build("ptbxl", few, "generated", None, tmp_path)
    assert {"index.parquet", "records.parquet", "part-0000.parquet"} <= set(seen)


def test_the_search_for_neighbours_leaves_no_sample_where_a_kill_could_leave_it(encrypted, monkeypatch):
    store, plain = encrypted
    before = {path.name for path in store.parent.iterdir()} | {"access.log", "access.head.json"}
    during: set[str] = set()

    def prepared(*arguments):
        during.update(path.name for path in store.parent.iterdir())
        return prepare(*arguments)

    prepare = neighbours.prepare
    monkeypatch.setattr(neighbours, "prepare", prepared)
    found = neighbours.find(store, 2)
    assert during <= before
    monkeypatch.undo()
    monkeypatch.setenv("VITALBENCH_KEY", SECRET.hex())
    pd.testing.assert_frame_equal(found, neighbours.find(plain, 2))


def test_an_encrypted_store_with_another_key_or_none_is_one_line(encrypted, monkeypatch):
    store, _ = encrypted
    monkeypatch.setenv("VITALBENCH_KEY", SECRET[::-1].hex())
    for read in (Store, read_records):
        with pytest.raises(
            InputError, match=f"sealed with the key {KEY.fingerprint}; the key here is {OTHER.fingerprint}"
        ):
            read(store)
    monkeypatch.delenv("VITALBENCH_KEY")
    for read in (Store, read_records):
        with pytest.raises(InputError, match="needs a key: set VITALBENCH_KEY_FILE"):
            read(store)


def test_records_swapped_in_a_part_do_not_open(encrypted):
    store, _ = encrypted
    with h5py.File(store.parent / "parts/part-0000.h5", "r+") as file:
        rows = file["sealed"][:2]
        file["sealed"][0], file["sealed"][1] = rows[1], rows[0]
    with pytest.raises(InputError, match=r"part-0000\.h5: row 0 does not open"):
        Store(store).read(np.array([0]))


def test_an_encrypted_store_has_a_receipt_and_a_description_that_says_so(encrypted, small_dataset, configs):
    folder = encrypted[0].parent
    few = small_dataset.model_copy(update={"standin": small_dataset.standin.model_copy(update={"patients": 40})})
    describe(folder, few.model_copy(update={"encrypt": True}), configs)
    assert cli.run(["verify", "--data", str(folder), "--records"]) == 0
    found = read_json(folder / "croissant.json")
    assert "recordSet" not in found
    kinds = {file["@id"]: file["encodingFormat"] for file in found["distribution"]}
    assert kinds["records.parquet"] == "application/octet-stream"
    assert "AES-256-GCM" in found["description"]


def test_encrypting_what_is_packed_is_refused_when_the_configuration_is_read(project):
    edit(project, "datasets/ptbxl.yaml", "parts: 4", "parts: 4\ncodec: zstd\nencrypt: true")
    assert "encrypt: true needs codec 'none', not 'zstd'" in refusal(project)
