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


ARRAYS = ["--slurm-array-jobs", "standardise,assign,audit,evaluate_cell,train_cell"]


@pytest.fixture
def eight_cells(split_project, tmp_path) -> Path:
    """The project with eight short trainings."""
    project = Path(shutil.copytree(split_project, tmp_path / "project"))
    suite, design = project / "configs/suites/mortal.yaml", project / "configs/designs/mortal.yaml"
    said = yaml.safe_load(suite.read_text())
    said["grids"][0]["seeds"] = list(range(8))
    suite.write_text(yaml.safe_dump(said))
    said = yaml.safe_load(design.read_text())
    said["train"] |= {"epochs": 1, "early_stopping": {"patience": 1}}
    design.write_text(yaml.safe_dump(said))
    return project


def test_many_small_cells_are_one_submission(slurm, eight_cells):
    found = snakemake(eight_cells, *HERE, *ARRAYS)
    assert found.returncode == 0, found.stdout[-3000:]
    arrays = re.findall(r"Submitted array job with Snakemake IDs ([\d,]+)", found.stdout)
    print(arrays)
    assert max(len(jobs.split(",")) for jobs in arrays) == 8  # the trainings; scores follow as those end
    scored = list(eight_cells.glob("results/mortal/runs/ptbxl/superdiagnostic/mortal/cpu/*/metrics.json"))
    assert len(scored) == 8


def test_arrays_that_would_never_be_submitted_are_refused(slurm, eight_cells):
    """With a limit below the jobs that are ready the executor forgets an array's jobs, and the workflow waits for them for ever."""
    found = snakemake(eight_cells, *HERE, *ARRAYS, "--jobs", "3")
    assert found.returncode == 2, found.stdout[-3000:]
    assert "--jobs unlimited" in found.stdout.splitlines()[-1]
