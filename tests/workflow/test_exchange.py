"""What a built data set gives others: its description is made by the workflow, and made again alone when what it says changes."""

import json
import shutil
import subprocess

import pytest

from tests.workflow.conftest import BIN, copy_project, jobs, snakemake
from vitalbench.files import read_json

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The data stage of the default suite on a few patients."""
    folder = copy_project(tmp_path_factory.mktemp("exchange"))
    path = folder / "configs/datasets/ptbxl.yaml"
    path.write_text(path.read_text().replace("patients: 2600", "patients: 60"))
    found = snakemake(folder, "--cores", "2", "data")
    assert found.returncode == 0, found.stdout[-3000:]
    return folder


def test_a_changed_citation_describes_again_and_builds_nothing(built):
    assert "Nothing to be done" in snakemake(built, "-n", "data").stdout
    path = built / "configs/datasets/ptbxl.yaml"
    before = path.read_text()
    path.write_text(before.replace("Sci Data 7, 154 (2020)", "Scientific Data 7:154, 2020"))
    try:
        assert jobs(snakemake(built, "-n", "data").stdout) == {"data": 1, "describe": 1}
        assert snakemake(built, "--cores", "2", "data").returncode == 0
        assert "7:154" in read_json(built / "results/data/ptbxl/generated/croissant.json")["citeAs"]
    finally:
        path.write_text(before)


@pytest.fixture(scope="module")
def suite(built):
    """Two designs that need no training, to the last gate."""
    text = (built / "configs/suites/quick.yaml").read_text().split("grids:")[0] + "bootstrap: 100\n"
    grid = "grids: [{datasets: [ptbxl], tasks: [superdiagnostic], designs: [prevalence, ideal-observer]}]\n"
    (built / "configs/suites/controls.yaml").write_text(text + grid)
    found = snakemake(built, "--cores", "2", "--config", "suite=controls")
    assert found.returncode == 0, found.stdout[-3000:]
    return built / "results/controls"


def test_accesses_to_local_records_are_logged_and_run_nothing_again(built, tmp_path):
    root = tmp_path / "ptbxl"
    shutil.copytree(built / "results/data/ptbxl/generated/release", root)
    for name in ("STAND-IN.txt", "standin_truth.csv"):
        (root / name).unlink()
    for header in root.rglob("*.hea"):
        header.write_text("".join(line for line in header.read_text().splitlines(True) if not line.startswith("#")))
    text = (built / "configs/suites/quick.yaml").read_text().replace("source: generated", "source: records")
    (built / "configs/suites/local.yaml").write_text(text)
    config = ["--config", "suite=local", f"data_root={tmp_path}"]
    found = snakemake(built, "--cores", "2", "data", *config)
    assert found.returncode == 0, found.stdout[-3000:]
    log = built / "results/data/ptbxl/local/access.log"
    assert {json.loads(line)["command"] for line in log.read_text().splitlines()} == {
        "vitalbench acquire",
        "vitalbench standardise",
        "vitalbench store",
    }
    checked = verify(built, "--data", "results/data/ptbxl/local", "--records")
    assert (checked.returncode, checked.stdout.count("holds")) == (0, 2), checked.stdout
    assert "Nothing to be done" in snakemake(built, "-n", "data", *config).stdout


def verify(folder, *arguments: str) -> subprocess.CompletedProcess:
    command = [str(BIN / "vitalbench"), "verify", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_suite_is_verified_with_the_store_it_stands_on(built, suite):
    found = verify(built, "--results", "results/controls")
    assert found.returncode == 0, found.stdout
    assert [line.split(":")[0] for line in found.stdout.splitlines()] == [
        "results/data/ptbxl/generated",
        "results/controls",
    ]


def test_a_changed_byte_anywhere_in_a_suite_is_named(built, suite):
    run = suite / "runs/ptbxl/superdiagnostic/prevalence/cpu/seed0-fold0"
    for path in [
        run / "predictions.parquet",
        run / "config.json",
        run / "metrics.json",
        run / "history.csv",
        suite / "splits/ptbxl/superdiagnostic/fold0.csv",
        suite / "splits/ptbxl/superdiagnostic/audit-fold0.json",
        suite / "tables/metrics.csv",
        suite / "report.html",
        built / "results/data/ptbxl/generated/manifest.json",
    ]:
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        try:
            found = verify(built, "--results", "results/controls")
        finally:
            path.write_bytes(before)
        assert found.returncode == 1, path
        assert any(str(path.relative_to(built)) in line and "here" in line for line in found.stdout.splitlines()), path
    status = run / "status.json"
    kept = status.read_bytes()
    status.unlink()
    try:
        assert f"{status.relative_to(built)}: missing" in verify(built, "--results", "results/controls").stdout
    finally:
        status.write_bytes(kept)
