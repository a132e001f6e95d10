"""A trial trains on the training records, is judged on the validation records, and cannot see the test records at all."""

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from tests.conftest import ROOT
from tests.workflow.small_suite import TASK, make_suite
from vitalbench import cli
from vitalbench.data.store import Store
from vitalbench.errors import GateError, InputError, Interrupted
from vitalbench.evaluate.run import evaluate_run
from vitalbench.files import file_digest, read_json, write_json
from vitalbench.layout import PROGRESS, WATCH_SLICE
from vitalbench.report.search_rows import search_rows
from vitalbench.results import Results
from vitalbench.search.choice import best_of, chosen_of
from vitalbench.search.evidence import broken
from vitalbench.search.fence import Fenced
from vitalbench.search.trial import run_trial
from vitalbench.search.trial_job import trial_job
from vitalbench.split.fitted import rows_hash
from vitalbench.train.cell import run_cell
from vitalbench.train.job import job_of
from vitalbench.watch.of_job import observers_of_trial

TRIALS = 3


@pytest.fixture(scope="module")
def suite(tmp_path_factory, small_store, small_dataset) -> Path:
    """results/small with a searched design of one tiny model, before any trial."""
    design = yaml.safe_load((ROOT / "configs/designs/xresnet1d101.yaml").read_text())
    design["model"]["options"] |= {"layers": [1], "width": 16}
    design["train"] |= {"epochs": 2, "batch_size": 32}
    space = {"train.learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "train.batch_size": {"choice": [32, 64]}}
    search = {"space": space, "trials": TRIALS, "round": 2, "sampler": "random", "epochs": 1, "seed": 3}
    design |= {"small": {}, "published": None, "search": search}
    target = yaml.safe_load((ROOT / "configs/targets/cpu.yaml").read_text()) | {"threads": 1}
    folder = tmp_path_factory.mktemp("sought")
    return make_suite(folder, small_store, small_dataset, {"sought": design}, {"one-thread": target})


@pytest.fixture(scope="module")
def place(suite):
    (only,) = Results(suite).searches
    return only


@pytest.fixture(scope="module")
def searched(suite, place) -> Path:
    """The folder of the search once its trials have run and it has ended."""
    for number in range(TRIALS):
        assert run_trial(trial_job(Results(suite), place, number)) == "measured"
    assert cli.run(["search", "--results", str(suite), "--search", place.path]) == 0
    return Results(suite).search(place)


def split_of(suite: Path) -> pd.DataFrame:
    return pd.read_csv(suite / f"splits/ptbxl/{TASK}/fold0.csv", dtype=str)


def ids(suite: Path, *splits: str) -> list[str]:
    table = split_of(suite)
    return table.loc[table["split"].isin(splits), "record_id"].tolist()


def told(folder: Path, number: int) -> dict:
    return read_json(folder / f"trial-{number:04d}/trial.json")


def test_a_trial_reads_every_training_and_validation_record_and_no_other(suite, searched):
    seen = ids(suite, "train", "val")
    assert 0 < len(seen) < len(split_of(suite))
    for number in range(TRIALS):
        expected = {"records": len(seen), "sha256": rows_hash(seen)}
        assert told(searched, number)["permitted"] == expected
        assert told(searched, number)["read"] == expected


def test_a_trials_context_has_no_test_record_and_reading_one_ends_it(suite, place, searched, monkeypatch, tmp_path):
    job = trial_job(Results(suite), place, 0)
    job = replace(job, job=replace(job.job, out=tmp_path / "trial"))
    rows = pd.read_parquet(job.job.store.with_name("records.parquet")).set_index("record_id")["row"]
    test_row = int(rows[ids(suite, "test")[0]])
    seen = {}

    def curious(context):
        seen["splits"] = set(context.records["split"])
        seen["labels"] = len(context.labels)
        context.store.read(np.array([test_row], dtype=np.intp))

    monkeypatch.setattr("vitalbench.train.recipes.supervised.fit", curious)
    with pytest.raises(GateError, match=f"not among the .* training and validation records .*, among them {test_row}"):
        run_trial(job)
    assert seen == {"splits": {"train", "val"}, "labels": len(ids(suite, "train", "val"))}
    assert not (tmp_path / "trial/trial.json").exists()


def test_what_every_test_record_holds_changes_no_byte_of_a_trial(suite, place, searched, tmp_path):
    """Samples, calibration and labels of all test records, overwritten in the store that trials read."""
    other = Path(shutil.copytree(suite.parent, tmp_path / "results"))
    data = other / "data/ptbxl/generated"
    records = pd.read_parquet(data / "records.parquet")
    test = records["record_id"].isin(ids(suite, "test"))
    assert test.sum() > 5
    before, part_of = Store(data / "store.h5"), {}
    clean = before.read(records["row"].to_numpy())
    for path in sorted((data / "parts").glob("part-*.h5")):
        table = pd.read_parquet(path.with_suffix(".parquet"))
        part_of[path] = np.flatnonzero(table["record_id"].isin(ids(suite, "test")))
    for path, rows in part_of.items():
        with h5py.File(path, "r+") as file:
            file["signals"][rows] = np.full((len(rows), *file["signals"].shape[1:]), 12345, dtype="<i2")
            file["gain"][rows] = np.full((len(rows), file["gain"].shape[1]), 7.0)
            file["baseline"][rows] = np.full((len(rows), file["baseline"].shape[1]), 3.0)
    records.loc[test, f"labels:{TASK}"] = pd.Series([["HYP", "MI"]] * int(test.sum()), index=records.index[test])
    records.loc[test, "digest"] = "0" * 16
    records.to_parquet(data / "records.parquet", index=False)
    spoilt = Store(data / "store.h5").read(records["row"].to_numpy())
    assert ((spoilt != clean).any(axis=(1, 2)) == test.to_numpy()).all()
    folder = Results(other / "small").search(place)
    shutil.rmtree(folder)
    for number in range(TRIALS):
        assert run_trial(trial_job(Results(other / "small"), place, number)) == "measured"
    for number in range(TRIALS):
        name = f"trial-{number:04d}/trial.json"
        assert (folder / name).read_bytes() == (searched / name).read_bytes()
    validation, labels = set(ids(suite, "val")), records[f"labels:{TASK}"]
    turned = [
        ["MI"] if name in validation and "NORM" in some else some
        for name, some in zip(records["record_id"], labels, strict=True)
    ]
    records[f"labels:{TASK}"] = turned
    records.to_parquet(data / "records.parquet", index=False)
    run_trial(trial_job(Results(other / "small"), place, 0))
    assert told(folder, 0)["value"] != told(searched, 0)["value"]  # so the comparison can fail


def test_a_value_is_the_primary_metric_of_validation_by_the_code_that_scores_runs(suite, place, searched, tmp_path):
    """A cell with a trial's design and seed scores the same on its validation rows."""
    trial = trial_job(Results(suite), place, 0)
    cell = replace(trial.job, out=tmp_path / "run")
    assert run_cell(cell) == "measured"
    evaluate_run(cell.out, trial.job.task.kind, 100, 0)
    rows = read_json(cell.out / "metrics.json")["rows"]
    (value,) = [
        row["value"] for row in rows
        if (row["split"], row["subgroup"], row["metric"], row["label"]) == ("val", "all", "auroc", "macro")
    ]  # fmt: skip
    assert told(searched, 0)["value"] == value
    assert told(searched, 0)["facts"]["epochs"] == 1


def test_a_trial_that_is_ended_goes_on_to_the_same_bytes(suite, place, searched, tmp_path, monkeypatch):
    trial = trial_job(Results(suite), place, 0)
    trial = replace(trial, job=replace(trial.job, out=tmp_path / "trial"))
    from vitalbench.train.keeper import Keeper

    after_step, steps = Keeper.after_step, []

    def signalled(self, state):
        steps.append(state.course.batch)
        if steps == [0, 1, 2]:
            self.interrupt.asked = 15
        after_step(self, state)

    monkeypatch.setattr(Keeper, "after_step", signalled)
    with pytest.raises(Interrupted, match=r"it goes on from .*epoch-00001-batch-0000002"):
        run_trial(trial)
    assert not (tmp_path / "trial/trial.json").exists()
    assert run_trial(trial) == "measured"
    assert steps[3:6] == [2, 3, 4]  # gone on with, not begun anew
    assert (tmp_path / "trial/trial.json").read_bytes() == (searched / "trial-0000/trial.json").read_bytes()
    assert read_json(tmp_path / "trial/timing.json")["interruptions"]["n_resumed"] == 1
    assert not list((tmp_path / "trial/checkpoints").glob("*"))


def test_a_trial_is_watched_and_a_budget_stops_it_until_there_is_more(suite, place, searched, tmp_path):
    made = trial_job(Results(suite), place, 0)
    trial = replace(made, job=replace(made.job, out=tmp_path / "trial"))

    def observers():
        return observers_of_trial(Results(suite), trial.job, trial.identity())

    written = read_json(suite / WATCH_SLICE)
    write_json(suite / WATCH_SLICE, written | {"budget_hours": 1e-9})
    try:
        with pytest.raises(GateError, match=r"trial 0\] stopped: budget: .* of 1e-09 h .*raise budget_hours"):
            run_trial(trial, observers())
    finally:
        write_json(suite / WATCH_SLICE, written)
    assert not (tmp_path / "trial/trial.json").exists()
    assert read_json(tmp_path / "trial" / PROGRESS)["stage"] == "interrupted"
    assert run_trial(trial, observers()) == "measured"
    assert read_json(tmp_path / "trial" / PROGRESS)["status"] == "measured"
    assert (tmp_path / "trial/trial.json").read_bytes() == (searched / "trial-0000/trial.json").read_bytes()


@pytest.mark.parametrize("fault", ["nan", "memory", "crash"])
def test_values_that_cannot_be_trained_with_make_a_failed_trial(suite, place, tmp_path, monkeypatch, fault):
    from torch import OutOfMemoryError

    from vitalbench.train.context import NotAllowed, TrainingFailure

    raised = {
        "nan": TrainingFailure("the loss is nan in epoch 1"),
        "memory": NotAllowed("needs 300 GB of 24 GB"),
        "crash": OutOfMemoryError("CUDA out of memory"),
    }[fault]

    def failing(context):
        raise raised

    monkeypatch.setattr("vitalbench.train.recipes.supervised.fit", failing)
    trial = trial_job(Results(suite), place, 0)
    trial = replace(trial, job=replace(trial.job, out=tmp_path / "trial"))
    assert run_trial(trial) == ("not-allowed" if fault == "memory" else "failed")
    left = read_json(tmp_path / "trial/trial.json")
    assert left["value"] is None
    assert str(raised) in left["reason"]
    assert left["read"] == {"records": 0, "sha256": rows_hash([])}


def test_a_full_disk_is_no_fault_of_the_values(suite, place, tmp_path, monkeypatch):
    def full(context):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vitalbench.train.recipes.supervised.fit", full)
    trial = trial_job(Results(suite), place, 0)
    with pytest.raises(OSError, match="No space"):
        run_trial(replace(trial, job=replace(trial.job, out=tmp_path / "trial")))
    assert not (tmp_path / "trial/trial.json").exists()


def test_a_trial_waits_for_the_rounds_before_and_has_a_number_of_the_search(suite, place, searched, tmp_path):
    results = Path(shutil.copytree(suite.parent, tmp_path / "results")) / "small"
    (Results(results).search(place) / "trial-0001/trial.json").unlink()
    trial_job(Results(results), place, 1)
    with pytest.raises(InputError, match=r"trial-0001/trial.json: no such file"):
        trial_job(Results(results), place, 2)
    with pytest.raises(InputError, match="has trials 0 to 2"):
        trial_job(Results(results), place, 3)
    with pytest.raises(InputError, match="nearest: ptbxl/superdiagnostic/sought/one-thread/fold0"):
        cli.run(["trial", "--results", str(results), "--search", place.path + "x", "--trial", "0"])


def ended(number: int, value: float | None, direction: str = "higher", status: str = "failed") -> dict:
    status = status if value is None else "measured"
    return {
        "trial": number, "value": value, "direction": direction, "metric": "auroc", "parameters": {"a": number},
        "status": status, "reason": "why", "permitted": {"records": 1, "sha256": "x"},
    }  # fmt: skip


def test_the_best_trial_is_chosen_and_of_equals_the_first():
    told = [ended(0, None), ended(1, 0.5), ended(2, 0.9), ended(3, 0.9)]
    assert best_of(told)["trial"] == 2
    assert best_of([{**one, "direction": "lower"} for one in told])["trial"] == 1


def test_a_search_fails_only_if_all_its_trials_do(place):
    chosen = chosen_of(place, [ended(0, None), ended(1, 0.5)], {})
    assert (chosen["status"], chosen["trials"], chosen["measured"]) == ("measured", 2, 1)
    failed = chosen_of(place, [ended(0, None), ended(1, None)], {})
    assert (failed["status"], failed["reason"]) == ("failed", "none of 2 trials was measured; trial 0: why")
    assert chosen_of(place, [ended(0, None), ended(1, None, status="refused")], {})["status"] == "refused"


def test_trials_of_two_splits_are_not_compared(place):
    other = ended(1, 0.5) | {"permitted": {"records": 1, "sha256": "y"}}
    with pytest.raises(InputError, match="2 different splits"):
        chosen_of(place, [ended(0, 0.4), other], {})


def test_optunas_tools_read_the_same_trials(searched, place):
    path = searched / "study.journal"
    study = optuna.load_study(study_name=place.path, storage=JournalStorage(JournalFileBackend(str(path))))
    assert study.best_trial.number == read_json(searched / "chosen.json")["trial"]
    for number, found in enumerate(study.trials):
        assert found.state == TrialState.COMPLETE
        assert found.params == told(searched, number)["parameters"]
        assert found.value == told(searched, number)["value"]
        assert found.datetime_complete > found.datetime_start


def test_ending_a_search_again_gives_the_same_bytes(suite, place, searched):
    names = ("chosen.json", "study.journal")
    before = {name: (searched / name).read_bytes() for name in names}
    assert cli.run(["search", "--results", str(suite), "--search", place.path]) == 0
    assert {name: (searched / name).read_bytes() for name in names} == before


def test_a_table_lists_the_trials(suite, searched):
    rows = list(search_rows(Results(suite)))
    assert [row["trial"] for row in rows] == [0, 1, 2]
    assert sum(row["chosen"] for row in rows) == 1
    assert {row["records_read"] for row in rows} == {len(ids(suite, "train", "val"))}
    assert all(row["seconds"] > 0 for row in rows)


def test_a_cell_trains_with_what_was_chosen_and_says_so(suite, place, searched):
    results = Results(suite)
    (cell,) = [result.cell for result in results.cells]
    job = job_of(results, cell)
    chosen = read_json(searched / "chosen.json")
    assert job.design.search is None
    assert job.design.train.learning_rate == chosen["parameters"]["train.learning_rate"]
    assert job.design.train.epochs == 2  # the shorter budget was the trials'
    assert run_cell(job) == "measured"
    said = read_json(job.out / "provenance.json")["search"]
    assert said["sha256"] == read_json(job.out / "config.json")["search"]["sha256"]
    assert said["sha256"] == file_digest(searched / "chosen.json")
    assert said["permitted"]["sha256"] == rows_hash(ids(suite, "train", "val"))
    assert read_json(job.out / "config.json")["design"]["train"]["learning_rate"] == job.design.train.learning_rate
    other = replace(job, chosen=replace(job.chosen, sha256="other"))
    assert other.run_id() != job.run_id()


def test_without_its_search_a_cell_is_no_job(suite, place, searched, tmp_path):
    results = Results(Path(shutil.copytree(suite.parent, tmp_path / "results")) / "small")
    (results.search(place) / "chosen.json").unlink()
    with pytest.raises(InputError, match=r"chosen.json: no such file; the search has not ended"):
        job_of(results, results.cells[0].cell)


def test_the_cell_of_a_search_that_failed_is_failed_with_the_reason(suite, place, searched, tmp_path):
    results = Results(Path(shutil.copytree(suite.parent, tmp_path / "results")) / "small")
    path = results.search(place) / "chosen.json"
    write_json(path, read_json(path) | {"status": "failed", "reason": "none of 3", "parameters": None, "trial": None})
    job = job_of(results, results.cells[0].cell)
    assert run_cell(job) == "failed"
    assert read_json(job.out / "status.json")["reason"] == "its search chose nothing: none of 3"


def test_verify_finds_a_trial_that_was_altered_or_saw_more_than_it_may(suite, place, searched, tmp_path):
    folder = Path(shutil.copytree(searched, tmp_path / "search"))
    split, sha256 = suite / f"splits/ptbxl/{TASK}/fold0.csv", file_digest(folder / "chosen.json")
    assert broken(folder, sha256, split, 1) == []
    path = folder / "trial-0001/trial.json"
    write_json(path, told(folder, 1) | {"value": 1.0})
    assert ["trial-0001" in line for line in broken(folder, sha256, split, 1)] == [True]
    seen = {"records": 1000, "sha256": "0" * 16}
    write_json(path, told(folder, 1) | {"read": seen})
    chosen = read_json(folder / "chosen.json")
    chosen["files"]["trial-0001/trial.json"] = file_digest(path)
    write_json(folder / "chosen.json", chosen)
    (line,) = broken(folder, file_digest(folder / "chosen.json"), split, 1)
    assert "trial-0001/trial.json: read 1000 records" in line
    assert broken(folder, "another", split, 1)[0].startswith("search: ")


def test_a_fence_lets_through_what_it_was_told_and_nothing_else(small_store):
    store = Store(small_store)
    fenced = Fenced(store, np.array([2, 5]), "of this search")
    assert (fenced.read(np.array([5, 2, 5])) == store.read(np.array([5, 2, 5]))).all()
    assert fenced.rows_read.tolist() == [2, 5]
    assert (fenced.leads, fenced.samples, fenced.rate_hz) == (store.leads, store.samples, store.rate_hz)
    for row in (0, 3, 6, store.records - 1, store.records, -1):
        with pytest.raises(GateError, match=f"1 rows .* not of this search, among them {row}"):
            fenced.read(np.array([2, row]))
    assert fenced.rows_read.tolist() == [2, 5]
