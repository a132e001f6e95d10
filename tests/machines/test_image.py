"""The image for real: built where it is not up to date, one suite run in it, the same bytes as on the bare machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.machines.conftest import same_tables
from tests.workflow.conftest import snakemake
from tests.workflow.test_killed import left_by, run_folder
from vitalbench import layout
from vitalbench.containers.facts import installed
from vitalbench.files import file_digest, read_json
from vitalbench.image import PINS, TITLE_LABEL, TITLES, otherwise, source_digest

pytestmark = [
    pytest.mark.machines,
    pytest.mark.timeout(7200),
]  # an image from nothing, beside other work


def within(image: Path, command: str, *before: str) -> subprocess.CompletedProcess:
    line = [*before, "apptainer", "exec", str(image), "sh", "-c", command]
    return subprocess.run(line, cwd="/", capture_output=True, text=True, check=False)


def test_the_receipt_says_what_the_image_is(image):
    told = read_json(ROOT / layout.CPU_IMAGE_RECEIPT)
    assert told["sha256"] == file_digest(image)
    assert told["labels"]["org.vitalbench.source"] == source_digest()
    assert otherwise(told["labels"], ROOT, image.name) is None
    assert set(PINS) - set(told["labels"]) == {"org.vitalbench.pinned.cloud"}
    assert told["labels"]["org.vitalbench.torch"] == installed("torch")  # the bare machine's build of it
    assert told["labels"]["org.vitalbench.debian"] == "as listed"
    assert told["labels"][TITLE_LABEL] == TITLES[image.name]
    assert told["base"] == {"image": "base.sif", "sha256": file_digest(ROOT / layout.BASE_IMAGE)}


def test_nobody_can_start_it_and_nothing_writes_to_it(image, tmp_path):
    """As a user without any right, where the machine lets users have containers at all."""
    seen = tmp_path / "cpu.sif"
    os.link(image, seen)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/nonexistent"]
    told = within(seen, "id -un; touch /opt/vitalbench/mine || echo refused; vitalbench --version", *nobody)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[:2] == ["nobody", "refused"]
    assert "Read-only file system" in told.stderr


def test_a_suite_in_the_image_leaves_the_bytes_of_the_bare_machine(image, split_project, bare, tmp_path):
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    (project / "containers").mkdir()
    for name in (layout.CPU_IMAGE, layout.CPU_IMAGE_RECEIPT):
        os.link(ROOT / name, project / name)
    alone = "--apptainer-args=--net --network none"  # no network is there to be asked
    found = snakemake(project, "--cores", "2", "--sdm", "apptainer", alone, "--config", "suite=mortal")
    assert found.returncode == 0, found.stdout[-3000:]
    ran_in = read_json(run_folder(project) / "provenance.json")["image"]
    assert ran_in["sha256"] == read_json(ROOT / layout.CPU_IMAGE_RECEIPT)["sha256"]
    assert ran_in["source"] == source_digest()
    assert left_by(run_folder(project)) == left_by(run_folder(bare))
    same_tables(project, bare)
    assert read_json(run_folder(bare) / "provenance.json")["image"] is None
