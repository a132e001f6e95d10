"""The worked examples of docs/ADDING.md, run exactly as they stand there."""

import os
import re
import shutil
import subprocess

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import BIN, copy_project

pytestmark = pytest.mark.slow

FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)


def section(title: str) -> list[tuple[str, str, str]]:
    """The fenced blocks of one section: language, file, content."""
    text = (ROOT / "docs/ADDING.md").read_text()
    body = text.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    return FENCE.findall(body)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the project with its source, so that an example may add a module."""
    root = copy_project(tmp_path_factory.mktemp("examples"))
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return root


def follow(folder, title: str) -> None:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder / "src")}
    for language, file, content in section(title):
        if file:
            assert not (folder / file).exists(), f"{file} is said to be new"
            (folder / file).write_text(content)
        elif language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", content],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-3000:]


def test_a_design_is_one_yaml_file(folder):
    follow(folder, "A design: one YAML file")
    matrix = pd.read_csv(folder / "results/depth/tables/matrix.csv")
    assert dict(zip(matrix["design"], matrix["status"], strict=True)) == {
        "xresnet1d-shallow": "measured",
        "prevalence": "measured",
    }
    assert (folder / "results/depth/report.html").is_file()


def test_a_data_set_is_one_yaml_file_and_one_module(folder):
    follow(folder, "A data set: one YAML file and one module")
    matrix = pd.read_csv(folder / "results/pulses/tables/matrix.csv")
    assert set(matrix["status"]) == {"measured"}
    summary = pd.read_csv(folder / "results/pulses/tables/summary.csv").query(
        "split == 'test' and metric == 'auroc' and label == 'macro'"
    )
    assert {"all", "hand=left", "hand=right"} <= set(summary["subgroup"])
