"""An image from elsewhere takes its place only where it is the one expected and holds what is here."""

import errno
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_sif
from vitalbench import cli
from vitalbench.errors import InputError, told_as_line
from vitalbench.files import file_digest, read_json, to_json, write_json
from vitalbench.image import (
    LOCK,
    LOCK_LABEL,
    SOURCE_LABEL,
    TITLE_LABEL,
    TITLES,
    image_digest,
    pin_digest,
    receipt_of,
    source_digest,
)

HELD = {SOURCE_LABEL: source_digest(), LOCK_LABEL: pin_digest(ROOT / LOCK), "org.opencontainers.image.version": "9.9"}


@pytest.fixture
def here(tool, tmp_path, monkeypatch) -> Path:
    """A project with its lock file and an Apptainer that tells of these labels."""
    says(tool, HELD)
    (tmp_path / "envs").mkdir()
    (tmp_path / "containers").mkdir()
    shutil.copy(ROOT / LOCK, tmp_path / LOCK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def says(tool, labels: dict[str, str]) -> None:
    told = to_json({"data": {"attributes": {"labels": labels}}}).replace("\n", "")
    tool("apptainer", f"echo '{told}'")


def take(image: Path, expect: object, *more: str) -> None:
    cli.run(["image", "take", str(image), "--expect", str(expect), *more])


def test_an_image_with_the_expected_digest_gets_its_place_and_a_receipt(here):
    pulled = write_sif(here / "pulled.sif")
    take(pulled, f"sha256:{file_digest(pulled)}")
    out = here / "containers/cpu.sif"
    assert out.read_bytes() == pulled.read_bytes()
    told = read_json(receipt_of(out))
    assert told["sha256"] == file_digest(pulled) == image_digest(out)
    assert (told["labels"], told["taken_from"], told["bytes"]) == (HELD, "pulled.sif", out.stat().st_size)


def test_the_digest_may_stand_in_a_receipt_or_in_the_provenance_of_a_run(here):
    carried = write_sif(here / "carried.sif")
    write_json(
        here / "from.json", {"image": "cpu.sif", "sha256": file_digest(carried), "build_seconds": 79.0, "bytes": 1}
    )
    take(carried, here / "from.json")
    told = read_json(here / "containers/cpu.json")
    assert (told["build_seconds"], told["bytes"]) == (79.0, carried.stat().st_size)
    write_json(here / "provenance.json", {"image": {"name": "cpu.sif", "sha256": file_digest(carried)}})
    take(carried, here / "provenance.json", "--out", "containers/cuda.sif")
    assert (here / "containers/cuda.json").is_file()


def test_an_image_that_lies_in_its_place_already_only_gets_its_receipt(here):
    image = write_sif(here / "containers/cpu.sif")
    before = image.stat().st_ino
    take(image, file_digest(image))
    assert image.stat().st_ino == before
    assert read_json(receipt_of(image))["sha256"] == file_digest(image)


def test_what_is_not_as_expected_changes_nothing(here, tool):
    image = write_sif(here / "pulled.sif")
    good = file_digest(image)
    cases = [(good[:-1] + ("0" if good[-1] != "0" else "1"), r"expected .*: damaged on the way, or another image")]
    cases += [("abc", r"--expect abc: neither a SHA-256 \(64 hex digits\) nor a file")]
    write_json(here / "bare.json", {"image": None})
    cases += [(here / "bare.json", "this run was on the bare machine, in no image")]
    write_json(here / "other.json", {"name": "x"})
    cases += [(here / "other.json", "key 'sha256' is missing")]
    for expect, words in cases:
        with pytest.raises(InputError, match=words):
            take(image, expect)
    with pytest.raises(InputError, match=r"none\.sif: no such file"):
        take(here / "none.sif", good)
    says(tool, HELD | {SOURCE_LABEL: "abc"})
    with pytest.raises(InputError, match=r"holds source abc, .*its label `version` is 9\.9"):
        take(image, good)
    (here / "envs/torch.txt").write_text("torch==2.12.1\n")
    for held, words in (({}, "does not say of which"), ({"org.vitalbench.pinned.torch": "abc"}, "packages of")):
        says(tool, HELD | held)
        with pytest.raises(InputError, match=rf"it .*{words} envs/torch\.txt .*; check out what it was built from"):
            take(image, good)
    tool("apptainer", "exit 1")
    with pytest.raises(InputError, match="reads no labels"):
        take(image, good)
    image.write_bytes(image.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"truncated: .*; fetch it again"):
        take(image, good)
    assert not list((here / "containers").iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"image": 5}, "key 'image' is 5, neither a name nor what a run says"),
        ({"image": ["x"]}, r"key 'image' is \['x'\], neither"),
        ({"image": {"name": "x"}}, r"key 'image\.sha256' is None, no SHA-256"),
        ({"image": {"sha256": 7}}, r"key 'image\.sha256' is 7, no SHA-256"),
        ({"image": "cpu.sif", "sha256": "abc"}, "key 'sha256' is 'abc', no SHA-256"),
    ],
)
def test_what_tells_of_no_digest_is_refused_with_its_key(here, content, words):
    write_json(here / "told.json", content)
    with pytest.raises(InputError, match=rf"told\.json: .*{words}"):
        take(write_sif(here / "pulled.sif"), here / "told.json")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("containers/cpu.json", "ends in .sif"),
        ("notes/precious.txt", "ends in .sif"),
        ("", "--out '': an image's name ends in .sif"),
        ("containers", "ends in .sif"),
        ("folder.sif", "this is a folder"),
        ("none/cpu.sif", "there is no folder none here"),
    ],
)
def test_an_image_is_put_nowhere_that_its_receipt_would_take_another_files_place(here, out, words):
    """Neither one that is taken nor one that is built, and before a byte is copied."""
    (here / "notes").mkdir()
    (here / "folder.sif").mkdir()
    (here / "notes/precious.json").write_text("precious")
    image = write_sif(here / "pulled.sif")
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    for command in (["take", str(image), "--expect", file_digest(image)], ["build", "--definition", "cpu.def"]):
        with pytest.raises(InputError, match=words):
            cli.run(["image", *command, "--out", out])
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


