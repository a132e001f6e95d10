"""The audit as a gate of the workflow: where it refuses, the training job does not train; where it does not, it does."""

import shutil

import pandas as pd
import pytest
import yaml

from tests import leaky
from tests.workflow.conftest import add_one_epoch, copy_project, snakemake
from vitalbench.files import read_json
from vitalbench.report.tables import leakage_rows
from vitalbench.results import Results

pytestmark = pytest.mark.slow

SUITE = {
    "source": "records",
    "size": "small",
    "bootstrap": 100,
    "grids": [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["one-epoch"]}],
    "protocol": {"warmup": 1, "repeats": 3, "seconds": 0.1},
}
RUN = "runs/ptbxl/superdiagnostic/one-epoch/cpu/seed0-fold0"


@pytest.fixture(scope="module")
def release(small_dataset, tmp_path_factory):
    """A release of 150 patients without a leak."""
    folder = tmp_path_factory.mktemp("release") / "ptbxl"
    leaky.write_clean(folder, small_dataset)
    return folder


@pytest.fixture
def gate(release, tmp_path):
    """Run the stages up to training on the release, with a leak planted in it; returns the suite's results."""

    def run(check: str | None):
        folder = copy_project(tmp_path)
        root = shutil.copytree(release, tmp_path / "data" / "ptbxl")
        if check:
            leaky.RELEASES[check](root)
        add_one_epoch(folder)
        (folder / "configs/suites/gate.yaml").write_text(yaml.safe_dump({"description": "A gate", **SUITE}))
        dataset = folder / "configs/datasets/ptbxl.yaml"
        listed = f"fitted_on: {leaky.FITTED}\n" if check == "statistics-outside-train" else ""
        dataset.write_text(dataset.read_text().replace("parts: 4\n", "parts: 1\n") + listed)
        found = snakemake(folder, "--cores", "2", "train", "--config", "suite=gate", f"data_root={tmp_path / 'data'}")
        assert found.returncode == 0, found.stdout[-3000:]
        return folder / "results/gate"

    return run


def leakage_of(results) -> pd.DataFrame:
    """The rows that the suite's leakage table would have."""
    return pd.DataFrame(leakage_rows(Results(results)))


@pytest.mark.parametrize("check", sorted(leaky.RELEASES))
def test_a_leak_is_refused_by_its_name_and_nothing_is_trained(gate, check):
    results = gate(check)
    status = read_json(results / RUN / "status.json")
    assert status["status"] == "not-allowed"
    assert status["reason"].startswith(f"the split leaks: {check} ")
    assert not (results / RUN / "model.safetensors").exists()
    assert not (results / RUN / "predictions.parquet").exists()
    leakage = leakage_of(results)
    assert set(leakage.query("verdict == 'leak'")["check"]) == {check}


def test_without_a_leak_it_trains_and_its_statistics_are_held_against_the_split(gate):
    results = gate(None)
    assert read_json(results / RUN / "status.json")["status"] == "measured"
    assert (results / RUN / "model.safetensors").exists()
    leakage = leakage_of(results).set_index("check")
    assert leakage.loc["statistics-fit", "verdict"] == "clean"
    assert {"patient-overlap", "identical-samples", "near-duplicate"} <= set(leakage.index)
    assert set(leakage.loc[leakage["verdict"] == "noted"].index) == {"shared-device"}
    split = pd.read_csv(results / "splits/ptbxl/superdiagnostic/fold0.csv")
    fitted = read_json(results / RUN / "provenance.json")["statistics"]
    assert fitted["records"] == (split["split"] == "train").sum()
