"""One real run of the default suite, in a folder of its own, that every test of this package looks at."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pytest
import yaml

from tests.conftest import ROOT

BIN = Path(sys.executable).parent


def snakemake(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run snakemake as a user would, with the environment's own commands first on the path."""
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(BIN / "snakemake"), *arguments],
        cwd=folder,
        env={**os.environ, **path, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def jobs(output: str) -> dict[str, int]:
    """The job counts of a run or a dry run; empty where there was nothing to do."""
    lines = output.splitlines()
    if "Job stats:" not in lines:
        return {}
    found = {}
    for line in lines[lines.index("Job stats:") + 3 :]:
        parts = line.split()
        if len(parts) != 2:
            break
        found[parts[0]] = int(parts[1])
    return {name: count for name, count in found.items() if name not in ("total", "all")}


def copy_project(folder: Path) -> Path:
    for name in ("rules", "configs", "profiles"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


def add_one_epoch(folder: Path) -> None:
    """A design `one-epoch` that really trains, shortly."""
    design = yaml.safe_load((folder / "configs/designs/xresnet1d101.yaml").read_text())
    design["small"]["train"]["epochs"] = 1
    (folder / "configs/designs/one-epoch.yaml").write_text(yaml.safe_dump(design))


@dataclass(frozen=True)
class Quick:
    folder: Path
    output: str
    seconds: float

    @property
    def results(self) -> Path:
        return self.folder / "results" / "quick"


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    folder = copy_project(tmp_path_factory.mktemp("quick"))
    start = perf_counter()
    found = snakemake(folder, "--cores", "2")
    seconds = perf_counter() - start
    assert found.returncode == 0, found.stdout[-4000:]
    return Quick(folder, found.stdout, seconds)
