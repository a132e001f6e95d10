"""A suite whose designs start from pre-training, run whole: the run they start from comes first, is told, and is not ranked."""

import csv

import pytest
import yaml

from tests.workflow.conftest import copy_project, jobs, snakemake
from vitalbench.files import read_json

pytestmark = pytest.mark.slow

SUITE = {
    "description": "A probe of a pre-trained encoder",
    "source": "generated",
    "size": "small",
    "bootstrap": 100,
    "grids": [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["s4-12x128", "s4-12x128-random"]}],
    "protocol": {"warmup": 1, "repeats": 2, "seconds": 0.01, "inference_batches": [1]},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("pretrained"))
    for name in ("s4-12x128", "s4-12x128-random", "s4-12x128-masked"):
        path = folder / f"configs/designs/{name}.yaml"
        design = yaml.safe_load(path.read_text())
        design["small"] = {
            "model": {"options": {"width": 8, "depth": 1, "state": 8, "hidden": 8}},
            "train": {"epochs": 1, "learning_rate": 0.01},
        }
        path.write_text(yaml.safe_dump(design))
    (folder / "configs/suites/probe.yaml").write_text(yaml.safe_dump(SUITE))
    dataset = folder / "configs/datasets/ptbxl.yaml"
    described = yaml.safe_load(dataset.read_text())
    described["parts"], described["standin"]["patients"] = 1, 250
    dataset.write_text(yaml.safe_dump(described))
    target = folder / "configs/targets/cpu.yaml"
    target.write_text(target.read_text().replace("threads: 2", "threads: 1"))
    found = snakemake(folder, "--cores", "2", "--config", "suite=probe")
    assert found.returncode == 0, found.stdout[-4000:]
    return folder


def rows(project, table: str) -> list[dict[str, str]]:
    with (project / f"results/probe/tables/{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run_of(project, design: str):
    return project / f"results/probe/runs/ptbxl/superdiagnostic/{design}/cpu/seed0-fold0"


def test_the_run_that_is_started_from_is_a_cell_and_its_id_is_carried(project):
    cells = {row["design"]: row for row in rows(project, "matrix")}
    assert {name: row["status"] for name, row in cells.items()} == {
        "s4-12x128-masked": "measured",
        "s4-12x128": "measured",
        "s4-12x128-random": "measured",
    }
    provenance = read_json(run_of(project, "s4-12x128") / "provenance.json")
    assert provenance["data"]["pretrained"] == cells["s4-12x128-masked"]["run_id"]
    assert "pretrained" not in read_json(run_of(project, "s4-12x128-random") / "provenance.json")["data"]
    audited = {(row["check"], row["split"]): row["verdict"] for row in rows(project, "leakage")}
    for check in ("patient-overlap", "record-overlap", "identical-samples"):
        assert audited[check, "pretrain-val"] == audited[check, "pretrain-test"] == "clean"


def test_pretraining_is_timed_and_costed_and_not_ranked(project):
    phases = {(row["design"], row["phase"]) for row in rows(project, "timing")}
    assert {("s4-12x128-masked", "epoch"), ("s4-12x128-masked", "train_step"), ("s4-12x128", "features")} <= phases
    assert ("s4-12x128-masked", "train") in {(row["design"], row["phase"]) for row in rows(project, "cost")}
    assert {row["design"] for row in rows(project, "metrics")} == {"s4-12x128", "s4-12x128-random"}
    compared = {(row["design_a"], row["design_b"]) for row in rows(project, "comparison")}
    assert compared == {("s4-12x128", "s4-12x128-random")}
    assert (project / "results/probe/report.html").is_file()


def test_nothing_is_run_again_and_another_pretraining_runs_what_starts_from_it(project):
    assert jobs(snakemake(project, "-n", "--config", "suite=probe").stdout) == {}
    path = project / "configs/designs/s4-12x128-masked.yaml"
    path.write_text(path.read_text().replace("share: 0.5", "share: 0.4"))
    found = snakemake(project, "-n", "--config", "suite=probe").stdout
    assert jobs(found)["train_cell"] == 2
    path.write_text(path.read_text().replace("share: 0.4", "share: 0.5"))
