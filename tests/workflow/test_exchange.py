"""What a built data set gives others: its description is made by the workflow, and made again alone when what it says changes."""

import pytest

from tests.workflow.conftest import copy_project, jobs, snakemake
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
