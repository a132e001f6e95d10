"""The command line as a user meets it: one line of error, the right exit code, no traceback."""

import subprocess
import sys

import pytest

from vitalbench import cli


def run(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vitalbench.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["matrx"], "nearest: matrix"),
        (["matrix", "--siute", "quick"], "nearest: --suite"),
        (["matrix", "--suite", "quikc"], "nearest: quick"),
        (["evaluate", "missing.csv", "--task", "multilabel", "--out", "x"], "missing.csv: no such file"),
        (["audit", "--records", "missing.csv"], "missing.csv: no such file"),
        (["tables", "--results", "results/nothing"], "no results of a suite"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(project, arguments, words):
    found = run(*arguments, cwd=project)
    assert found.returncode == 2
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert "Traceback" not in found.stderr


def test_matrix_prints_every_cell_and_what_it_would_do(project):
    found = run("matrix", cwd=project)
    assert found.returncode == 0
    assert "train xresnet1d (small)" in found.stdout
    assert found.stdout.strip().endswith("7 cells, 7 to run, 0 not")
    assert "not-run: no records here" in run("matrix", "--suite", "ptbxl", cwd=project).stdout


def test_every_command_has_help():
    assert cli.command_names()
    for name in cli.command_names():
        found = run(name, "--help")
        assert found.returncode == 0, name
        assert found.stdout.startswith(f"usage: vitalbench {name}")


def test_doctor_says_what_runs_here(project):
    found = run("doctor", cwd=project)
    assert found.returncode == 0
    assert "cpu: runs here" in found.stdout


def test_no_arguments_lists_the_commands():
    found = run()
    assert all(name in found.stdout for name in cli.command_names())
