"""A run that is watched: the same bytes as one that is not; stopped by its budget and allowed again, the same bytes once more."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.workflow.small_suite import make_suite, run_of
from vitalbench import cli
from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import EVENTS, WATCH_SLICE
from vitalbench.results import Results
from vitalbench.train.cell import run_cell
from vitalbench.train.job import job_of
from vitalbench.watch.budget import Budget
from vitalbench.watch.cells import look
from vitalbench.watch.progress_file import read_progress, write_progress
from vitalbench.watch.spent import Spent

DESIGN = {
    "recipe": "supervised",
    "model": {"name": "s4d", "options": {"width": 4, "depth": 1, "state": 2, "dropout": 0.1}},
    "window": {"seconds": 1.0, "stride_seconds": 5.0, "aggregate": "max"},
    "train": {"epochs": 3, "batch_size": 32, "learning_rate": 0.01, "augment": {"noise": {"p": 0.5, "mv": 0.1}}},
}
TARGET = {"device": "cpu", "threads": 1, "prices": ["aws-m5.large"], "scheduler": {"mem_mb": 6000, "runtime_min": 60}}
CELL = "ptbxl/superdiagnostic/plain/one/seed0-fold0"
STEPS = 5  # an epoch
FILES = ("model.safetensors", "predictions.parquet")


def make_watched(store, dataset, folder):
    """A suite of one cell, ready to train."""
    return make_suite(folder, store, dataset, {"plain": DESIGN}, {"one": TARGET})


def left_unwatched(made, folder):
    """What the run leaves when nobody listens."""
    suite = shutil.copytree(made.parents[1], folder) / "results/small"
    results = Results(suite)
    assert run_cell(job_of(results, results.cells[0].cell)) == "measured"
    return left_by(suite)


@pytest.fixture(scope="module")
def made(small_store, small_dataset, tmp_path_factory):
    return make_watched(small_store, small_dataset, tmp_path_factory.mktemp("watched") / "project")


@pytest.fixture(scope="module")
def unwatched(made, tmp_path_factory):
    return left_unwatched(made, tmp_path_factory.mktemp("plain") / "project")


@pytest.fixture
def suite(made, tmp_path):
    return shutil.copytree(made.parents[1], tmp_path / "project") / "results/small"


def left_by(suite):
    run = run_of(suite, "plain", "one")
    history = (run / "history.csv").read_text().splitlines()
    return {name: (run / name).read_bytes() for name in FILES}, [line.split(",")[:4] for line in history]


def train(suite):
    return cli.run(["train", "--results", str(suite), "--cell", CELL])


def knobs(suite, **turned):
    write_json(suite / WATCH_SLICE, read_json(suite / WATCH_SLICE) | turned)


def test_watching_changes_no_byte_and_no_id(suite, unwatched):
    assert train(suite) == 0
    assert left_by(suite) == unwatched
    results = Results(suite)
    before = job_of(results, results.cells[0].cell).run_id()
    knobs(suite, trackers=["mlflow"], budget_usd=5.0, budget_hours=1.0)
    assert job_of(results, results.cells[0].cell).run_id() == before == results.cells[0].run_id


def test_a_run_that_ended_has_its_last_word_in_the_progress_file(suite):
    train(suite)
    run = run_of(suite, "plain", "one")
    last = read_progress(run)
    assert (last.stage, last.status, last.run_id) == ("ended", "measured", read_json(run / "status.json")["run_id"])
    training = last.training
    assert (training.epoch, training.epochs, training.batch) == (3, 3, training.batches)
    assert training.val_loss == pytest.approx(float((run / "history.csv").read_text().splitlines()[-1].split(",")[3]))
    assert last.memory_bytes > 50_000_000
    assert (last.price_key, last.usd_per_hour) == ("aws-m5.large", 0.096)
    assert 0 < last.seconds < 300
    (seen,) = look(suite)
    assert (seen.path, seen.state) == (CELL, "measured")


def test_a_run_is_judged_by_the_metric_that_it_is_scored_by(suite):
    train(suite)
    run = run_of(suite, "plain", "one")
    scored = pd.read_parquet(run / "predictions.parquet").query("split == 'val'")
    truths = scored.filter(like="y_true:")
    judged = truths.columns[truths.nunique() > 1]
    told = [roc_auc_score(scored[name], scored[name.replace("true", "prob")]) for name in judged]
    training = read_progress(run).training
    assert (training.metric, training.val_metric) == ("auroc", pytest.approx(np.mean(told)))
    assert pd.read_csv(run / "history.csv")["val_auroc"].iloc[-1] == pytest.approx(np.mean(told))


class Costly(Spent):
    """A run of which each batch takes an hour."""

    batches = 0

    @property
    def seconds(self):
        return 3600.0 * self.batches


class Counting(Budget):
    def batch(self, course, loss):
        self._spent.batches = course.taken
        super().batch(course, loss)


@pytest.fixture
def costly(monkeypatch):
    monkeypatch.setattr("vitalbench.watch.of_job.Spent", Costly)
    monkeypatch.setattr("vitalbench.watch.of_job.Budget", Counting)


@pytest.mark.parametrize("affordable", [1, 5, 13])  # in the first epoch, at the end of it, in the last one
def test_stopped_by_its_budget_and_allowed_again_it_ends_with_the_same_bytes(
    suite, unwatched, costly, capsys, affordable
):
    knobs(suite, budget_usd=(affordable - 0.5) * 0.096)
    assert train(suite) == 0
    status = read_json(run_of(suite, "plain", "one") / "status.json")
    epoch, batch = (affordable - 1) // STEPS + 1, (affordable - 1) % STEPS + 1
    assert status["status"] == "not-allowed"
    assert status["reason"].startswith(
        f"budget: {affordable} h x 0.096 USD/h = {affordable * 0.096:.4g} of {(affordable - 0.5) * 0.096:g} USD "
        f"at epoch {epoch} of 3, {batch} of {STEPS} batches done; raise budget_usd and run `vitalbench runs resume {CELL}"
    )
    assert not (run_of(suite, "plain", "one") / "predictions.parquet").exists()
    capsys.readouterr()
    cli.run(["runs", "list", "--results", str(suite)])
    assert "no: stopped by a budget: `runs resume` lets it go on" in capsys.readouterr().out
    knobs(suite, budget_usd=None)
    cli.run(["runs", "resume", CELL, "--results", str(suite)])
    assert not (run_of(suite, "plain", "one") / "status.json").exists()
    assert train(suite) == 0
    assert left_by(suite) == unwatched
    told = read_json(run_of(suite, "plain", "one") / "provenance.json")["interruptions"]
    assert (told["n_resumed"], told["lost_steps"]) == (1, 0)


def test_allowed_again_on_the_same_budget_it_stops_where_it_was(suite):
    knobs(suite, budget_hours=1e-9)
    for _ in range(2):
        train(suite)
        reason = read_json(run_of(suite, "plain", "one") / "status.json")["reason"]
        assert "of 1e-09 h at epoch 1 of 3, 0 of 5 batches done; raise budget_hours" in reason
        cli.run(["runs", "resume", CELL, "--results", str(suite)])


def test_what_no_budget_stopped_cannot_be_resumed(suite):
    with pytest.raises(InputError, match=r"seed0-fold0: not stopped by a budget: not-run the job left no status\.json"):
        cli.run(["runs", "resume", CELL, "--results", str(suite)])
    train(suite)
    with pytest.raises(InputError, match=r"not stopped by a budget: measured$"):
        cli.run(["runs", "resume", CELL, "--results", str(suite)])
    with pytest.raises(InputError, match="no cell is named 'x'; allowed: "):
        cli.run(["runs", "resume", "x", "--results", str(suite)])


def test_a_suites_budget_counts_its_other_jobs(suite, capsys):
    other = run_of(suite, "plain", "one").with_name("seed1-fold0")
    train(suite)
    told = read_progress(run_of(suite, "plain", "one"))
    write_progress(other, told.model_copy(update={"seconds": 3600.0 * 30}))
    (run_of(suite, "plain", "one") / "status.json").unlink()
    knobs(suite, budget_suite_usd=2.0)
    train(suite)
    reason = read_json(run_of(suite, "plain", "one") / "status.json")["reason"]
    assert (
        "+ 2.88 USD of the suite's other training jobs = 2.88 of 2 USD at epoch 1 of 3, 0 of 5 batches done" in reason
    )


def test_a_folder_that_cannot_be_written_ends_nothing(suite, unwatched, capsys):
    run = run_of(suite, "plain", "one")
    run.mkdir(parents=True)
    (run / EVENTS).write_text("a file, no folder")
    (run / "progress.json").mkdir()
    assert train(suite) == 0
    assert left_by(suite) == unwatched
    said = capsys.readouterr().err
    assert said.count("warning: TensorBoard is told no more of this run") == 1
    assert said.count("warning: progress file") == 1


def test_events_of_a_real_run_are_its_history(suite):
    train(suite)
    run = run_of(suite, "plain", "one")
    found = EventAccumulator(str(run / EVENTS))
    found.Reload()
    history = [line.split(",") for line in (run / "history.csv").read_text().splitlines()[1:]]
    assert [event.value for event in found.Scalars("epoch/val_loss")] == [
        pytest.approx(float(row[3])) for row in history
    ]
    assert len(found.Scalars("batch/loss")) == int(history[-1][1])
