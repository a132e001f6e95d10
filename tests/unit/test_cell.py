"""A cell ends in exactly one status, and never trains on a split whose receipt does not fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vitalbench.config.design import Design
from vitalbench.config.plan import Cell
from vitalbench.errors import GateError, InputError
from vitalbench.files import digest, file_digest, read_json, write_json
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit, read_table, receipt
from vitalbench.split.fitted import rows_hash
from vitalbench.train.batches import Scale
from vitalbench.train.cell import run_cell
from vitalbench.train.job import Job

TINY = {"epochs": 1, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture
def job(configs, small_dataset, small_store, tmp_path):
    """A job factory on the small store: a design in, a Job out."""
    task = configs.task("superdiagnostic")
    split = tmp_path / "fold0.csv"
    records = pd.read_parquet(small_store.with_name("records.parquet"))
    assign(records, task, 0).to_csv(split, index=False)
    checks, _ = audit(read_table(split))
    content = read_json(small_store.with_name("manifest.json"))["content"]
    write_json(tmp_path / "receipt.json", receipt(checks, file_digest(split), content))

    def make(design: Design, target: str = "cpu", seed: int = 0) -> Job:
        cell = Cell("ptbxl", "superdiagnostic", "d", target, seed, 0)
        return Job(
            cell, small_dataset, task, design, configs.target(target), "code", small_store, split,
            tmp_path / "receipt.json", tmp_path / "run",
        )  # fmt: skip

    return make


@pytest.fixture
def tiny(configs):
    design = configs.design("xresnet1d101", "small")
    options = {**design.model.options, "layers": [1], "width": 16}
    return design.model_copy(
        update={
            "model": design.model.model_copy(update={"options": options}),
            "train": design.train.model_copy(update=TINY),
        }
    )


def test_a_measured_run_leaves_every_file(job, tiny):
    made = job(tiny)
    assert run_cell(made) == "measured"
    left = {path.name for path in made.out.iterdir()}
    assert left == {
        "status.json", "config.json", "provenance.json", "history.csv", "model.safetensors", "timing.json", "log.txt",
        "predictions.parquet", "checkpoints",
    }  # fmt: skip
    predictions = pd.read_parquet(made.out / "predictions.parquet")
    assert set(predictions["split"]) == {"val", "test"}
    assert predictions.filter(like="y_prob:").shape[1] == 5
    assert predictions["n_votes"].eq(7).all()
    assert {"group:sex", "group:age_band"} <= set(predictions.columns)
    facts = read_json(made.out / "provenance.json")
    assert facts["data_source"] == "generated"
    assert facts["run_id"] == read_json(made.out / "status.json")["run_id"]
    assert str(made.out) not in (made.out / "provenance.json").read_text()


def test_the_same_run_again_gives_the_same_bytes_and_id(job, tiny):
    made = job(tiny)
    run_cell(made)
    names = ("model.safetensors", "predictions.parquet", "status.json", "config.json")
    first = {name: (made.out / name).read_bytes() for name in names}
    run_cell(made)
    assert {name: (made.out / name).read_bytes() for name in names} == first


def test_the_id_follows_configuration_and_code(job, tiny):
    made = job(tiny)

    def run_id(job: Job) -> str:
        run_cell(job)
        return str(read_json(job.out / "status.json")["run_id"])

    slower = tiny.model_copy(update={"train": tiny.train.model_copy(update={"learning_rate": 0.02})})
    assert len({run_id(made), run_id(job(slower)), run_id(replace(made, code="other")), run_id(job(tiny, seed=1))}) == 4


def test_a_receipt_for_another_split_stops_training(job, tiny):
    made = job(tiny)
    made.split.write_text(made.split.read_text().replace("train", "test", 1))
    with pytest.raises(GateError, match="audit the split again"):
        run_cell(made)
    assert not (made.out / "status.json").exists()


def test_no_receipt_no_training(job, tiny):
    made = job(tiny)
    made.receipt.unlink()
    with pytest.raises(InputError, match="receipt"):
        run_cell(made)


def test_a_leaking_split_is_not_allowed(job, tiny):
    made = job(tiny)
    left = read_json(made.receipt)
    write_json(made.receipt, left | {"verdict": "leak", "reason": "patient-overlap train-test: 3"})
    assert run_cell(made) == "not-allowed"
    status = read_json(made.out / "status.json")
    assert "patient-overlap train-test: 3" in status["reason"]
    assert not (made.out / "predictions.parquet").exists()


def test_a_run_says_which_records_its_statistics_were_fitted_on(job, tiny, configs):
    training = {row["record_id"] for row in pd.read_csv(job(tiny).split).to_dict("records") if row["split"] == "train"}
    for design in (tiny, configs.design("prevalence", "small")):
        made = job(design)
        assert run_cell(made) == "measured"
        said = read_json(made.out / "provenance.json")["statistics"]
        assert said == {"records": len(training), "sha256": rows_hash(training)}
    made = job(configs.design("ideal-observer", "small"))
    run_cell(made)
    assert read_json(made.out / "provenance.json")["statistics"] is None


def test_statistics_fitted_on_a_test_record_fail_the_run_by_name(job, tiny, monkeypatch):
    fit = Scale.fit
    monkeypatch.setattr(Scale, "fit", lambda store, rows: fit(store, np.arange(store.records)))
    made = job(tiny)
    assert run_cell(made) == "failed"
    reason = read_json(made.out / "status.json")["reason"]
    assert reason.startswith("statistics-outside-train: fitted on ")
    assert not (made.out / "predictions.parquet").exists()


def test_what_cannot_fit_is_not_allowed_with_the_arithmetic_before_it_trains(job, tiny, monkeypatch):
    made = job(tiny)
    assert run_cell(made) == "measured"
    needed = read_json(made.out / "provenance.json")["facts"]["memory"]["needed"]
    monkeypatch.setattr("vitalbench.train.engine.train", lambda *_, **__: pytest.fail("trained"))
    small = made.target.model_copy(update={"memory_gb": 0.99 * needed / 1e9})
    assert run_cell(replace(made, target=small)) == "not-allowed"
    reason = read_json(made.out / "status.json")["reason"]
    assert reason.startswith("memory (one process): (parameters ")
    assert f"= {needed / 1e9:.4g} GB of" in reason
    assert not (made.out / "predictions.parquet").exists()


def test_what_changes_no_byte_is_not_in_the_run_id(job, tiny):
    made = job(tiny)

    def ids(**switches) -> str:
        return digest(replace(made, target=made.target.model_copy(update=switches)).config())

    plain = ids()
    assert {ids(gradient_checkpointing=True), ids(expandable_segments=True), ids(memory_gb=1.0)} == {plain}
    others = [ids(processes=2), ids(strategy="zero2"), ids(compile=True), ids(tf32=True), ids(threads=1)]
    assert len({plain, *others}) == 6


def test_out_of_memory_shows_in_the_timing(job, tiny, monkeypatch):
    from torch import OutOfMemoryError, nn

    import vitalbench.models

    plain = vitalbench.models.build

    def scarce(*args, **kwargs) -> nn.Module:
        def refuse(module: nn.Module, given: tuple) -> None:
            if module.training and len(given[0]) > 10:
                raise OutOfMemoryError("CUDA out of memory")

        model = plain(*args, **kwargs)
        model.register_forward_pre_hook(refuse)
        return model

    monkeypatch.setattr(vitalbench.models, "build", scarce)
    made = job(tiny)
    assert run_cell(made) == "measured"
    epoch = next(p for p in read_json(made.out / "timing.json")["phases"] if p["name"] == "epoch")
    assert (epoch["batch_size"], epoch["micro_batch"], epoch["halved"]) == (32, 8, 2)
    assert "halved 2 times, to 8 of a batch's 32" in (made.out / "log.txt").read_text()


def test_other_silicon_than_declared_is_refused(job, tiny):
    assert run_cell(job(tiny, target="h100")) == "refused"


def test_a_crash_is_a_status_with_its_traceback_in_the_log(job, tiny):
    broken = tiny.model_copy(update={"model": tiny.model.model_copy(update={"options": {"nonsense": 1}})})
    made = job(broken)
    assert run_cell(made) == "failed"
    assert "nonsense" in read_json(made.out / "status.json")["reason"]
    assert "Traceback" in (made.out / "log.txt").read_text()


def test_nothing_of_an_earlier_run_survives_a_failure(job, tiny):
    run_cell(job(tiny))
    broken = tiny.model_copy(update={"model": tiny.model.model_copy(update={"options": {"nonsense": 1}})})
    made = job(broken)
    run_cell(made)
    assert not (made.out / "predictions.parquet").exists()
    assert not (made.out / "model.safetensors").exists()


def test_the_controls(job, configs):
    for name in ("prevalence", "ideal-observer"):
        made = job(configs.design(name, "small"))
        assert run_cell(made) == "measured"
        predictions = pd.read_parquet(made.out / "predictions.parquet")
        spread = predictions.filter(like="y_prob:").nunique()
        assert (spread == 1).all() if name == "prevalence" else (spread > 20).all()


def test_shuffled_labels_train_on_the_same_labels_in_another_order(job, tiny, monkeypatch):
    seen = {}

    def catch(accelerator, model, batches, settings, kind, training, validation, **_):
        seen[settings.shuffle_labels] = training.labels
        raise KeyboardInterrupt

    monkeypatch.setattr("vitalbench.train.engine.train", catch)
    for shuffle in (False, True):
        design = tiny.model_copy(update={"train": tiny.train.model_copy(update={"shuffle_labels": shuffle})})
        with pytest.raises(KeyboardInterrupt):
            run_cell(job(design))
    assert not (seen[True] == seen[False]).all()
    assert (seen[True].sum(axis=0) == seen[False].sum(axis=0)).all()
