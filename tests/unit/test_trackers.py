"""Weights & Biases and MLflow for real, offline: every epoch once, after a kill too, and nothing of people or of the machine."""

import json
import os
import platform
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing

import pytest

from tests.conftest import ROOT
from tests.unit.test_watched_run import CELL, knobs, left_by, left_unwatched, make_watched, train
from tests.workflow.small_suite import run_of
from vitalbench.files import read_json
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.identity import Identity
from vitalbench.watch.mlflow_run import DATABASE, TAG, MlflowRun
from vitalbench.watch.wandb_run import FOLDER, WandbRun

pytestmark = pytest.mark.slow

BEGUN = Begun(epochs=3, steps=2, records=8)
IDENTITY = Identity("0123456789abcdef", "small", CELL, {"design": {"train": {"epochs": 3}}, "code": "c0de"})


def row(epoch):
    return {"epoch": epoch, "train_loss": 1 / epoch, "val_loss": None if epoch == 1 else 2 / epoch}


def course(epochs):
    return Course(epoch=epochs + 1, taken=2 * epochs, history=[row(n + 1) for n in range(epochs)])


def told(tracker, begins, epochs):
    """One process's part of a run: it goes on after so many epochs, and tells those to come."""
    said = []
    tracker.open(said.append)
    tracker.start(BEGUN, course(begins))
    for epoch in epochs:
        tracker.epoch(course(epoch), row(epoch))
    assert said == []
    return tracker


def killed_after_two_epochs(kind, folder):
    """A process that told two epochs and was killed."""
    code = (
        "import os, signal, sys, pathlib\n"
        "from tests.unit import test_trackers as t\n"
        f"t.told(t.{kind}(pathlib.Path(sys.argv[1]), t.IDENTITY), 0, (1, 2))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def made(small_store, small_dataset, tmp_path_factory):
    return make_watched(small_store, small_dataset, tmp_path_factory.mktemp("watched") / "project")


@pytest.fixture(scope="module")
def unwatched(made, tmp_path_factory):
    return left_unwatched(made, tmp_path_factory.mktemp("plain") / "project")


@pytest.fixture
def suite(made, tmp_path):
    return shutil.copytree(made.parents[1], tmp_path / "project") / "results/small"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No word of the environment's that names a server, and a home of its own."""
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)


def mlflow_metrics(results):
    """Of every run that is not deleted: its id, its status and its metrics as name, step, value."""
    asked = (
        "select r.run_uuid, r.status, m.key, m.step, m.value from metrics m join runs r using (run_uuid) "
        "where r.lifecycle_stage = 'active' order by m.key, m.step"
    )
    with closing(sqlite3.connect(results / DATABASE)) as database:
        return database.execute(asked).fetchall()


def wandb_records(content):
    """The records of a file as W&B writes it: LevelDB's log format, blocks of 32 KiB behind a head of 7 bytes."""
    at, record = 7, b""
    while at + 7 <= len(content):
        length, kind = struct.unpack_from("<HB", content, at + 4)
        if kind == 0:  # the rest of the block is empty
            at += -at % 32768
            continue
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        at += -at % 32768 if -at % 32768 < 7 else 0
        if kind in (1, 4):  # whole, or the last part of one
            yield record
            record = b""


def wandb_history(run):
    """The steps and values in the one file that a run left offline, and the file's bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (run / FOLDER).glob("offline-run-*/*.wandb")
    content, found = path.read_bytes(), []
    for data in wandb_records(content):
        record = Record.FromString(data)
        if record.WhichOneof("record_type") == "history":
            values = {
                ".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item
            }
            found.append({name: value for name, value in values.items() if name == "_step" or not name.startswith("_")})
    return found, content


def test_mlflow_is_told_every_epoch_once(offline, tmp_path):
    killed_after_two_epochs("MlflowRun", tmp_path)
    assert {row[2:4] for row in mlflow_metrics(tmp_path)} >= {("train_loss", 1), ("train_loss", 2)}
    told(MlflowRun(tmp_path, IDENTITY), 1, (2, 3)).close("measured")
    rows = mlflow_metrics(tmp_path)
    assert len({run for run, *_ in rows}) == 1
    assert {status for _, status, *_ in rows} == {"FINISHED"}
    assert [found[2:] for found in rows] == [
        ("train_loss", 1, 1.0), ("train_loss", 2, 0.5), ("train_loss", 3, pytest.approx(1 / 3)),
        ("val_loss", 2, 1.0), ("val_loss", 3, pytest.approx(2 / 3)),
    ]  # fmt: skip
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        assert set(database.execute("select key, value from params")) == {
            ("design.train.epochs", "3"),
            ("code", "c0de"),
        }
        assert (TAG, IDENTITY.run_id) in set(database.execute("select key, value from tags"))


def test_wandb_is_told_every_epoch_once(offline, tmp_path):
    killed_after_two_epochs("WandbRun", tmp_path)
    told(WandbRun(tmp_path, IDENTITY), 1, (2, 3)).close("measured")
    history, _ = wandb_history(tmp_path)
    assert history == [
        {"_step": 1, "train_loss": 1.0},
        {"_step": 2, "train_loss": 0.5, "val_loss": 1.0},
        {"_step": 3, "train_loss": pytest.approx(1 / 3), "val_loss": pytest.approx(2 / 3)},
    ]


def test_a_real_run_with_both_keeps_its_bytes_and_tells_nothing_of_people_or_the_machine(
    offline, suite, unwatched, monkeypatch
):
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("USER", "somebodys-name")
    monkeypatch.setenv("LOGNAME", "somebodys-name")
    knobs(suite, trackers=["wandb", "mlflow"])
    train(suite)
    assert left_by(suite) == unwatched
    run = run_of(suite, "plain", "one")
    history, content = wandb_history(run)
    assert [row["_step"] for row in history] == [1, 2, 3]
    assert len({row[3] for row in mlflow_metrics(suite)}) == 3
    assert "warning" not in (run / "log.txt").read_text()
    ids = (suite / "splits/ptbxl/superdiagnostic/fold0.csv").read_text().splitlines()[1:]
    told = [content, (suite / DATABASE).read_bytes()]
    for secret in ("somebodys-name", "k" * 40, *(line.split(",")[0] for line in ids)):
        assert all(secret.encode() not in text for text in told), secret
    assert str(suite).encode() not in content
    (about,) = (
        record.run
        for record in map(Record.FromString, wandb_records(content))
        if record.WhichOneof("record_type") == "run"
    )
    assert (about.host, about.git.remote_url) == ("undisclosed", "")
    with closing(sqlite3.connect(suite / DATABASE)) as database:
        said = [*database.execute("select value from tags"), *database.execute("select user_id from runs")]
    assert not any(platform.node() in text for (text,) in said if text)
    assert read_json(run / "status.json")["run_id"].encode() in content


def test_a_server_that_is_not_there_ends_nothing(offline, suite, unwatched, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    knobs(suite, trackers=["mlflow"])
    train(suite)
    assert left_by(suite) == unwatched
    log = (run_of(suite, "plain", "one") / "log.txt").read_text()
    assert log.count("warning: MLflow is told no more of this run") == 1
    assert "secret" not in log
