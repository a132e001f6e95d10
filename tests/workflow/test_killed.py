"""Real training processes, killed at any moment and run again: `pytest -m slow -rP tests/workflow/test_killed.py` shows the log."""

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from time import perf_counter

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import BIN, copy_project, snakemake
from vitalbench.files import read_json, write_json
from vitalbench.train.attempts import Attempts, Start
from vitalbench.train.checkpoints import listed, position_of

pytestmark = pytest.mark.slow

KILLS = 20
EPOCHS = 10
SUITE = {
    "description": "Runs to be killed",
    "source": "generated",
    "size": "small",
    "bootstrap": 100,
    "grids": [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["mortal"]}],
    "protocol": {"warmup": 1, "repeats": 3, "seconds": 0.1},
}
CELL = "ptbxl/superdiagnostic/mortal/cpu/seed0-fold0"
EVERY_STEP = {"checkpoint_minutes": 1e-9}


def mortal_project(folder: Path, epochs: int) -> Path:
    """A project with a small design, whose splits are audited: all that a training job asks for."""
    project = copy_project(folder)
    design = yaml.safe_load((project / "configs/designs/xresnet1d101.yaml").read_text())
    design["model"]["options"] |= {"layers": [1], "width": 16}
    design["train"] |= {"epochs": epochs, "batch_size": 8, "early_stopping": {"patience": epochs}}
    design |= {"small": {}, "published": None, "window": {"seconds": 2.5, "stride_seconds": 2.5, "aggregate": "max"}}
    (project / "configs/designs/mortal.yaml").write_text(yaml.safe_dump(design))
    (project / "configs/suites/mortal.yaml").write_text(yaml.safe_dump(SUITE))
    target = project / "configs/targets/cpu.yaml"
    target.write_text(
        target.read_text().replace("threads: 2", "threads: 1")
    )  # two wait for one another on a busy machine
    dataset = project / "configs/datasets/ptbxl.yaml"
    described = yaml.safe_load(dataset.read_text())
    described["parts"], described["standin"]["patients"] = 1, 150
    dataset.write_text(yaml.safe_dump(described))
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = mortal_project(tmp_path_factory.mktemp("mortal"), EPOCHS)
    found = snakemake(folder, "--cores", "2", "split", "--config", "suite=mortal")
    assert found.returncode == 0, found.stdout[-3000:]
    return folder


def run_folder(project: Path) -> Path:
    return project / "results/mortal/runs" / CELL


def saving(project: Path, **knobs) -> None:
    """Turn knobs of how runs are saved, where the workflow hands them to the jobs."""
    path = project / "results/mortal/config/checkpoints.json"
    write_json(path, read_json(path) | knobs)


def started(project: Path, suite: str = "mortal", cell: str = CELL) -> subprocess.Popen:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(BIN / "vitalbench"), "train", "--results", f"results/{suite}", "--cell", cell],
        cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def left_by(run: Path) -> dict[str, object]:
    """What has to be the same, whatever a run went through."""
    history = pd.read_csv(run / "history.csv").drop(columns=["seconds", "data_wait_s", "lost_s"])
    return {name: (run / name).read_bytes() for name in ("model.safetensors", "predictions.parquet")} | {
        "history.csv": history.to_csv()
    }


@pytest.fixture(scope="module")
def never_killed(project):
    """What the run leaves by itself, its batches, and the seconds it takes."""
    begun = perf_counter()
    assert started(project).wait() == 0
    seconds = perf_counter() - begun
    run = run_folder(project)
    steps = int(pd.read_csv(run / "history.csv")["steps"].max())
    left = left_by(run)
    shutil.rmtree(run)
    return left, steps, seconds


def checkpoints_of(run: Path) -> Path:
    """The folder of the run's checkpoints, once it is there."""
    return next(iter((run / "checkpoints").glob("*")), run / "checkpoints/none yet")


def attempts(run: Path) -> list[Start]:
    return Attempts(checkpoints_of(run) / "attempts").starts()


def until(process: subprocess.Popen, happened, every_s: float = 0.002) -> None:
    """Look until something has happened; the process must not end before."""
    while not happened():
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=every_s)