def test_outside_a_project_nothing_is_made(here, monkeypatch):
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    image = write_sif(here / "pulled.sif")
    with pytest.raises(InputError, match="cd to the project's folder"):
        take(image, file_digest(image))
    assert not list(elsewhere.iterdir())


def test_an_image_of_another_kind_is_not_taken_for_the_one_it_is_to_be(here, tool):
    """By the title that its definition gives it."""
    image = write_sif(here / "pulled.sif")
    says(tool, HELD | {TITLE_LABEL: "vitalbench"})
    with pytest.raises(
        InputError, match=r"it is titled vitalbench, and cuda\.sif is vitalbench-cuda; next: another --out"
    ):
        take(image, file_digest(image), "--out", "containers/cuda.sif")
    take(image, file_digest(image))
    says(tool, HELD | {TITLE_LABEL: "vitalbench-cuda"})
    with pytest.raises(InputError, match=r"is titled vitalbench-cuda, and cpu\.sif is vitalbench"):
        take(image, file_digest(image))
    take(image, file_digest(image), "--out", "containers/cuda.sif")


def test_each_definition_titles_its_image_by_its_name():
    for name, title in TITLES.items():
        text = (ROOT / "containers" / name).with_suffix(".def").read_text()
        assert re.search(rf"^ *{re.escape(TITLE_LABEL)} {title}$", text, re.M)


def test_a_disk_without_room_is_told_of_the_file_that_had_none(here, monkeypatch):
    image = write_sif(here / "pulled.sif")

    def full(source: Path, to: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(to))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left") as caught:
        take(image, file_digest(image))
    assert told_as_line(caught.value) == "containers/cpu.sif: no space left on device"
    assert not list((here / "containers").iterdir())
