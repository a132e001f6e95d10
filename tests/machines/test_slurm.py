"""Through a real SLURM of one node, whatever happens to a job: the same bytes. `pytest -m machines -rP` shows what happened."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml

from tests.machines.conftest import EPOCHS, same_tables
from tests.workflow.conftest import BIN, snakemake
from tests.workflow.test_killed import CELL, checkpoints_of, epoch_of, left_by, run_folder, until
from vitalbench.files import read_json
from vitalbench.train.attempts import Attempts

pytestmark = [pytest.mark.machines, pytest.mark.timeout(1800)]

# Without accounting, at the pace of a test, and with requests that a small node has.
HERE = [
    "--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "8",
    "--default-resources", "mem_mb=1500", "runtime=10", "slurm_account=none", "--latency-wait", "5", "--config", "suite=mortal",
]  # fmt: skip


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def job_of(rule: str) -> str | None:
    """The number of the job that runs a rule now."""
    rows = ask("squeue", "--noheader", "--states=R", "--format=%i %k").splitlines()
    return next((row.split()[0] for row in rows if f"rule_{rule}" in row), None)


def node() -> str:
    return ask("sinfo", "--noheader", "--format=%N").split()[0]


def set_node(state: str) -> None:
    ask("scontrol", "update", f"NodeName={node()}", f"State={state}", "Reason=test")


def preempted(job: str) -> None:
    """A more urgent job wants the whole node."""
    ask("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")


def node_down(job: str) -> None:
    set_node("down")
    set_node("resume")


def drained(job: str) -> None:
    """A drained node lets the job end and starts none: the job goes back into the queue, waits there, and runs again after."""
    set_node("drain")
    ask("scontrol", "requeue", job)
    assert "drain" in ask("sinfo", "--noheader", "--format=%T")
    set_node("resume")


def killed(job: str) -> None:
    ask("scancel", "--signal=KILL", "--full", job)


def training_of(job: str) -> psutil.Process:
    """The process that trains in a job."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if "--cell" in line and process.environ().get("SLURM_JOB_ID") == job:
                return process
    raise AssertionError(f"no process trains in job {job}")


def over_its_walltime(job: str) -> None:
    """A minute is the shortest limit there is, and this training takes less: it hangs until then."""
    training_of(job).suspend()
    ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")


FAULTS: list[Callable[[str], None]] = [preempted, node_down, drained, killed, over_its_walltime]


def starts_of(run: Path) -> int:
    """How often the training has begun."""
    return Attempts(checkpoints_of(run) / "attempts").count


