"""Gates before the audit, through the workflow: too many records lost, or samples that changed in place, and nothing is trained."""

from pathlib import Path

import pytest

from tests.unit.test_parts import add_damage
from tests.workflow.conftest import add_one_epoch, snakemake
from tests.workflow.test_build import OUTPUTS, arguments, folder, outputs  # noqa: F401 - a fixture
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.files import read_json

pytestmark = pytest.mark.slow
RUN = "results/build/runs/ptbxl/superdiagnostic/one-epoch/cpu/seed0-fold0"
DATA = "results/data/ptbxl/local"


@pytest.fixture
def project(folder) -> Path:  # noqa: F811
    add_one_epoch(folder)
    suite = folder / "configs/suites/build.yaml"
    suite.write_text(suite.read_text().replace("designs: [prevalence]", "designs: [one-epoch]"))
    return folder


def training(project: Path, *more: str) -> list[str]:
    return ["train" if word == "data" else word for word in arguments(project, *more)]


def status(project: Path) -> str:
    return read_json(project / RUN / "status.json")["status"]


def test_a_refused_build_trains_nothing_and_leaves_the_store_before_it(project):
    made = project / DATA
    assert snakemake(project, *arguments(project)).returncode == 0
    before, receipt = outputs(project), (made / "receipt.json").read_bytes()
    whole = {path: path.read_bytes() for path in (project.parent / "ptbxl").rglob("*.dat")}
    add_damage(project.parent / "ptbxl", slice(0, 60))
    found = snakemake(project, *training(project, "-R", "acquire"))
    assert found.returncode == 1
    assert "60 of 179 records quarantined (33.5%), quality.max_quarantined allows 5.0%: 60 short-file" in found.stdout
    assert "Traceback" not in found.stdout
    assert outputs(project) == before
    assert (made / "receipt.json").read_bytes() == receipt
    assert (made / "quality.refused.csv").read_text().count("short-file") == 60
    assert not (project / RUN).exists()
    again = snakemake(project, *training(project))  # with the damage still there, and nothing forced
    assert again.returncode == 1
    assert "60 of 179 records quarantined" in again.stdout
    assert outputs(project) == before
    assert not (project / RUN).exists()
    for path, content in whole.items():
        path.write_bytes(content)
    found = snakemake(project, *training(project, "-R", "acquire"))
    assert found.returncode == 0, found.stdout[-3000:]
    assert (made / "store.h5").read_bytes() == before["store.h5"]
    assert not (made / "quality.refused.csv").exists()
    assert status(project) == "measured"


def test_a_part_that_fails_is_asked_for_again_and_nothing_is_trained_meanwhile(project):
    assert snakemake(project, *arguments(project)).returncode == 0
    before = outputs(project)
    header = next((project.parent / "ptbxl").rglob("*.hea"))
    whole = header.read_text()
    header.write_text(f"{whole}# {WATERMARK}\n")
    for forced in (["-R", "acquire"], [], []):
        found = snakemake(project, *training(project, *forced))
        assert found.returncode == 1
        assert "a generated record in a folder given as" in found.stdout
        assert outputs(project) == before
        assert not (project / RUN).exists()
    header.write_text(whole)
    found = snakemake(project, *training(project))
    assert found.returncode == 0, found.stdout[-3000:]
    assert status(project) == "measured"
    found = snakemake(project, *training(project))
    assert "Nothing to be done" in found.stdout
    (project / DATA / "parts/part-0001.h5").unlink()
    found = snakemake(project, *training(project))
    assert found.returncode == 0, found.stdout[-3000:]
    assert outputs(project) == before


def test_samples_that_changed_in_place_are_not_trained_on(project):
    assert snakemake(project, *arguments(project)).returncode == 0
    part = project / DATA / "parts/part-0001.h5"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    found = snakemake(project, *training(project))
    assert found.returncode == 1
    assert "part-0001.h5: damaged (SHA-256 " in found.stdout
    assert not (project / RUN).exists()
    part.unlink()  # and this, as the line says
    (project / DATA / "store.h5").unlink()
    found = snakemake(project, *training(project))
    assert found.returncode == 0, found.stdout[-3000:]
    assert status(project) == "measured"
