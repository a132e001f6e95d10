"""The configuration as Snakemake hands it over: one line and exit code 2 before any DAG, the same knobs as `vitalbench matrix`."""

import os
import shutil
import subprocess
from importlib.util import find_spec

import pytest

from tests.conftest import ROOT
from tests.workflow.conftest import BIN, copy_project, jobs, snakemake

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return copy_project(tmp_path / "project")


def test_lists_on_the_command_line_are_lists_of_numbers(folder):
    found = snakemake(folder, "-n", "--config", "seeds=[0,1,2]")
    assert found.returncode == 0, found.stdout
    assert jobs(found.stdout)["train_cell"] == (3 * 3 + 2) + (3 + 1)


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
    assert jobs(found.stdout)["train_cell"] == 7 + 2


def test_another_configfile_stands_above_config_yaml_and_below_the_command_line(folder):
    (folder / "configs/config.yaml").write_text("seeds: [0]\n")
    (folder / "other.yaml").write_text("seeds: [0, 1, 2]\n")
    assert jobs(snakemake(folder, "-n").stdout)["train_cell"] == (3 * 1 + 2) + (1 + 1)
    above = snakemake(folder, "-n", "--configfile", "other.yaml")
    assert jobs(above.stdout)["train_cell"] == (3 * 3 + 2) + (3 + 1), above.stdout
    assert jobs(snakemake(folder, "-n", "--configfile", "other.yaml", "--config", "seeds=[0,1]").stdout)[
        "train_cell"
    ] == (3 * 2 + 2) + (2 + 1)


def test_what_ran_on_the_bare_machine_is_not_run_again_in_an_image(folder, tool):
    """But where it is asked for by the trigger that the default profile leaves out."""
    made = "results/data/ptbxl/generated/release.json"
    tool("apptainer", "echo apptainer version 1.4.5")
    assert snakemake(folder, "--cores", "1", made).returncode == 0
    again = snakemake(folder, "-n", "--sdm", "apptainer", "--cores", "1", made)
    assert "Nothing to be done" in again.stdout
    asked = ("--rerun-triggers", "mtime", "params", "input", "code", "software-env", "--", made)
    assert jobs(snakemake(folder, "-n", "--sdm", "apptainer", "--cores", "1", *asked).stdout) == {"acquire": 1}


def test_without_apptainer_images_are_refused_in_one_line(folder, tmp_path):
    (tmp_path / "bin").mkdir()
    if asked := shutil.which("which"):  # SLURM's plugin, where it is installed, asks it as it is loaded
        (tmp_path / "bin/which").symlink_to(asked)
    # By the full path, so that nothing of the machine's is in it.
    found = subprocess.run(
        [str(BIN / "snakemake"), "-n", "--sdm", "apptainer", "--cores", "1"],
        cwd=folder,
        env={**os.environ, "PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    (told,) = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: --sdm apptainer: neither apptainer nor singularity is in the path")
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(find_spec("snakemake_storage_plugin_s3") is not None, reason="the plugin is installed here")
@pytest.mark.parametrize("knob", ["publish_to", "pull_from"])
def test_an_object_store_without_its_plugin_is_refused_with_what_installs_it(folder, knob):
    found = snakemake(folder, "-n", "--cores", "1", "--config", f"{knob}=s3://bucket/prefix")
    assert found.returncode == 2
    (told,) = [line for line in found.stdout.splitlines() if line.startswith("error: ")]
    assert f"{knob}: s3://bucket/prefix needs snakemake-storage-plugin-s3" in told
    assert "next: make cloud" in told
    assert "InvalidPluginException" not in found.stdout


@pytest.mark.parametrize(
    ("profile", "executor"), [("slurm", "slurm"), ("kubernetes", "kubernetes"), ("google-batch", "googlebatch")]
)
def test_a_profile_without_its_plugin_ends_as_the_documents_say(folder, profile, executor):
    """Snakemake ends before it reads the workflow, so that the documents are all that can help."""
    if find_spec(f"snakemake_executor_plugin_{executor}"):
        pytest.skip("the plugin is installed here")
    found = snakemake(folder, "-n", "--profile", f"profiles/{profile}")
    assert found.returncode == 2
    line = f"argument --executor/-e: invalid choice: '{executor}' (choose from "
    assert line in found.stdout.splitlines()[-1]
    told = (ROOT / "docs/SCALING.md").read_text()
    assert "argument --executor/-e: invalid choice: 'slurm' (choose from 'local', ...)" in told
    assert f"`'{executor}'`" in told or executor == "slurm"
