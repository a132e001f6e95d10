"""The doctor on images: whole, of this source and these packages, started; and what jobs in one see of the machine."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_sif
from vitalbench import cli
from vitalbench.config.knobs import Knobs
from vitalbench.containers.sif import fault
from vitalbench.doctor import images
from vitalbench.errors import InputError
from vitalbench.files import file_digest, to_json, write_json
from vitalbench.image import LOCK, LOCK_LABEL, SOURCE_LABEL, TITLE_LABEL, pin_digest, receipt_of, source_digest
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE

AGAIN = "snakemake --cores 1 containers --forcerun cpu_image"
HELD = {SOURCE_LABEL: source_digest(), LOCK_LABEL: pin_digest(ROOT / LOCK)}


def inspected(labels: dict[str, str]) -> str:
    """What an Apptainer that starts everything answers, as a script."""
    attributes = to_json({"data": {"attributes": {"labels": labels}}}).replace("\n", "")
    return f"""[ "$1" = inspect ] && echo '{attributes}'; true"""


@pytest.fixture
def built(tmp_path) -> Path:
    """A project with its lock file, an image and its receipt."""
    (tmp_path / "envs").mkdir()
    shutil.copy(ROOT / LOCK, tmp_path / LOCK)
    for name in (CPU_IMAGE, CUDA_IMAGE):
        path = write_sif(tmp_path / name)
        write_json(receipt_of(path), {"sha256": file_digest(path), "bytes": path.stat().st_size, "labels": HELD})
    return tmp_path


def test_an_image_that_is_what_it_should_be_works(tool, built):
    tool("apptainer", inspected(HELD))
    for name, what in ((CPU_IMAGE, "image"), (CUDA_IMAGE, "CUDA image")):
        found = images.image(built, name)
        assert (found.what, found.works, found.next) == (what, True, "")


def test_an_image_with_other_packages_of_debians_works_and_says_so(tool, built):
    tool("apptainer", inspected(HELD | {"org.vitalbench.debian": "3 not as listed"}))
    found = images.image(built, CPU_IMAGE)
    assert found.works
    assert found.told.endswith("; of Debian's packages 3 not as listed")


def test_an_image_that_is_not_built_is_told_with_what_builds_it(tool, tmp_path):
    tool("apptainer", "true")
    found = images.image(tmp_path, CUDA_IMAGE)
    assert (found.works, found.next) == (False, "snakemake --cores 1 cuda_image")
    assert "only a GPU's jobs" in found.told


@pytest.mark.parametrize(
    ("held", "told", "base"),
    [
        ({LOCK_LABEL: HELD[LOCK_LABEL]}, "has no label of its source", ""),
        (HELD | {TITLE_LABEL: "vitalbench-cuda"}, "cpu.sif is titled vitalbench-cuda, and cpu.sif is vitalbench", ""),
        (HELD | {SOURCE_LABEL: "abc"}, "holds source abc, and this checkout is", ""),
        (HELD | {LOCK_LABEL: "abc"}, "holds the packages of envs/lock.txt abc, and here that is", " base_image"),
    ],
)
def test_an_image_of_another_source_or_other_packages_is_to_be_built_again(tool, built, held, told, base):
    tool("apptainer", inspected(held))
    found = images.image(built, CPU_IMAGE)
    assert (found.works, found.next) == (False, AGAIN + base)
    assert told in found.told


def test_a_truncated_image_and_one_that_is_not_its_receipts_are_told_in_a_line(tool, built):
    tool("apptainer", inspected(HELD))
    path = built / CPU_IMAGE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    found = images.image(built, CPU_IMAGE)
    assert not found.works
    assert "not what cpu.json tells of: SHA-256" in found.told
    path.write_bytes(whole[:-1])
    assert "truncated: 131 B of the 132 B that its header tells of" in images.image(built, CPU_IMAGE).told
    path.write_bytes(b"")
    found = images.image(built, CPU_IMAGE)
    assert (found.told, found.next) == (f"{CPU_IMAGE}: no image of Apptainer's (SIF)", AGAIN)
    path.write_bytes(whole)
    receipt_of(path).write_text("{")
    assert "not readable as JSON" in images.image(built, CPU_IMAGE).told
    receipt_of(path).unlink()
    assert "no receipt cpu.json" in images.image(built, CPU_IMAGE).told


def test_an_image_that_does_not_start_is_told_with_why_and_the_command_that_shows_it(tool, built):
    tool("apptainer", f"""[ "$1" != exec ] || {{ echo 'FATAL: no namespaces' >&2; exit 1; }}; {inspected(HELD)}""")
    found = images.image(built, CPU_IMAGE)
    assert not found.works
    assert "does not start: FATAL: no namespaces" in found.told
    assert found.next == f"apptainer exec {built}/{CPU_IMAGE} true"


def test_a_gpu_that_its_image_does_not_see_is_told_where_there_is_a_driver(tool, built, monkeypatch):
    monkeypatch.setattr(images, "DRIVER", built)
    tool("apptainer", f"""case "$*" in *--nv*) echo 'its torch sees no GPU' >&2; exit 1;; esac; {inspected(HELD)}""")
    assert images.image(built, CPU_IMAGE).works
    found = images.image(built, CUDA_IMAGE)
    assert (found.works, found.told) == (False, f"{CUDA_IMAGE}: its torch sees no GPU")


def test_each_place_that_jobs_use_is_tried_here_and_in_the_image(tool, built, monkeypatch):
    monkeypatch.chdir(built)
    key, release, backup = built / "key", built / "releases", built / "backup"
    key.write_bytes(b"0" * 32)
    release.mkdir()
    backup.mkdir()
    knobs = Knobs(data_root=str(release), backup=str(backup))
    environment = {"VITALBENCH_KEY_FILE": str(key)}
    refuse = f"""case "$*" in *"{backup}:"*) echo 'FATAL: user bind control is off' >&2; exit 255;; esac; true"""
    tool("apptainer", refuse)
    found = {finding.what: finding for finding in images.binds(built, knobs, environment)}
    assert {name: finding.works for name, finding in found.items()} == {
        "data_root": True,
        "backup": False,
        "key file": True,
    }
    assert found["data_root"].told == f"{release} can be read, in cpu.sif too"
    assert found["backup"].told == f"{backup} can be written, not in cpu.sif: FATAL: user bind control is off"
    assert found["backup"].next.startswith(f"apptainer exec --bind {backup}:{backup}:rw ")
    assert not list(backup.iterdir())  # what was written to try it has gone


def test_a_place_that_is_not_there_is_told_whether_or_not_there_is_an_image(tmp_path):
    (tmp_path / "file").touch()
    knobs = Knobs(data_root=str(tmp_path / "none"), backup=str(tmp_path / "file"))
    found = images.binds(tmp_path, knobs, {"VITALBENCH_KEY_FILE": str(tmp_path / "no-key")})
    assert [finding.works for finding in found] == [False] * 3
    assert found[0].line().endswith(f"none is nothing that can be read; next: ls -ld {tmp_path}/none")
    assert found[1].told == f"{tmp_path}/file is no folder"
    (told,) = images.binds(tmp_path, Knobs(data_root=str(tmp_path)), {})
    assert (told.works, told.told) == (True, f"{tmp_path} can be read; no image starts here to try it in")


def test_what_results_lead_to_is_tried_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/data").mkdir(parents=True)
    (tmp_path / "disk").mkdir()
    Path("results/data/ptbxl-challenge").symlink_to(tmp_path / "disk")
    Path("results/quick").symlink_to(tmp_path / "gone")
    gone, there = images.binds(tmp_path, Knobs(), {})
    assert (
        gone.line()
        == f"results/quick no   {tmp_path}/gone is nothing that can be written; next: ls -ld {tmp_path}/gone"
    )
    assert there.line().startswith(f"results/data/ptbxl-challenge yes  {tmp_path}/disk can be written; no image starts")


def test_a_place_of_another_kind_is_none_whatever_a_shell_makes_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two\nlines").touch()
    found = images.binds(tmp_path, Knobs(data_root="-"), {"VITALBENCH_KEY_FILE": str(tmp_path)})
    assert [(finding.works, finding.told) for finding in found] == [
        (False, f"{tmp_path}/- is nothing that can be read"),
        (False, f"{tmp_path} is no file"),
    ]
    (tmp_path / "-").touch()
    (found,) = images.binds(tmp_path, Knobs(data_root="-"), {})
    assert (found.works, found.told) == (False, f"{tmp_path}/- is no folder")
    (found,) = images.binds(tmp_path, Knobs(data_root=str(tmp_path / "two\nlines")), {})
    assert found.line().count("\n") == 0
    assert r"two\nlines is no folder" in found.line()


def test_a_path_that_apptainer_cannot_be_told_of_is_named(tmp_path):
    (tmp_path / "a:b").mkdir()
    (found,) = images.binds(tmp_path, Knobs(data_root=str(tmp_path / "a:b")), {})
    assert not found.works
    assert "binds no path with a colon or a comma" in found.told


def test_a_header_is_held_against_the_files_length(tmp_path):
    path = write_sif(tmp_path / "a.sif")
    assert fault(path) is None
    path.write_bytes(path.read_bytes() + b"more")  # signatures may follow
    assert fault(path) is None


def test_what_is_no_image_is_not_shown(tool, tmp_path, capsys):
    with pytest.raises(InputError, match=r"Makefile: no image of Apptainer's \(SIF\)"):
        cli.run(["image", "show", str(ROOT / "Makefile")])
    with pytest.raises(InputError, match="this is a folder, no image"):
        cli.run(["image", "show", str(tmp_path)])
    path = write_sif(tmp_path / "a.sif")
    tool("apptainer", "exit 1")
    with pytest.raises(InputError, match="reads no labels of it"):
        cli.run(["image", "show", str(path)])
    tool("apptainer", inspected(HELD | {LOCK_LABEL: "abc"}))
    cli.run(["image", "show", str(path)])
    told = capsys.readouterr().out
    assert "holds the packages of envs/lock.txt abc" in told
    assert re.search(r"^torch\.txt +not labelled$", told, re.M)
    assert "cloud.txt" not in told  # which is no part of this one
    path = write_sif(tmp_path / "cloud.sif")
    cli.run(["image", "show", str(path)])
    assert re.search(r"^cloud\.txt +not labelled$", capsys.readouterr().out, re.M)
