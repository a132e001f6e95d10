"""A build through the workflow: killed at any moment it goes on where it was, and an addition touches what it must."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.test_store import copy_release
from tests.workflow.conftest import BIN, copy_project, snakemake
from vitalbench.data.index import part_of

pytestmark = pytest.mark.slow

PARTS = 6
OUTPUTS = ("store.h5", "records.parquet", "quality.csv", "manifest.json", "croissant.json")
SUITE = """
description: a build of its own
source: records
size: small
grids:
  - {datasets: [ptbxl], tasks: [superdiagnostic], designs: [prevalence]}
"""


@pytest.fixture
def folder(small_store, tmp_path) -> Path:
    copy_release(small_store, tmp_path)
    (tmp_path / "project").mkdir()
    root = copy_project(tmp_path / "project")
    dataset = root / "configs/datasets/ptbxl.yaml"
    dataset.write_text(dataset.read_text().replace("parts: 4", f"parts: {PARTS}"))
    (root / "configs/suites/build.yaml").write_text(SUITE)
    return root


def arguments(folder: Path, *more: str) -> list[str]:
    return [*more, "--cores", "2", "data", "--config", "suite=build", f"data_root={folder.parent}"]


def parts(folder: Path) -> dict[str, bytes]:
    made = folder / "results/data/ptbxl/local/parts"
    return {path.name: path.read_bytes() for path in sorted(made.iterdir()) if not path.name.startswith(".")}


def outputs(folder: Path) -> dict[str, bytes]:
    made = folder / "results/data/ptbxl/local"
    return {name: (made / name).read_bytes() for name in OUTPUTS}


def test_a_killed_build_goes_on_at_its_last_part_and_ends_with_the_same_bytes(folder):
    killed = subprocess.Popen(
        [str(BIN / "snakemake"), *arguments(folder)],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert killed.stdout
    stored = 0
    for line in killed.stdout:
        stored += "records stored" in line
        if stored == 2:
            break
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    done = {path.name: path.stat().st_ino for path in (folder / "results/data/ptbxl/local/parts").glob("*.json")}
    assert 2 <= len(done) < PARTS
    assert not (folder / "results/data/ptbxl/local/store.h5").exists()
    assert snakemake(folder, *arguments(folder, "--unlock")).returncode == 0
    again = snakemake(folder, *arguments(folder))
    assert again.returncode == 0, again.stdout[-3000:]
    after = {path.name: path.stat().st_ino for path in (folder / "results/data/ptbxl/local/parts").glob("*.json")}
    assert {name for name in done if after[name] == done[name]} == set(done)
    resumed = parts(folder) | outputs(folder)
    shutil.rmtree(folder / "results")
    assert snakemake(folder, *arguments(folder)).returncode == 0
    assert parts(folder) | outputs(folder) == resumed


def test_an_added_patient_touches_one_part(folder):
    assert snakemake(folder, *arguments(folder)).returncode == 0
    before = parts(folder)
    table = folder.parent / "ptbxl/ptbxl_database.csv"
    records = pd.read_csv(table, dtype=str)
    pd.concat([records, records.iloc[[0]].assign(ecg_id="99999", patient_id="777777")]).to_csv(table, index=False)
    found = snakemake(folder, *arguments(folder))
    assert found.returncode == 0, found.stdout[-3000:]
    assert found.stdout.count("unchanged, kept") == PARTS - 1
    after = parts(folder)
    touched = f"part-{part_of('ptbxl/777777', PARTS):04d}"
    assert {name.split(".")[0] for name in after if after[name] != before[name]} == {touched}
    assert "Nothing to be done" in snakemake(folder, *arguments(folder, "-n")).stdout
