"""The command line as a user meets it: one line of error, the right exit code, no traceback."""

import errno
import subprocess
import sys

import pytest

from tests.conftest import ROOT, resolved
from vitalbench import cli
from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import ConfigError, InputError

SUITES = ", ".join(ConfigFolder(ROOT / "configs").names("suites"))


def run(*arguments: str, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vitalbench.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["matrx"], "nearest: matrix"),
        (["matrix", "--siute", "quick"], "nearest: --suite"),
        (
            ["image", "build", "--definiton", "a", "--out", "b.sif"],
            "error: vitalbench image build: unrecognized arguments: --definiton; ",
        ),
        (["image", "build", "--definiton=a", "--out", "b.sif"], "nearest: --definition"),
        (["image", "build", "--out", "b.sif"], "the following arguments are required: --definition"),
        (
            ["matrix", "--suite", "quikc"],
            f"error: --suite: no suite is named 'quikc'; allowed: {SUITES}; nearest: quick",
        ),
        (["evaluate", "missing.csv", "--task", "multilabel", "--out", "x"], "missing.csv: no such file"),
        (["audit", "--records", "missing.csv"], "missing.csv: no such file"),
        (["tables", "--results", "results/nothing"], "no results of a suite"),
        (["runs", "lst"], "error: vitalbench runs: 'lst'; allowed: list, restore, resume; nearest: list"),
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
    assert found.stdout.strip().endswith("24 cells, 9 to run, 15 not")
    assert "not-run: no records here" in run("matrix", "--suite", "ptbxl", cwd=project).stdout


def test_every_command_has_help():
    assert cli.command_names()
    for name in cli.command_names():
        found = run(name, "--help")
        assert found.returncode == 0, name
        assert found.stdout.startswith(f"usage: vitalbench {name}")


def test_doctor_says_what_runs_here(project):
    found = run("doctor", "--offline", cwd=project)
    assert found.returncode == 0
    assert "cpu: runs here" in found.stdout
    looked = {line[:14].strip(): line[14:19].strip() for line in found.stdout.splitlines()}
    assert {
        looked[what]
        for what in ("free memory", "free disk", "results", "GPU", "steady clock", "apptainer", "image", "SLURM")
    } <= {"yes", "no"}


def test_doctor_ends_well_whatever_it_found_and_not_on_a_wrong_configuration(project):
    config = project / "configs/config.yaml"
    config.write_text(config.read_text().replace("backup: null ", "backup: /no/such/folder "))
    found = run("doctor", "--offline", cwd=project)
    assert found.returncode == 0
    assert (
        "backup        no   /no/such/folder is nothing that can be written; next: ls -ld /no/such/folder"
        in found.stdout
    )
    config.write_text("bakup: x\n")
    found = run("doctor", "--offline", cwd=project)
    assert found.returncode == 2
    assert "nearest: backup" in found.stderr


def test_no_arguments_lists_the_commands():
    found = run()
    assert all(name in found.stdout for name in cli.command_names())


def test_doctor_tells_of_every_profile_and_what_it_lacks(project):
    (project / "profiles/site").mkdir()
    (project / "profiles/site/config.yaml").write_text("executor: nowhere\n")
    told = run("doctor", "--offline", cwd=project).stdout
    profiles = [line for line in told.splitlines() if line.startswith("profile ")]
    assert len(profiles) == len(list((project / "profiles").glob("*/config.yaml")))
    missing = "needs snakemake-executor-plugin-nowhere, which is not installed"
    assert f"profile       site: --profile profiles/site; {missing}" in profiles
    assert "profile       default: used by itself; jobs run on this machine" in profiles
    assert "registry" not in told


