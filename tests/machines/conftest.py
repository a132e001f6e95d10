"""Real machinery: installed where it is not there, or a line says why a test of it is skipped."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import snakemake
from tests.workflow.test_killed import mortal_project
from vitalbench import layout

CANNOT = 3  # what a script of this folder ends with on a machine that it cannot set up
EPOCHS = 40


def set_up(script: str, *arguments: str) -> None:
    """Run a script of this folder; skip where it says that it cannot."""
    line = ["sh", str(ROOT / "tests/machines" / script), *arguments]
    found = subprocess.run(line, capture_output=True, text=True, check=False)
    if found.returncode == CANNOT:
        pytest.skip(found.stderr.strip())
    assert found.returncode == 0, found.stderr[-2000:]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SLURM of one node."""
    folder = tmp_path_factory.mktemp("slurm")
    try:
        set_up("slurm.sh", "start", str(folder))
        yield folder
    finally:
        set_up("slurm.sh", "stop", str(folder))


@pytest.fixture(scope="session")
def apptainer() -> None:
    """Apptainer."""
    set_up("apptainer.sh")


@pytest.fixture(scope="session")
def image(apptainer: None) -> Path:
    """The project's CPU image, holding the source that is here."""
    found = snakemake(ROOT, "--cores", "2", "containers")
    assert found.returncode == 0, found.stdout[-3000:]
    return ROOT / layout.CPU_IMAGE


@pytest.fixture(scope="session")
def split_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a small design, up to its audited split: what every training below starts from. To be copied."""
    folder = mortal_project(tmp_path_factory.mktemp("split"), EPOCHS)
    found = snakemake(folder, "--cores", "2", "split", "--config", "suite=mortal")
    assert found.returncode == 0, found.stdout[-3000:]
    return folder


@pytest.fixture(scope="session")
def bare(split_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project run on the bare machine, to its page."""
    project = Path(shutil.copytree(split_project, tmp_path_factory.mktemp("bare") / "project"))
    found = snakemake(project, "--cores", "2", "--config", "suite=mortal")
    assert found.returncode == 0, found.stdout[-3000:]
    return project


def same_tables(one: Path, other: Path) -> None:
    """Hold the tables without times against one another."""
    for table in ("matrix", "metrics", "summary", "leakage", "quality"):
        name = f"results/mortal/tables/{table}.csv"
        assert (one / name).read_bytes() == (other / name).read_bytes(), table