def kill(process: subprocess.Popen, run: Path, moment: str, step: int, seconds: float) -> str:
    """Kill a training process: so many seconds after its start, or after it reached a step; says what it was doing."""
    starts = len(attempts(run))

    def reached() -> bool:
        return len(attempts(run)) > starts and attempts(run)[-1].reached_step >= step

    if moment != "anywhere":
        until(process, reached)
    if moment == "in a checkpoint write":
        until(process, lambda: list(checkpoints_of(run).glob(".epoch-*")))
    elif moment == "in scoring":
        until(process, lambda: [path for path in listed(checkpoints_of(run)) if f"{EPOCHS + 1:05d}-batch" in path.name])
    else:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
    process.kill()
    process.wait()
    if len(attempts(run)) == starts:
        return "before training"  # what half of a write lies there is of the process before
    if moment == "in scoring":
        return moment
    if list(checkpoints_of(run).glob(".epoch-*")):
        return "in a checkpoint write"
    if list(checkpoints_of(run).glob(".gone.*")):
        return "in a removal of old checkpoints"
    return "in training"


@pytest.mark.timeout(3600)  # twenty times what importing torch takes beside other work
def test_killed_twenty_times_a_run_ends_with_the_same_bytes(project, never_killed):
    expected, steps, whole = never_killed
    run, rng = run_folder(project), random.Random(20)
    moments = ["anywhere"] * 3 + ["in training"] * 8 + ["in a checkpoint write"] * 8
    rng.shuffle(moments)
    caught: Counter[str] = Counter()
    for number, moment in enumerate([*moments, "in scoring"], 1):
        # With a checkpoint after every step, so that one is being written, or with one an epoch, so that work is lost.
        often = moment == "in a checkpoint write" or (moment == "anywhere" and rng.random() < 0.5)
        saving(project, **(EVERY_STEP if often else {"checkpoint_minutes": 10.0}))
        step = int(steps * (number - rng.random()) / (KILLS + 1))
        # Anywhere in what may be left of it; a faster machine has less of it left.
        latest = 0.6 * whole * (1 - number / (KILLS + 1)) if moment == "anywhere" else 0.1
        was = kill(started(project), run, moment, step, rng.uniform(0, latest))
        caught[was] += 1
        last, reached = listed(checkpoints_of(run)), attempts(run)
        at = f"batch {reached[-1].reached_step} of {steps}" if reached else ""
        print(f"kill {number:2d}  {was:<32} {at:<18} last checkpoint: {last[-1].name if last else 'none'}")
        assert not (run / "status.json").exists()
    assert started(project).wait() == 0
    assert caught["in training"] >= 3
    assert caught["in a checkpoint write"] >= 3
    assert caught["in scoring"] == 1
    told = read_json(run / "provenance.json")["interruptions"]
    print(dict(caught), told)
    assert left_by(run) == expected
    assert told["n_resumed"] == KILLS - caught["before training"]
    assert told["lost_steps"] > 0
    assert told == read_json(run / "timing.json")["interruptions"]
    assert (run / "log.txt").read_text().count("goes on from") == told["n_resumed"]
    assert not [path for path in checkpoints_of(run).iterdir() if path.name.startswith(".")]


def workflow(project: Path) -> list[str]:
    return ["--cores", "1", "train", "--config", "suite=mortal", "checkpoint_minutes=0.000001"]


def in_the_background(project: Path) -> subprocess.Popen:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(
        [str(BIN / "snakemake"), *workflow(project)], cwd=project, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def epoch_of(run: Path) -> int:
    """The epoch that the newest checkpoint stands in; 0 without one."""
    there = listed(checkpoints_of(run))
    return position_of(there[-1].name)[0] if there else 0


def test_through_snakemake_a_cell_goes_on_after_a_ctrl_c_and_after_everything_was_killed(project, never_killed):
    expected, *_ = never_killed
    run = run_folder(project)
    shutil.rmtree(run, ignore_errors=True)
    stopped = in_the_background(project)
    until(stopped, lambda: epoch_of(run) >= 3)
    os.killpg(stopped.pid, signal.SIGINT)
    output, _ = stopped.communicate()
    assert stopped.returncode != 0
    assert "error: [superdiagnostic mortal seed0] ended by SIGINT; run again, it goes on from" in output
    assert not (run / "status.json").exists()
    killed = in_the_background(project)
    until(killed, lambda: epoch_of(run) >= 6)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (run / "status.json").exists()
    assert snakemake(project, "--unlock", *workflow(project)).returncode == 0
    again = snakemake(project, *workflow(project))
    assert again.returncode == 0, again.stdout[-3000:]
    assert read_json(run / "status.json")["status"] == "measured"
    assert read_json(run / "provenance.json")["interruptions"]["n_resumed"] == 2
    assert left_by(run) == expected
    assert "Nothing to be done" in snakemake(project, *workflow(project), "backup=elsewhere").stdout
