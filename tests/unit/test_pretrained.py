"""A design that starts from pre-training carries that run's id, and starts from no run that has seen whom it is tested on."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.unit.test_cell import job as cell_job
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.run import evaluate_run
from vitalbench.files import read_json
from vitalbench.models import build
from vitalbench.split.audit import leaks_of
from vitalbench.train.cell import run_cell
from vitalbench.train.pretrained import PretrainedRun

assert cell_job  # a fixture, which the next one takes by its name


@pytest.fixture
def job(cell_job):
    """A job factory on one thread: these models are small, and two threads would wait for one another."""

    def make(design):
        made = cell_job(design)
        return replace(made, target=made.target.model_copy(update={"threads": 1}))

    return make


OPTIONS = {"width": 8, "depth": 1, "state": 8, "hidden": 16}


@pytest.fixture
def designs(configs):
    """A pre-training design and one that starts from it, small."""

    def small(name: str, **train):
        design = configs.design(name, "small")
        model = design.model.model_copy(update={"options": {**design.model.options, **OPTIONS}})
        return design.model_copy(
            update={"model": model, "train": design.train.model_copy(update={"epochs": 1, "batch_size": 16, **train})}
        )

    return small("s4-12x128-masked"), small("s4-12x128")


@pytest.mark.parametrize("name", ["contrastive", "order"])
def test_every_pretext_trains_an_encoder_to_start_from(job, configs, designs, name):
    asked = configs.design(f"s4-12x128-{name}", "small")
    first = designs[0].model_copy(update={"recipe": asked.recipe, "masked": None})
    made = job(first)
    assert run_cell(made) == "measured"
    model = designs[1].model
    fresh = build(model.name, model.options, leads=8, samples=1000, classes=5)
    fresh.encoder.load_state_dict(PretrainedRun(made.out).encoder())


@pytest.fixture
def started(job, designs):
    """The job of a pre-training run that has ended, and a job that starts from it."""
    first, second = designs
    made = job(first)
    made = replace(made, out=made.out.with_name("first"))
    assert run_cell(made) == "measured"
    return made, replace(job(second), pretrained=PretrainedRun(made.out))


def test_a_pretraining_run_predicts_nothing_and_says_whom_it_has_seen(started):
    made, _ = started
    assert not (made.out / "predictions.parquet").exists()
    seen = pd.read_csv(made.out / "trained_on.csv", dtype=str)
    split = pd.read_csv(made.split, dtype=str)
    assert set(seen["record_id"]) == set(split.loc[split["split"] == "train", "record_id"])
    evaluate_run(made.out, "multilabel", 100, 0)
    assert read_json(made.out / "metrics.json")["rows"] == []


def test_a_run_starts_from_the_encoder_and_carries_the_runs_id(started):
    made, second = started
    assert run_cell(second) == "measured"
    before, after = (load_file(one.out / "model.safetensors") for one in (made, second))
    shared = [name for name in before if name.startswith("encoder.")]
    assert shared
    assert all(torch.equal(before[name], after[name]) for name in shared)
    provenance = read_json(second.out / "provenance.json")
    assert provenance["data"]["pretrained"] == read_json(made.out / "status.json")["run_id"]
    assert provenance["chain"][0] == {**provenance["chain"][0], "link": "pretrained"}
    assert replace(second, pretrained=None).run_id() != second.run_id()


def test_fine_tuning_changes_the_encoder_it_started_from(started, job, designs):
    made, second = started
    tuned = designs[1].model_copy(update={"recipe": "supervised", "fast": None})
    second = replace(second, design=tuned)
    assert run_cell(second) == "measured"
    before, after = (load_file(one.out / "model.safetensors") for one in (made, second))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("encoder."))


@pytest.mark.parametrize(
    ("planted", "check"),
    [
        ("patient", "patient-overlap pretrain-test: 1"),
        ("copy", "identical-samples pretrain-test: 1"),
        ("record", "record-overlap pretrain-val: 1"),
    ],
)
def test_a_planted_overlap_is_refused_by_the_name_of_the_check(started, planted, check):
    """A patient of the test split among those pre-trained on; a test record under another name; a record of validation."""
    made, second = started
    split = pd.read_csv(second.split, dtype=str)
    records = pd.read_parquet(second.store.with_name("records.parquet")).set_index("record_id")
    seen = pd.read_csv(made.out / "trained_on.csv", dtype=str)
    held = split[split["split"] == ("val" if planted == "record" else "test")].iloc[0]
    row = {
        "patient": ["elsewhere/1", held["patient_id"], "0"],
        "copy": ["elsewhere/1", "elsewhere/p1", records.loc[held["record_id"], "digest"]],
        "record": [held["record_id"], "elsewhere/p1", "0"],
    }[planted]
    seen.loc[len(seen)] = row
    seen.to_csv(made.out / "trained_on.csv", index=False)
    assert run_cell(second) == "not-allowed"
    reason = read_json(second.out / "status.json")["reason"]
    assert reason.startswith("the pre-training has seen those that are to be held out: ")
    assert check in reason
    kept = read_json(second.out / "pretrained.json")
    assert kept["run_id"] == read_json(made.out / "status.json")["run_id"]
    assert {row["split"] for row in kept["checks"]} == {"pretrain-val", "pretrain-test"}
    assert check.split(": ")[0] in {
        f"{row['check']} {row['split']}" for row in kept["checks"] if row["verdict"] == "leak"
    }
    assert not (second.out / "predictions.parquet").exists()


def test_another_fold_of_the_same_data_is_such_an_overlap(started, configs):
    """What was trained on in one fold is tested on in another."""
    from vitalbench.split.assign import assign

    made, second = started
    records = pd.read_parquet(second.store.with_name("records.parquet"))
    other = assign(records, configs.task("superdiagnostic"), 3)
    checks = PretrainedRun(made.out).audited(other, records.set_index("record_id")["digest"])
    assert "patient-overlap pretrain-test" in leaks_of(checks)


def test_weights_other_than_the_run_left_them_are_not_started_from(started):
    made, second = started
    raw = bytearray((made.out / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (made.out / "model.safetensors").write_bytes(raw)
    with pytest.raises(InputError, match="not as the pre-training run left it"):
        PretrainedRun(made.out).encoder()
    assert run_cell(second) == "failed"
    assert "not as the pre-training run left it" in read_json(second.out / "status.json")["reason"]


def test_a_failed_start_fails_what_starts_from_it(started):
    made, second = started
    status = (made.out / "status.json").read_text().replace('"measured"', '"failed"')
    (made.out / "status.json").write_text(status)
    assert run_cell(second) == "failed"
    assert "the run it starts from is failed" in read_json(second.out / "status.json")["reason"]


def test_an_encoder_of_another_size_is_told(started, designs):
    _, second = started
    model = designs[1].model
    wider = model.model_copy(update={"options": {**model.options, "width": 12}})
    assert run_cell(replace(second, design=designs[1].model_copy(update={"model": wider}))) == "failed"
    assert "the encoder is not that of the run it starts from" in read_json(second.out / "status.json")["reason"]


def small_suite(project, **design):
    path = project / "configs/designs/s4-12x128.yaml"
    content = yaml.safe_load(path.read_text()) | {"pretrained": "s4-12x128-masked"} | design
    path.write_text(yaml.safe_dump(content))
    suite = yaml.safe_load((project / "configs/suites/quick.yaml").read_text())
    suite["grids"] = [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["s4-12x128"], "seeds": [0, 1]}]
    (project / "configs/suites/quick.yaml").write_text(yaml.safe_dump(suite))
    folder = ConfigFolder(project / "configs")
    return make_plan(folder, folder.knobs({}))


def test_the_plan_adds_the_run_that_a_design_starts_from(project):
    cells = [(cell.design, cell.seed) for cell in small_suite(project).running]
    assert cells == [("s4-12x128-masked", 0), ("s4-12x128-masked", 1), ("s4-12x128", 0), ("s4-12x128", 1)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pretrained": "s4d"}, "'s4d' has the recipe 'supervised', which trains no encoder"),
        ({"pretrained": "s4-12x128-maskd"}, "nearest: s4-12x128-masked"),
        ({"leads": ["I"]}, "has other 'leads'"),
        ({"leads": ["V7"], "pretrained": None}, "has no lead 'V7'"),
        ({"leads": ["I", "I"]}, "a lead is named twice"),
        ({"fast": {"kernels": False}}, "write 'in_cache: false'"),
        ({"fast": {"kernel": False}}, "nearest: kernels"),
        ({"model": {"name": "xresnet1d"}, "small": {}}, "has another model, so its encoder is another one"),
        (
            {"model": {"name": "s4", "options": {"width": 64}}},
            "has 128 for 'model.options.width', here 64, so its encoder is another one",
        ),
        ({"window": {"seconds": 2.5, "stride_seconds": 2.5, "aggregate": "max"}}, "leave out 'window'"),
        ({"recipe": "supervised", "fast": {}}, "'fast' is about a frozen encoder"),
        ({"masked": {}}, "'masked' needs 'recipe: masked-modelling'"),
        (
            {"model": {"name": "xresnet1d"}, "small": {}, "pretrained": None, "fast": {"precision": "bf16"}},
            "'fast.precision' is about an encoder whose function is known by constants, and that of 'xresnet1d' is not",
        ),
        ({"model": {"name": "s4", "options": {"width": 0}}}, "width' is 0: input should be greater than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(project, change, said):
    with pytest.raises(ConfigError, match="s4-12x128") as caught:
        small_suite(project, **change)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_an_encoder_of_its_own_is_told_which_have_one(project, tmp_path, monkeypatch):
    from vitalbench.config import model_options

    shutil.copytree(model_options.FOLDER, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "models/whole.py").write_text("def build(*, leads: int, samples: int, classes: int): ...")
    monkeypatch.setattr(model_options, "FOLDER", tmp_path / "models")
    with pytest.raises(ConfigError, match="needs a model with an encoder apart from its head; allowed: inception1d"):
        small_suite(project, model={"name": "whole"}, small={})


def test_kept_features_are_not_allowed_on_several_processes(project):
    path = project / "configs/targets/cpu.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"processes": 2}))
    fates = {(p.cell.design, p.status) for p in small_suite(project).cells if p.cell.target == "cpu"}
    assert fates == {("s4-12x128", "not-allowed"), ("s4-12x128-masked", "")}


CONTRASTIVE = {"recipe": "contrastive", "fast": None, "pretrained": None, "published": None, "small": {}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            CONTRASTIVE | {"train": {"epochs": 1, "batch_size": 8, "learning_rate": 1.0, "micro_batch": 4}},
            "takes no 'train.micro_batch'",
        ),
        (
            CONTRASTIVE | {"train": {"epochs": 1, "batch_size": 1, "learning_rate": 1.0}},
            "a 'train.batch_size' of 2 or more",
        ),
        (
            CONTRASTIVE | {"train": {"epochs": 1, "batch_size": 8, "learning_rate": 1.0, "shuffle_labels": True}},
            "no labels",
        ),
        (CONTRASTIVE | {"contrastive": {"temperature": 1e-45}}, "greater than or equal to 0.001"),
        (
            CONTRASTIVE | {"contrastive": {"seconds": 6}},
            "contrastive.seconds is 6: what is left of a record of 'ptbxl'",
        ),
        (
            CONTRASTIVE | {"recipe": "masked-modelling", "masked": {"seconds": 1e-9}},
            "masked.seconds is 1e-09: .*allowed: 0.01 to 5 s",
        ),
        (
            CONTRASTIVE | {"recipe": "temporal-order", "order": {"gap_seconds": 100}},
            "order.gap_seconds is 100: .*allowed: 0.01 to 5 s",
        ),
    ],
)
def test_what_an_encoder_cannot_learn_from_is_refused_before_it_is_asked(project, change, said):
    with pytest.raises(ConfigError, match=said) as caught:
        small_suite(project, **change)
    assert "\n" not in str(caught.value)


def test_a_batch_told_apart_is_not_divided_over_processes(project):
    path = project / "configs/targets/cpu.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"processes": 2}))
    (found,) = {(p.status, p.reason) for p in small_suite(project, **CONTRASTIVE).cells if p.cell.target == "cpu"}
    assert found[0] == "not-allowed"
    assert "told apart from all others of its batch" in found[1]


def test_masked_modelling_learns_to_fill_in(job, designs):
    """What it says of blanks is nearer than the mean of all leads, whose error is one by standardisation."""
    first, _ = designs
    longer = first.model_copy(update={"train": first.train.model_copy(update={"epochs": 6, "learning_rate": 0.01})})
    made = job(longer)
    assert run_cell(made) == "measured"
    history = pd.read_csv(made.out / "history.csv")
    assert history["val_loss"].iloc[-1] < min(0.98, history["val_loss"].iloc[0])
    assert np.isfinite(history["train_loss"]).all()
