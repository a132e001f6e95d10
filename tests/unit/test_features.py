"""Features of a frozen encoder are computed once, survive a kill, and train the same head as an encoder in every step."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.unit.test_cell import job as cell_job
from vitalbench.config.design import Design, EarlyStopping, Train
from vitalbench.data.store import Store
from vitalbench.errors import ConfigError, Interrupted
from vitalbench.files import read_json
from vitalbench.measure.clock import Stopwatch
from vitalbench.train.batches import Batches, Scale
from vitalbench.train.cell import run_cell
from vitalbench.train.features import PART_BATCHES, computed_once
from vitalbench.train.leads import SomeLeads, lead_positions
from vitalbench.train.sealed import damage

assert cell_job  # a fixture, which the next one takes by its name


@pytest.fixture
def job(cell_job):
    """A job factory on one thread: these models are small, and two threads would wait for one another."""

    def make(design):
        made = cell_job(design)
        return replace(made, target=made.target.model_copy(update={"threads": 1}))

    return make


LEFT = ("model.safetensors", "predictions.parquet")


@pytest.fixture
def tiny(configs) -> Design:
    design = configs.design("s4-12x128-random", "small")
    options = {**design.model.options, "width": 8, "depth": 1, "state": 8}
    train = design.train.model_copy(
        update={"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "early_stopping": None}
    )
    return design.model_copy(update={"model": design.model.model_copy(update={"options": options}), "train": train})


def changed(design: Design, **fast) -> Design:
    return design.model_copy(update={"fast": design.computed.model_copy(update=fast)})


PLAIN = {"features": False, "kernels": False, "in_cache": False, "precision": "fp32"}


def test_kept_features_train_the_same_head_as_the_encoder_in_every_step(job, tiny):
    found = {}
    for name, fast in (("plain", PLAIN), ("kept", {"precision": "fp32"})):
        made = job(changed(tiny, **fast))
        assert run_cell(made) == "measured"
        found[name] = pd.read_parquet(made.out / "predictions.parquet").filter(like="y_prob:").to_numpy()
        facts = read_json(made.out / "provenance.json")["facts"]
        assert facts["parameters"] == sum(8 * 256 + 256 + 256 * 5 + 5 for _ in [0])
        assert facts["encoder_precision"] == "fp32"
        shutil.rmtree(made.out)
    assert np.abs(found["plain"] - found["kept"]).max() < 1e-5


def test_an_encoder_without_constants_says_the_precision_that_it_ran_in(job, configs):
    """`auto` is bf16 where the processor has it, and of an encoder that is run as it is trained that is fp32."""
    design = configs.design("xresnet1d101", "small")
    options = {**design.model.options, "layers": [1], "width": 8}
    frozen = {"recipe": "frozen-features", "window": None, "published": None}
    train = design.train.model_copy(update={"epochs": 1, "batch_size": 32, "early_stopping": None})
    made = job(
        design.model_copy(
            update=frozen | {"train": train, "model": design.model.model_copy(update={"options": options})}
        )
    )
    assert run_cell(made) == "measured"
    assert read_json(made.out / "provenance.json")["facts"]["encoder_precision"] == "fp32"


def test_only_the_head_is_other_than_it_was_built(job, tiny):
    from safetensors.torch import load_file

    made = job(tiny)
    assert run_cell(made) == "measured"
    once = load_file(made.out / "model.safetensors")
    longer = tiny.model_copy(update={"train": tiny.train.model_copy(update={"epochs": 3})})
    made = job(longer)
    assert run_cell(made) == "measured"
    again = load_file(made.out / "model.safetensors")
    differ = {name.split(".")[0] for name in once if not torch.equal(once[name], again[name])}
    assert differ == {"head"}


def batches_of(store: Store, size: int) -> Batches:
    source = SomeLeads(store, lead_positions(store.leads, ["V1", "I"]))
    return Batches(source, Scale(0.0, 1.0), None, size)


def test_each_record_is_encoded_once_and_found_by_its_row(small_store, tmp_path):
    store = Store(small_store)
    rows, seen = np.array([30, 3, 17, 3, 29, 4]), []

    def encode(x):
        seen.append(len(x))
        return x.mean(dim=2)

    features, seconds = computed_once(encode, batches_of(store, 2), rows, tmp_path / "f", Stopwatch(), lambda _: None)
    assert sum(seen) == 5
    assert len(seconds) == len(seen)
    plain = store.read(rows)[:, [store.leads.index("V1"), store.leads.index("I")]].mean(axis=2)
    assert np.allclose(features.read(rows), plain, atol=1e-6)


def test_sound_parts_are_taken_over_and_a_damaged_one_is_made_again(small_store, tmp_path):
    store, told, seen = Store(small_store), [], []
    rows = np.arange(3 * PART_BATCHES)

    def encode(x):
        seen.append(len(x))
        return x.mean(dim=2)

    def compute():
        seen.clear()
        return computed_once(encode, batches_of(store, 1), rows, tmp_path / "f", Stopwatch(), told.append)

    first, seconds = compute()
    kept = first.read(rows)
    parts = sorted((tmp_path / "f").iterdir())
    assert len(parts) == 3
    assert not any(damage(part) for part in parts)
    again, seconds_again = compute()
    assert not seen
    assert seconds_again == seconds
    assert np.array_equal(again.read(rows), kept)
    raw = bytearray((parts[1] / "features.npy").read_bytes())
    raw[-1] ^= 1
    (parts[1] / "features.npy").write_bytes(raw)
    (tmp_path / "f" / ".part-0002.half").mkdir()
    mended, _ = compute()
    assert sum(seen) == PART_BATCHES
    assert any("features part-0001 are damaged" in line for line in told)
    assert np.array_equal(mended.read(rows), kept)
    assert not list((tmp_path / "f").glob(".*"))


def test_a_run_killed_while_it_computes_features_goes_on_with_those_that_are_there(job, tiny, monkeypatch):
    from vitalbench.train import features

    made = job(tiny)
    assert run_cell(made) == "measured"
    whole = {name: (made.out / name).read_bytes() for name in LEFT}
    assert not list((made.out / "checkpoints").rglob("features"))
    shutil.rmtree(made.out)

    compute, calls = features._compute, []

    def killed(*given):
        calls.append(1)
        if len(calls) == 2:
            raise Interrupted("ended by SIGKILL", 9)
        return compute(*given)

    monkeypatch.setattr(features, "_compute", killed)
    with pytest.raises(Interrupted, match="goes on with the features that are there"):
        run_cell(made)
    assert not (made.out / "status.json").exists()
    calls.append(1)
    assert run_cell(made) == "measured"
    assert "1 of " in (made.out / "log.txt").read_text()
    assert {name: (made.out / name).read_bytes() for name in LEFT} == whole


def test_frozen_features_are_timed_apart_from_the_steps_they_spare(configs, small_dataset, tiny):
    from vitalbench.config.schema import Protocol
    from vitalbench.measure.steps import measure

    protocol = Protocol(warmup=1, repeats=2, seconds=0.001, inference_batches=[1])
    task, target = configs.task("superdiagnostic"), configs.target("cpu")
    asked = ["features", "train_step"]
    kept = measure(tiny, small_dataset, task, target, protocol, asked, exclusive=False)
    assert [phase.name for phase in kept] == asked
    plain = changed(tiny, **PLAIN)
    with pytest.raises(ConfigError, match="phase 'features': the design keeps no features"):
        measure(plain, small_dataset, task, target, protocol, asked, exclusive=False)
    timed = measure(plain, small_dataset, task, target, protocol, ["train_step"], exclusive=False)
    assert [phase.name for phase in timed] == ["train_step"]


def test_the_settings_of_a_frozen_design_are_the_reports(configs):
    stated = Train(
        epochs=10, batch_size=32, learning_rate=1e-4, weight_decay=0.01, clip_norm=None,
        early_stopping=EarlyStopping(patience=10),
    )  # fmt: skip
    for name, plain, batch in (("s4-12x128-random", "s4-12x128-plain", 32), ("s4-36x256", "s4-36x256-plain", 16)):
        design = configs.design(name, "full")
        assert design.train == stated.model_copy(update={"batch_size": batch})
        assert design.leads == ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
        plain = configs.design(plain, "full")
        assert plain.computed.model_dump() == PLAIN
        same = {"fast", "description", "published"}
        assert plain.model_dump(exclude=same) == design.model_dump(exclude=same)


def test_random_and_pretrained_differ_in_where_the_encoder_comes_from_alone(configs):
    aside = {"description", "pretrained"}
    for size in ("small", "full"):
        random, pretrained = (configs.design(name, size) for name in ("s4-12x128-random", "s4-12x128"))
        assert random.model_dump(exclude=aside) == pretrained.model_dump(exclude=aside)
        assert (random.pretrained, pretrained.pretrained) == (None, "s4-12x128-masked")
