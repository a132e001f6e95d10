"""An image that is built again by the workflow: the old one stays until the new one is whole."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import copy_project, snakemake
from vitalbench import layout

pytestmark = pytest.mark.slow

# An Apptainer that writes what the variable says, or fails where it says nothing.
WRITES = """case "$1" in
build) while [ $# -gt 2 ]; do shift; done; [ -n "$HOLDS" ] && echo "$HOLDS" >"$1";;
test) true;;
exec) echo "started $*" >&2; false;;
*) echo "apptainer version 1.4.5";;
esac"""


@pytest.fixture
def folder(tmp_path, tool) -> Path:
    """A project with what images are built from, and its base built."""
    project = copy_project(tmp_path / "project")
    for name in ("containers", "envs"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("*.sif", "*.json", ".*"))
    shutil.copy(ROOT / "pyproject.toml", project)
    for name in (layout.BASE_IMAGE, layout.BASE_IMAGE_RECEIPT):
        (project / name).write_text("{}")
    tool("apptainer", WRITES)
    return project


def test_a_build_that_fails_leaves_image_and_receipt_and_is_tried_again(folder, monkeypatch):
    image, receipt = folder / layout.CPU_IMAGE, folder / layout.CPU_IMAGE_RECEIPT

    def build(holds: str) -> int:
        monkeypatch.setenv("HOLDS", holds)
        return snakemake(folder, "--cores", "1", "containers").returncode

    assert build("first") == 0
    assert image.read_text() == "first\n"
    before = receipt.read_text()
    changed = folder / "containers/cpu.def"
    changed.write_text(changed.read_text() + "# changed\n")
    os.utime(changed)
    assert build("") == 1
    assert (image.read_text(), receipt.read_text()) == ("first\n", before)
    assert build("second") == 0
    assert image.read_text() == "second\n"
    assert receipt.read_text() != before
    done = snakemake(folder, "--cores", "1", "containers")
    assert "Nothing to be done" in done.stdout


def test_images_are_built_on_the_bare_machine_and_only_what_runs_in_them_asks_for_them(folder, monkeypatch):
    """With --sdm too: nothing within an image builds one."""
    monkeypatch.setenv("HOLDS", "built")
    refused = snakemake(folder, "--cores", "1", "--sdm", "apptainer", "--", "split")
    assert refused.returncode == 2, refused.stdout
    assert "error: containers/cpu.sif: no such image, and the jobs are to run in it; next: snakemake" in refused.stdout
    for target, name in (("containers", "cpu"), ("cuda_image", "cuda"), ("cloud_image", "cloud")):
        found = snakemake(folder, "--cores", "1", "--sdm", "apptainer", "--", target)
        assert found.returncode == 0, found.stdout
        assert "started" not in found.stdout
        assert (folder / f"containers/{name}.sif").read_text() == "built\n"
