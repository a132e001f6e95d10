"""Real training processes, watched: killed they are gone; gone on with, no step is there twice; of several the first tells."""

import os
import signal
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.unit.test_watched_run import DESIGN, TARGET, knobs
from tests.workflow.conftest import BIN, jobs, snakemake
from tests.workflow.small_suite import TASK, make_suite, run_of, train
from tests.workflow.test_killed import CELL as MORTAL
from tests.workflow.test_killed import mortal_project
from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.layout import EVENTS
from vitalbench.watch.cells import look
from vitalbench.watch.progress_file import read_progress

pytestmark = pytest.mark.slow

LONG = DESIGN | {"train": DESIGN["train"] | {"epochs": 12, "batch_size": 8}}
TARGETS = {"one": TARGET, "ddp": TARGET | {"processes": 2}}


@pytest.fixture(scope="module")
def suite(small_store, small_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched") / "project"
    return make_suite(folder, small_store, small_dataset, {"plain": DESIGN, "long": LONG}, TARGETS)


def scalars(run):
    found = EventAccumulator(str(run / EVENTS), purge_orphaned_data=False)
    found.Reload()
    timed = ("epoch/seconds", "epoch/data_wait_s", "epoch/lost_s")
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
        if tag not in timed
    }


def states(suite):
    return {seen.path.split("/", 2)[2]: seen.state for seen in look(suite)}


def test_killed_it_is_gone_and_gone_on_with_its_events_are_those_of_an_unbroken_run(suite):
    cell, run = f"ptbxl/{TASK}/long/one/seed0-fold0", run_of(suite, "long", "one")
    command = [sys.executable, "-m", "vitalbench.cli", "train", "--results", str(suite), "--cell", cell]
    for epoch in (2, 5, 9):
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        told = ""
        while f"epoch {epoch}/12" not in told:
            told = child.stderr.readline()
            assert told, "it ended before it could be killed"
        assert states(suite)["long/one/seed0-fold0"] == "running"
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert states(suite)["long/one/seed0-fold0"] == "gone"
    before = read_progress(run).seconds
    assert train(suite, "long", "one").returncode == 0
    assert states(suite)["long/one/seed0-fold0"] == "measured"
    assert read_json(run / "provenance.json")["interruptions"]["n_resumed"] == 3
    assert read_progress(run).seconds > before
    broken = scalars(run)
    (run / "status.json").unlink()
    assert train(suite, "long", "one").returncode == 0
    assert read_json(run / "provenance.json")["interruptions"]["n_resumed"] == 0
    assert broken == scalars(run)
    assert read_progress(run).other_seconds > before


def test_a_cell_that_its_budget_stopped_goes_on_with_the_next_snakemake(tmp_path):
    project = mortal_project(tmp_path / "project", 2)
    run = project / "results/mortal/runs" / MORTAL
    found = snakemake(project, "--cores", "2", "--config", "suite=mortal", "budget_hours=1e-9")
    assert found.returncode == 0, found.stdout[-3000:]
    assert read_json(run / "status.json")["reason"].startswith("budget: ")
    done = subprocess.run(
        [str(BIN / "vitalbench"), "runs", "resume", MORTAL, "--results", "results/mortal"], cwd=project, check=False
    )
    assert done.returncode == 0
    dry = jobs(snakemake(project, "-n", "--config", "suite=mortal").stdout)
    assert (dry["train_cell"], dry["evaluate_cell"]) == (1, 1)
    assert "measure_design" not in dry
    found = snakemake(project, "--cores", "2", "--config", "suite=mortal")
    assert found.returncode == 0, found.stdout[-3000:]
    assert read_json(run / "status.json")["status"] == "measured"
    assert jobs(snakemake(project, "-n", "--config", "suite=mortal", "budget_hours=3", "trackers=wandb").stdout) == {}


def test_several_processes_are_told_of_by_the_first_and_stopped_together(suite):
    run = run_of(suite, "plain", "ddp")
    knobs(suite, budget_hours=1e-9)
    done = train(suite, "plain", "ddp")
    assert done.returncode == 0, done.stderr[-3000:]
    status = read_json(run / "status.json")
    assert status["status"] == "not-allowed"
    assert "of 1e-09 h at epoch 1 of 3, 0 of 5 batches done; raise budget_hours and run" in status["reason"]
    assert "it goes on from epoch 1" in status["reason"]
    with pytest.raises(InputError, match="not stopped by a budget"):
        cli.run(["runs", "resume", f"ptbxl/{TASK}/plain/one/seed0-fold0", "--results", str(suite)])
    cli.run(["runs", "resume", f"ptbxl/{TASK}/plain/ddp/seed0-fold0", "--results", str(suite)])
    knobs(suite, budget_hours=None)
    assert train(suite, "plain", "ddp").returncode == 0
    assert read_json(run / "status.json")["status"] == "measured"
    told = read_progress(run)
    assert (told.processes, told.status) == (2, "measured")
    assert [step for step, _ in scalars(run)["batch/loss"]] == list(range(1, 16))
