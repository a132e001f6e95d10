"""Where a cell runs changes nothing of what it finds: two processes, data parallel or under ZeRO 1, 2 and 3, agree with one; and
killed at any moment they go on to the same bytes.

Most processes are forked (forked.py), some are started by the command; either way they meet over gloo.
"""

import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pytest
from safetensors.numpy import load_file

from tests.workflow.forked import SITE, Forked
from tests.workflow.small_suite import make_suite, run_of, train, train_forked, training
from vitalbench import cli
from vitalbench.errors import Interrupted
from vitalbench.files import read_json, write_json
from vitalbench.train.attempts import Attempts

pytestmark = pytest.mark.slow

WINDOW = {"seconds": 2.5, "stride_seconds": 2.5, "aggregate": "mean"}
# 33 records a batch: shares of 17 and 16; no dropout, whose masks belong to a process.
TRAIN = {
    "epochs": 3,
    "batch_size": 33,
    "learning_rate": 0.01,
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "clip_norm": 1.0,
}
S4D = {
    "recipe": "supervised",
    "model": {"name": "s4d", "options": {"width": 16, "depth": 2, "state": 8, "dropout": 0.0}},
    "window": WINDOW,
    "train": TRAIN | {"schedule": "cosine", "early_stopping": {"patience": 3}},
}
NORM = {
    "recipe": "supervised",
    "model": {"name": "xresnet1d", "options": {"layers": [1, 1], "width": 16, "dropout": 0.0}},
    "window": WINDOW,
    "train": TRAIN | {"drop_last": True},
}
HARD = {  # what each process has for itself: dropout's random numbers, and running means between two validations
    "recipe": "supervised",
    "model": {"name": "xresnet1d", "options": {"layers": [1], "width": 16, "dropout": 0.3}},
    "window": WINDOW,
    "train": TRAIN
    | {"epochs": 4, "batch_size": 8, "early_stopping": {"patience": 4}, "augment": {"noise": {"mv": 0.1}}},
}
DESIGNS = {
    "plain": S4D,
    "scarce": S4D,
    "loose": S4D,
    "hard": HARD,
    "micro": S4D | {"train": S4D["train"] | {"micro_batch": 8}},
    "bf16": S4D | {"train": S4D["train"] | {"precision": "bf16"}},
    "norm": NORM,
    "norm-micro": NORM | {"train": NORM["train"] | {"micro_batch": 17}},
}
CPU = {"device": "cpu", "threads": 1, "scheduler": {"mem_mb": 6000, "runtime_min": 60}}
TARGETS = {
    "one": CPU,
    "ddp": CPU | {"processes": 2},
    **{f"zero{stage}": CPU | {"processes": 2, "strategy": f"zero{stage}"} for stage in (1, 2, 3)},
    "many": CPU | {"processes": 3, "strategy": "zero3", "offload": True, "gradient_checkpointing": True},
}


@pytest.fixture(scope="module")
def suite(small_store, small_dataset, tmp_path_factory):
    return make_suite(tmp_path_factory.mktemp("suite"), small_store, small_dataset, DESIGNS, TARGETS)


class Left:
    """What a cell left, trained where nothing lies yet: by the command itself where its processes are to be started, not forked."""

    def __init__(self, suite, design, target, started=False):
        folder = run_of(suite, design, target)
        if not (folder / "status.json").is_file():
            if started:
                done = train(suite, design, target)
                assert done.returncode == 0, done.stderr[-3000:]
            else:
                assert train_forked(suite, design, target) == 0
        self.status = read_json(folder / "status.json")
        assert self.status["status"] == "measured", (self.status, (folder / "log.txt").read_text()[-3000:])
        self.files = {path.name for path in folder.iterdir()}
        self.history = pd.read_csv(folder / "history.csv")
        self.predictions = pd.read_parquet(folder / "predictions.parquet")
        self.weights = load_file(folder / "model.safetensors")

    def apart(self, other):
        """The largest difference of the losses, and of the probabilities."""
        losses = ["train_loss", "val_loss"]
        assert (self.history["steps"] == other.history["steps"]).all()
        by_loss = np.abs(self.history[losses] - other.history[losses]).to_numpy().max()
        probability = [name for name in self.predictions if name.startswith("y_prob:")]
        rest = [name for name in self.predictions if name not in probability]
        pd.testing.assert_frame_equal(self.predictions[rest], other.predictions[rest])
        by_probability = np.abs(self.predictions[probability] - other.predictions[probability]).to_numpy().max()
        print(f"loss {by_loss:.2e}, probability {by_probability:.2e}")
        return by_loss, by_probability


