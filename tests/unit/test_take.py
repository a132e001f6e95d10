"""An image from elsewhere takes its place only where it is the one expected and holds what is here."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_sif
from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json, to_json, write_json
from vitalbench.image import LOCK, LOCK_LABEL, SOURCE_LABEL, image_digest, lock_digest, receipt_of, source_digest

HELD = {SOURCE_LABEL: source_digest(), LOCK_LABEL: lock_digest(ROOT), "org.opencontainers.image.version": "9.9"}


@pytest.fixture
def here(tool, tmp_path, monkeypatch) -> Path:
    """A project with its lock file and an Apptainer that tells of these labels."""
    says(tool, HELD)
    (tmp_path / "envs").mkdir()
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
    tool("apptainer", "exit 1")
    with pytest.raises(InputError, match="reads no labels"):
        take(image, good)
    image.write_bytes(image.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"truncated: .*; fetch it again"):
        take(image, good)
    assert not (here / "containers").exists()
