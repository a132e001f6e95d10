"""The configuration as Snakemake hands it over: one line and exit code 2 before any DAG, the same knobs as `vitalbench matrix`."""

import pytest

from tests.workflow.conftest import copy_project, jobs, snakemake

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return copy_project(tmp_path / "project")


def test_lists_on_the_command_line_are_lists_of_numbers(folder):
    found = snakemake(folder, "-n", "--config", "seeds=[0,1,2]")
    assert found.returncode == 0, found.stdout
    assert jobs(found.stdout)["train_cell"] == 3 * 3 + 2


@pytest.mark.parametrize(
    ("text", "line"), [("suite: [quick\n", 2), ("suite: quick\n\tseeds: 1\n", 2), ("- suite\n", None)]
)
def test_a_broken_config_yaml_ends_with_one_line_and_exit_2(folder, text, line):
    (folder / "configs/config.yaml").write_text(text)
    found = snakemake(folder, "-n")
    assert found.returncode == 2
    told = [row for row in found.stdout.splitlines() if row.startswith("error: ")]
    assert len(told) == 1
    assert "configs/config.yaml: " + (f"line {line}: " if line else "the file must be") in told[0]
    assert "Traceback" not in found.stdout
    assert "WorkflowError" not in found.stdout


def test_an_empty_config_yaml_runs_the_default_suite(folder):
    (folder / "configs/config.yaml").write_text("")
    found = snakemake(folder, "-n")
    assert found.returncode == 0, found.stdout
    assert jobs(found.stdout)["train_cell"] == 7


def test_another_configfile_stands_above_config_yaml_and_below_the_command_line(folder):
    (folder / "configs/config.yaml").write_text("seeds: [0]\n")
    (folder / "other.yaml").write_text("seeds: [0, 1, 2]\n")
    assert jobs(snakemake(folder, "-n").stdout)["train_cell"] == 3 * 1 + 2
    above = snakemake(folder, "-n", "--configfile", "other.yaml")
    assert jobs(above.stdout)["train_cell"] == 3 * 3 + 2, above.stdout
    assert (
        jobs(snakemake(folder, "-n", "--configfile", "other.yaml", "--config", "seeds=[0,1]").stdout)["train_cell"]
        == 3 * 2 + 2
    )