@pytest.mark.parametrize("target", ["ddp", "zero1", "zero2", "zero3", "many"])
def test_several_processes_agree_with_one(suite, target):
    one, several = Left(suite, "plain", "one"), Left(suite, "plain", target, started=target in ("ddp", "zero3"))
    loss, probability = several.apart(one)
    assert loss < 1e-6
    assert probability < 1e-5
    assert several.files == one.files
    assert {name: (w.shape, w.dtype) for name, w in several.weights.items()} == {
        name: (w.shape, w.dtype) for name, w in one.weights.items()
    }


def test_a_batch_in_micro_batches_agrees_under_zero_too(suite):
    loss, probability = Left(suite, "micro", "zero3").apart(Left(suite, "plain", "one"))
    assert loss < 1e-6
    assert probability < 1e-5


def test_bf16_under_zero_keeps_weights_in_fp32_and_predictions_near(suite):
    one, several = Left(suite, "plain", "one"), Left(suite, "bf16", "zero2")
    assert {weight.dtype for weight in several.weights.values()} == {np.dtype("float32")}
    loss, probability = several.apart(one)
    assert 0 < loss < 0.02
    assert probability < 0.05


def test_batch_norm_normalises_by_a_process_own_share_as_by_a_micro_batch(suite):
    """Shares of 17 and 16 on two processes train as micro-batches of 17 and 16 on one do; docs/METHODS.md says what differs."""
    alone, several = Left(suite, "norm-micro", "one"), Left(suite, "norm", "ddp")
    assert np.abs(several.history["train_loss"] - alone.history["train_loss"]).max() < 1e-6
    for name, weight in several.weights.items():
        if "running" not in name and "num_batches" not in name:  # averaged there, moved twice a batch here
            np.testing.assert_allclose(weight, alone.weights[name], atol=1e-5, err_msg=name)


def reached(run):
    """The batch that a run's newest start has come to, and how many starts there were; nothing of one that has not begun."""
    starts = [Attempts(folder).starts() for folder in run.glob("checkpoints/*/attempts")]
    return (starts[0][-1].reached_step, len(starts[0])) if starts and starts[0] else (-1, 0)


def killing(run, step, victim):
    """What starts processes of which one is killed, or whose launcher is told to end, once the run has come to a step."""

    class Mortal(Forked):
        def poll(self):
            at, starts = reached(run)
            if self.number == str(victim or 0) and starts > self.starts and at >= step and super().poll() is None:
                self.starts = starts  # once
                os.kill(
                    os.getpid() if victim is None else self.pid, signal.SIGTERM if victim is None else signal.SIGKILL
                )
            return super().poll()

        def __init__(self, command, env):
            self.number, self.starts = env["RANK"], reached(run)[1]
            super().__init__(command, env=env)

    return Mortal


def saving(suite, **knobs):
    path = suite / "config/checkpoints.json"
    write_json(path, read_json(path) | knobs)


def bytes_of(run):
    return {name: (run / name).read_bytes() for name in ("model.safetensors", "predictions.parquet")}


@pytest.fixture(scope="module")
def whole(suite):
    """What the hard design leaves on a target by itself, and its steps."""
    found = {}

    def of(target):
        run = run_of(suite, "hard", target)
        if target not in found:
            assert Left(suite, "hard", target).status["status"] == "measured"
            assert read_json(run / "provenance.json")["interruptions"]["n_resumed"] == 0
            found[target] = bytes_of(run), int(pd.read_csv(run / "history.csv")["steps"].max())
        shutil.rmtree(run, ignore_errors=True)
        return found[target]

    return of