@contextmanager
def started(project: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """The workflow in the background; what it says is in said.txt. Ended with the test, however that ends."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with (project / "said.txt").open("w") as said:
        workflow = subprocess.Popen(
            [str(BIN / "snakemake"), *HERE, *arguments],
            cwd=project,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield workflow
        finally:
            workflow.kill()
            workflow.wait()


def test_a_suite_through_slurm_leaves_the_same_bytes(slurm, split_project, bare, tmp_path):
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    found = snakemake(project, *HERE)
    assert found.returncode == 0, found.stdout[-3000:]
    submitted = len(re.findall(r"submitted with SLURM jobid", found.stdout))
    assert submitted == 8  # describe, train, measure, evaluate, claims, storage, the tables together, ended
    assert "slurm_extra=--exclusive" in found.stdout
    assert left_by(run_folder(project)) == left_by(run_folder(bare))
    same_tables(project, bare)
    again = snakemake(project, *HERE)
    assert "Nothing to be done" in again.stdout


def test_whatever_happens_to_a_job_nothing_is_lost(slurm, split_project, bare, tmp_path):
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    run = run_folder(project)
    with started(project, "--retries", "5", "train") as workflow:
        for number, fault in enumerate(FAULTS, 1):
            until(workflow, lambda: job_of("train_cell"), every_s=0.3)
            # In its own start: the one before may have come as far, and a job that has not begun goes on with nothing.
            until(
                workflow, lambda number=number: starts_of(run) >= number and epoch_of(run) >= 6 * number, every_s=0.02
            )
            job = job_of("train_cell")
            assert job, f"{fault.__name__}: the training ended before"
            fault(job)
            until(workflow, lambda job=job: job_of("train_cell") is None, every_s=0.1)
            print(f"{fault.__name__:<20} job {job}, at epoch {epoch_of(run)} of {EPOCHS}")
            assert not (run / "status.json").exists()
        assert workflow.wait(timeout=600) == 0, (project / "said.txt").read_text()[-3000:]
    told = read_json(run / "provenance.json")["interruptions"]
    print(told)
    assert told["n_resumed"] == len(FAULTS)
    assert left_by(run) == left_by(run_folder(bare))


def test_a_gpu_is_asked_for_by_its_name_and_another_is_refused(slurm, split_project, tmp_path):
    """The two GPUs that the node declares are scheduled and are none: the job gets one, sees what it is and says so."""
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    target = project / "configs/targets/h100.yaml"
    asked = {"mem_mb": 1500, "runtime_min": 5, "gpus": 1, "gpu_model": "h100"}
    target.write_text(yaml.safe_dump(yaml.safe_load(target.read_text()) | {"threads": 1, "scheduler": asked}))
    found = snakemake(project, *HERE, "targets=[h100]", "--", "train")
    assert found.returncode == 0, found.stdout[-3000:]
    assert "Auto-selected partition 'gpu'" in found.stdout
    job = re.search(r"submitted with SLURM jobid (\d+)", found.stdout)
    assert job
    told = ask("scontrol", "show", "job", job[1])
    assert "gres:gpu:h100:1" in told or "gpu:h100=1" in told, told
    status = read_json(project / "results/mortal/runs" / CELL.replace("/cpu/", "/h100/") / "status.json")
    assert status["status"] == "refused"


def test_a_failed_job_shows_the_last_lines_of_its_log(slurm, split_project, tmp_path):
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    (project / "results/mortal/splits/ptbxl/superdiagnostic/audit-fold0.json").write_text("{")
    found = snakemake(project, *HERE, "--retries", "0", "--rerun-triggers", "params", "--", "train")
    assert found.returncode != 0
    assert "not readable as JSON" in found.stdout


# Two groups of four cells, each scored where it was trained; the target's walltime is a small cell's.
GROUPS = [
    "--groups", "train_cell=cells-{target}", "evaluate_cell=cells-{target}", "--group-components", "cells-{target}=4",
]  # fmt: skip
TARGET = "configs/targets/cpu.yaml"
RUNS = "results/mortal/runs/ptbxl/superdiagnostic/mortal/cpu"


@pytest.fixture(scope="module")
def eight_cells(split_project, tmp_path_factory) -> Path:
    """The project with eight short trainings. To be copied."""
    project = Path(shutil.copytree(split_project, tmp_path_factory.mktemp("eight") / "project"))
    suite, design = project / "configs/suites/mortal.yaml", project / "configs/designs/mortal.yaml"
    said = yaml.safe_load(suite.read_text())
    said["grids"][0]["seeds"] = list(range(8))
    suite.write_text(yaml.safe_dump(said))
    said = yaml.safe_load(design.read_text())
    said["train"] |= {"epochs": 1, "early_stopping": {"patience": 1}}
    design.write_text(yaml.safe_dump(said))
    target = yaml.safe_load((project / TARGET).read_text())
    (project / TARGET).write_text(yaml.safe_dump(target | {"scheduler": {"mem_mb": 1500, "runtime_min": 3}}))
    return project


@pytest.fixture(scope="module")
def eight_bare(eight_cells, tmp_path_factory) -> Path:
    """The same cells on the bare machine, to their scores."""
    project = Path(shutil.copytree(eight_cells, tmp_path_factory.mktemp("bare") / "project"))
    found = snakemake(project, "--cores", "2", "--config", "suite=mortal", "--", "evaluate")
    assert found.returncode == 0, found.stdout[-3000:]
    return project


def runs_of(project: Path) -> list[Path]:
    return [project / RUNS / f"seed{seed}-fold0" for seed in range(8)]


def same_runs(one: Path, other: Path) -> None:
    for run, alike in zip(runs_of(one), runs_of(other), strict=True):
        assert left_by(run) == left_by(alike), run.name
        assert (run / "metrics.json").read_bytes() == (alike / "metrics.json").read_bytes(), run.name


def submitted(said: str) -> list[str]:
    return re.findall(r"submitted with SLURM jobid (\d+)", said)


def test_many_small_cells_are_few_submissions(slurm, eight_cells, eight_bare, tmp_path):
    project = Path(shutil.copytree(eight_cells, tmp_path / "project"))
    with started(project, *GROUPS, "--", "evaluate") as workflow:
        until(workflow, lambda: len(submitted((project / "said.txt").read_text())) == 2, every_s=0.3)
        asked = [ask("scontrol", "show", "job", job) for job in submitted((project / "said.txt").read_text())]
        assert workflow.wait(timeout=600) == 0, (project / "said.txt").read_text()[-3000:]
    assert len(submitted((project / "said.txt").read_text())) == 2
    for told in asked:
        # One cell's memory and core, and the time of four trainings and four scorings.
        assert "NumCPUs=1 " in told, told
        assert re.search(r"MinMemoryNode=1500M|mem=1500M", told), told
        assert "TimeLimit=00:52:00" in told, told
    same_runs(project, eight_bare)


def scored_in(project: Path) -> list[str]:
    return [run.name for run in runs_of(project) if (run / "metrics.json").is_file()]


def test_a_cell_that_is_killed_takes_its_group_with_it_and_the_retry_brings_all_back(
    slurm, eight_cells, eight_bare, tmp_path
):
    """Snakemake removes what the ended jobs of a failed group left: the same bytes in the end, at the price of their time."""
    project = Path(shutil.copytree(eight_cells, tmp_path / "project"))
    with started(project, *GROUPS, "--retries", "1", "--", "evaluate") as workflow:
        kill_second_training(workflow, project)
        assert workflow.wait(timeout=900) == 0, (project / "said.txt").read_text()[-3000:]
    said = (project / "said.txt").read_text()
    assert said.count("Trying to restart job") == 1
    assert len(submitted(said)) == 3
    same_runs(project, eight_bare)


def test_without_a_retry_only_the_group_of_the_killed_cell_has_no_results(slurm, eight_cells, eight_bare, tmp_path):
    project = Path(shutil.copytree(eight_cells, tmp_path / "project"))
    with started(project, *GROUPS, "--retries", "0", "--", "evaluate") as workflow:
        kill_second_training(workflow, project)
        assert workflow.wait(timeout=900) == 1
    print(scored_in(project))
    assert len(scored_in(project)) == 4
    found = snakemake(project, *HERE, *GROUPS, "--", "evaluate")
    assert found.returncode == 0, found.stdout[-3000:]
    assert len(submitted(found.stdout)) == 1
    same_runs(project, eight_bare)


def kill_second_training(workflow: subprocess.Popen, project: Path) -> None:
    """Kill the first training that is found once another one's run has ended well."""
    until(workflow, lambda: any((run / "status.json").is_file() for run in runs_of(project)), every_s=0.02)
    ended = {run.name for run in runs_of(project) if (run / "status.json").is_file()}
    while True:
        until(workflow, lambda: trainings_in(project), every_s=0.01)
        for process in trainings_in(project):
            with suppress(psutil.Error):
                if not any(name in " ".join(process.cmdline()) for name in ended):
                    process.kill()
                    return


def trainings_in(project: Path) -> list[psutil.Process]:
    """The processes that train for a project."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if "train" in line and "--cell" in line and process.cwd() == str(project):
                found.append(process)
    return found


def test_arrays_are_refused_before_any_job(slurm, eight_cells):
    found = snakemake(eight_cells, *HERE, "--slurm-array-jobs", "train_cell", "--", "train")
    assert found.returncode == 2, found.stdout[-3000:]
    assert "--slurm-array-jobs train_cell: SLURM's plugin loses jobs of arrays" in found.stdout.splitlines()[-1]
    assert not submitted(found.stdout)