def test_show_says_why_there_is_nothing_to_show_and_how_to_go_back(project, monkeypatch):
    monkeypatch.chdir(project)
    resolved(project, seeds=[7], targets=["cpu"])
    with pytest.raises(InputError) as caught:
        cli.run(["show"])
    told = str(caught.value)
    assert told.startswith("results/quick: no cell of the plan as last resolved has been measured")
    assert "(seeds=[7] suite=quick targets=[cpu])" in told
    assert "`snakemake --cores all --config seeds=[7] suite=quick targets=[cpu]` runs that plan" in told
    assert "`snakemake -n --config suite=quick` goes back" in told
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["claims", "--results", "results/quick", "--configs", "nowhere"], "nowhere: no such folder"),
        (["store", "--data", "nowhere", "--versions"], "nowhere: no data set was built here"),
        (["store", "--data", "results/data/ptbxl/generated", "--versions"], "no build is kept here yet"),
        (
            ["measure", "--design", "prevalence", "--dataset", "ptbxl", "--out", "t.csv"],
            "design 'prevalence' has no model to time: its recipe is 'prevalence'",
        ),
        (["measure", "--results", "results/quick", "--measurement", "bad"], "write DATASET/TASK/DESIGN/TARGET"),
        (["cost", "--records", "100"], "--records and --epochs go together"),
        (["cost", "--records", "0", "--epochs", "3"], "--records is 0; allowed: 1 to 1e+12"),
        (["cost", "--usd-per-kwh", "nan"], "--usd-per-kwh nan; allowed: more than 0"),
        (
            ["measure", "--results", "results/quick", "--measurement", "ptbxl/superdiagnostic/s4/cpu"],
            "no design named 's4'",
        ),
    ],
)
def test_a_command_that_has_nothing_to_work_on_says_so_and_writes_nothing(project, monkeypatch, arguments, words):
    monkeypatch.chdir(project)
    resolved(project)
    before = sorted(project.rglob("*"))
    with pytest.raises((ConfigError, InputError)) as caught:
        cli.run(arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(project.rglob("*")) == before


def test_electricity_needs_the_power_of_a_target(project, monkeypatch):
    monkeypatch.chdir(project)
    resolved(project, suite="ptbxl")
    with pytest.raises(InputError, match=r"needs the key 'power_w' in a target of the suite \(cpu\)"):
        cli.run(["cost", "--results", "results/ptbxl", "--usd-per-kwh", "0.3"])


def test_a_suite_is_priced_with_the_file_it_was_resolved_with_wherever_it_lies_now(project, monkeypatch):
    monkeypatch.chdir(project)
    resolved(project)
    (project / "configs/prices/2026-09-06.csv").unlink()
    assert cli.run(["cost", "--out", "cost.csv"]) == 0
    assert (project / "cost.csv").is_file()


def test_the_matrix_says_where_repeats_are_too_few_for_a_noise_floor(project):
    assert "noise floor" not in run("matrix", cwd=project).stdout
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("repeats: 22", "repeats: 2"))
    said = "protocol: 2 repeats; with fewer than 22 a phase has no noise floor, and a ratio of its times no verdict"
    assert said in run("matrix", cwd=project).stdout.splitlines()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: no space left on device; next: df -h"),
        (OSError("Can't write data (No space left on device)"), "error: no space left on device; next: df -h"),
        (OSError(errno.ENOSPC, "No space left on device", "from", None, "to"), "error: to: no space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "here"), "error: here: permission denied"),
    ],
)
def test_what_the_system_refuses_to_write_is_a_line(monkeypatch, capsys, error, said):
    def refused(arguments):
        raise error

    monkeypatch.setattr(cli, "run", refused)
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err.startswith(said)


def test_an_error_of_the_system_that_names_nothing_is_a_defect(monkeypatch):
    def refused(arguments):
        raise OSError("odd")

    monkeypatch.setattr(cli, "run", refused)
    with pytest.raises(OSError, match="odd"):
        cli.main()


def test_a_folder_that_is_gone_is_told(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m vitalbench.cli doctor --configs {ROOT}/configs"
    found = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.splitlines() == [
        "error: the folder that this was started in is gone; next: cd to one that is there"
    ]