@pytest.mark.parametrize("target", ["ddp", "zero2", "zero3"])
def test_several_processes_killed_or_told_to_end_go_on_to_the_same_bytes(suite, whole, target):
    expected, steps = whole(target)
    run, rng = run_of(suite, "hard", target), random.Random(target)
    ends = [
        (1e-9, 1, "process 1 of 2 was ended by SIGKILL"),
        (10.0, None, "ended by SIGTERM"),
        (10.0, 0, "process 0 of 2 was"),
    ]
    for number, (minutes, victim, told) in enumerate(ends):
        saving(suite, checkpoint_minutes=minutes)
        step = int(steps * (number + rng.random()) / (len(ends) + 1))
        with pytest.raises(Interrupted, match=told) as caught:
            train_forked(suite, "hard", target, killing(run, step, victim))
        assert "run again, it goes on from" in str(caught.value)
        assert not (run / "status.json").exists()
    assert train_forked(suite, "hard", target) == 0
    told = read_json(run / "provenance.json")["interruptions"]
    print(target, told)
    assert told["n_resumed"] == len(ends)
    assert told["lost_steps"] > 0
    assert bytes_of(run) == expected


def test_a_killed_launcher_takes_its_processes_with_it(suite, whole):
    expected, _ = whole("ddp")
    saving(suite, checkpoint_minutes=1e-9)
    launcher, run = (
        subprocess.Popen(training(suite, "hard", "ddp"), stderr=subprocess.DEVNULL),
        run_of(suite, "hard", "ddp"),
    )
    while reached(run)[0] < 3:
        with pytest.raises(subprocess.TimeoutExpired):
            launcher.wait(0.01)
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert len(processes) == 2
    launcher.kill()
    launcher.wait()
    gone, alive = psutil.wait_procs(processes, timeout=20)
    assert len(gone) == 2, alive
    assert train_forked(suite, "hard", "ddp") == 0
    assert read_json(run / "provenance.json")["interruptions"]["n_resumed"] == 1
    assert bytes_of(run) == expected


SCARCE = """
import os
if os.environ.get("RANK") == "1":
    import torch
    plain = torch.nn.Conv1d.forward
    def scarce(self, x):
        if self.training and len(x) > 10:
            raise {error}
        return plain(self, x)
    torch.nn.Conv1d.forward = scarce
"""


def site(folder, error):
    """A file that lets convolutions fail in the second process of a cell."""
    (folder / "scarce.py").write_text(SCARCE.format(error=error))
    return {SITE: str(folder / "scarce.py")}


def test_out_of_memory_in_a_process_starts_all_anew_with_half_the_micro_batch(suite, tmp_path, capsys):
    assert train_forked(suite, "scarce", "ddp", **site(tmp_path, "torch.OutOfMemoryError('out of memory')")) == 0
    assert "out of memory with 17 records at once on a process: started anew with 8" in capsys.readouterr().err
    timing = read_json(run_of(suite, "scarce", "ddp") / "timing.json")
    epoch = next(phase for phase in timing["phases"] if phase["name"] == "epoch")
    assert (epoch["micro_batch"], epoch["halved"]) == (8, 1)
    loss, _ = Left(suite, "scarce", "ddp").apart(Left(suite, "plain", "one"))
    assert loss < 1e-6


def test_the_process_that_failed_first_gives_the_reason(suite, tmp_path):
    assert train_forked(suite, "loose", "ddp", **site(tmp_path, "ValueError('a cable is loose')")) == 0
    folder = run_of(suite, "loose", "ddp")
    status = read_json(folder / "status.json")
    assert status["status"] == "failed"
    assert status["reason"] == "process 1 of 2: ValueError: a cable is loose"
    assert "Traceback" in (folder / "log.txt").read_text()
    assert not (folder / "model.safetensors").exists()


def test_a_measurement_runs_as_the_processes_that_its_target_declares(suite, tmp_path, monkeypatch):
    out, names = tmp_path / "timing.csv", ["--design", "plain", "--dataset", "ptbxl", "--target", "ddp"]
    command = ["measure", *names, "--out", str(out)]
    monkeypatch.chdir(suite.parents[1])
    monkeypatch.setattr("vitalbench.train.launch.Popen", Forked)
    monkeypatch.setattr(sys, "argv", ["vitalbench", *command])
    assert cli.run(command) == 0
    table = pd.read_csv(out)
    assert table["phase"].tolist() == ["import", "build", "train_step"]
    assert table["world_size"].tolist() == [2, 2, 2]
    assert table.loc[2, "repeats"] >= 10
