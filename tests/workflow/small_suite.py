"""A suite on the small store with everything that its cells' training stands on, in a folder of its own, made without Snakemake."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from tests.workflow.forked import Forked
from vitalbench import cli
from vitalbench.config.dataset import Dataset
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.files import file_digest, read_json, write_json
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit, read_table, receipt

TASK = "superdiagnostic"


def make_suite(
    folder: Path, store: Path, dataset: Dataset, designs: dict[str, dict[str, Any]], targets: dict[str, dict[str, Any]]
) -> Path:
    """Write a project with the suite `small` of these designs on these targets; returns results/small, ready to train."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    configs = folder / "configs"
    about = yaml.safe_load((configs / "datasets/ptbxl.yaml").read_text())
    assert dataset.standin
    about |= {"parts": dataset.parts, "standin": about["standin"] | {"patients": dataset.standin.patients}}
    (configs / "datasets/ptbxl.yaml").write_text(yaml.safe_dump(about))
    for kind, files in (("designs", designs), ("targets", targets)):
        for name, content in files.items():
            (configs / kind / f"{name}.yaml").write_text(yaml.safe_dump(content))
    grid = {"datasets": ["ptbxl"], "tasks": [TASK], "designs": list(designs)}
    suite = {"description": "small", "source": "generated", "size": "full", "grids": [grid], "targets": list(targets)}
    (configs / "suites/small.yaml").write_text(yaml.safe_dump(suite))
    opened = ConfigFolder(configs)
    write_slices(make_plan(opened, opened.knobs({"suite": "small"})), opened, folder / "results")
    data = folder / "results/data/ptbxl/generated"
    for file in ("store.h5", "records.parquet", "manifest.json"):
        shutil.copy(store.with_name(file), data / file)
    shutil.copytree(store.parent / "parts", data / "parts")
    split = folder / f"results/small/splits/ptbxl/{TASK}/fold0.csv"
    receipt_file = split.with_name("audit-fold0.json")
    split.parent.mkdir(parents=True)
    assign(pd.read_parquet(data / "records.parquet"), opened.task(TASK), 0).to_csv(split, index=False)
    checks, _ = audit(read_table(split))
    content = read_json(data / "manifest.json")["content"]
    write_json(receipt_file, receipt(checks, file_digest(split), content))
    return folder / "results/small"


def run_of(results: Path, design: str, target: str) -> Path:
    """The folder of a cell's run."""
    return results / f"runs/ptbxl/{TASK}/{design}/{target}/seed0-fold0"


def training(results: Path, design: str, target: str) -> list[str]:
    """The command that a cell's rule calls."""
    cell = f"ptbxl/{TASK}/{design}/{target}/seed0-fold0"
    return [sys.executable, "-m", "vitalbench.cli", "train", "--results", str(results), "--cell", cell]


def train(results: Path, design: str, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Train a cell by the command its rule calls."""
    return subprocess.run(
        training(results, design, target),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def train_forked(results: Path, design: str, target: str, popen: Any = Forked, **environment: str) -> int:
    """Train a cell by the same code, started from here: what its target launches is forked.

    Args:
        popen: what the launcher starts its processes with.
    """
    arguments = training(results, design, target)[3:]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("vitalbench.train.launch.Popen", popen)
        patched.setattr("sys.argv", ["vitalbench", *arguments])
        for name, value in environment.items():
            patched.setenv(name, value)
        return cli.run(arguments)
