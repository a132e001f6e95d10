"""Sealed folders are whole or absent, and say what is wrong with them."""

import shutil

import pytest

from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.train.sealed import MANIFEST, copy_sealed, damage, read_manifest, seal, size_of


@pytest.fixture
def sealed(tmp_path):
    folder = tmp_path / "kept" / "one"

    def write(at):
        (at / "inner").mkdir()
        (at / "a.bin").write_bytes(b"\x00" * 100)
        (at / "inner" / "b.txt").write_text("text")

    seal(folder, {"epoch": 3}, write)
    return folder


def test_a_sealed_folder_states_its_facts_and_files(sealed):
    found = read_manifest(sealed)
    assert found["epoch"] == 3
    assert {name: entry["bytes"] for name, entry in found["files"].items()} == {"a.bin": 100, "inner/b.txt": 4}
    assert damage(sealed) == ""
    assert size_of(sealed) == 104 + (sealed / MANIFEST).stat().st_size


def test_every_kind_of_damage_is_named(sealed):
    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    for spoil, said in (
        (lambda f: flip(f / "a.bin"), "a.bin: sealed as"),
        (lambda f: (f / "a.bin").write_bytes(b"\x00" * 99), "a.bin: sealed as"),
        (lambda f: (f / "inner" / "b.txt").unlink(), "b.txt: no such file"),
        (lambda f: (f / MANIFEST).unlink(), f"{MANIFEST}: no such file"),
        (lambda f: (f / MANIFEST).write_text('{"files": {'), f"{MANIFEST}: not readable as JSON"),
        (lambda f: (f / MANIFEST).write_text("[]"), f"{MANIFEST}: damaged: not a JSON object but list"),
        (lambda f: write_json(f / MANIFEST, read_json(f / MANIFEST) | {"epoch": 4}), f"{MANIFEST}: not as it was written"),
    ):  # fmt: skip
        copy = shutil.copytree(sealed, sealed.with_name("copy"))
        spoil(copy)
        assert damage(copy).startswith(said)
        shutil.rmtree(copy)


def test_an_error_while_writing_leaves_nothing(tmp_path):
    def write(at):
        (at / "half").write_text("x")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        seal(tmp_path / "one", {}, write)
    assert list(tmp_path.iterdir()) == []


def test_what_is_sealed_is_not_overwritten(sealed):
    with pytest.raises(OSError, match="not empty"):
        seal(sealed, {"epoch": 4}, lambda at: None)
    assert read_manifest(sealed)["epoch"] == 3
    assert [path.name for path in sealed.parent.iterdir()] == ["one"]


def test_a_copy_is_held_against_the_manifest_and_a_damaged_one_made_again(sealed, tmp_path):
    to = tmp_path / "elsewhere" / "one"
    copy_sealed(sealed, to)
    assert damage(to) == ""
    (to / "a.bin").write_bytes(b"\x01")
    copy_sealed(sealed, to)
    assert damage(to) == ""
    (sealed / "a.bin").write_bytes(b"\x01")
    with pytest.raises(InputError, match=r"a\.bin: sealed as"):
        copy_sealed(sealed, tmp_path / "third")
    assert not (tmp_path / "third").exists()
