"""One engine: it learns what can be learnt, gives the same bytes again, keeps the best weights, and stops on nonsense."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from vitalbench.config.design import EarlyStopping, Train, Window
from vitalbench.data.store import Store
from vitalbench.models import build
from vitalbench.train.batches import Batches, Scale, window_samples
from vitalbench.train.context import Judge, TrainingFailure
from vitalbench.train.engine import Examples, prepare_torch, score, train

SETTINGS = Train(epochs=3, batch_size=16, learning_rate=0.01, schedule="one-cycle", clip_norm=1.0)
WINDOW = Window(seconds=2.5, stride_seconds=2.5, aggregate="mean")


@pytest.fixture
def batches(small_store):
    store = Store(small_store)
    return Batches(store, Scale.fit(store, np.arange(100)), WINDOW, 16)


def examples(batches: Batches, rows: range, labels: np.ndarray | None = None) -> Examples:
    chosen = np.array(rows)
    y = np.random.default_rng(0).integers(0, 2, (len(chosen), 2)).astype(np.float32) if labels is None else labels
    return Examples(chosen, y, [f"r{row}" for row in chosen])


def run(configs, batches, settings, training, validation, seed=0, model=None, judge=None):
    target = configs.target("cpu")
    accelerator = prepare_torch(target, seed)
    options = {"layers": [1, 1], "width": 16}
    model = model or build("xresnet1d", options, leads=12, samples=250, classes=training.labels.shape[1])
    trained = train(
        accelerator,
        model,
        batches,
        settings,
        "multilabel",
        training,
        validation,
        seed=seed,
        target=target,
        say=lambda _: None,
        judge=judge,
    )
    return trained, accelerator


def bytes_of(model: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())


def test_the_same_seed_gives_the_same_bytes(configs, batches):
    training, validation = examples(batches, range(60)), examples(batches, range(60, 80))
    first, accelerator = run(configs, batches, SETTINGS, training, validation)
    predictions = score(accelerator, first.model, batches, validation.rows, "multilabel")
    again, accelerator = run(configs, batches, SETTINGS, training, validation)
    assert bytes_of(first.model) == bytes_of(again.model)
    assert np.array_equal(predictions, score(accelerator, again.model, batches, validation.rows, "multilabel"))
    other, _ = run(configs, batches, SETTINGS, training, validation, seed=1)
    assert bytes_of(first.model) != bytes_of(other.model)


def test_it_learns_what_can_be_learnt(configs, batches):
    """The label is the sign of a lead's mean absolute voltage against its median: easy, and above chance only if learnt."""
    rows = np.arange(100)
    loud = np.abs(batches.store.read(rows)).mean(axis=(1, 2))
    labels = (loud > np.median(loud)).astype(np.float32)[:, None]
    training = examples(batches, range(80), labels[:80])
    settings = SETTINGS.model_copy(update={"epochs": 12})
    trained, accelerator = run(configs, batches, settings, training, examples(batches, range(0), labels[:0]))
    found = score(accelerator, trained.model, batches, rows[80:], "multilabel")[:, 0]
    positive = labels[80:, 0] == 1
    assert (found[positive][:, None] > found[~positive][None]).mean() > 0.8
    assert trained.history[-1]["train_loss"] < trained.history[0]["train_loss"]


def test_history_counts_steps_and_epochs(configs, batches):
    trained, _ = run(configs, batches, SETTINGS, examples(batches, range(40)), examples(batches, range(40, 60)))
    assert [row["epoch"] for row in trained.history] == [1, 2, 3]
    assert [row["steps"] for row in trained.history] == [3, 6, 9]
    assert trained.kept_epoch == 3
    assert all(math.isfinite(row["val_loss"]) for row in trained.history)


def test_early_stopping_keeps_the_best_epoch(configs, batches, monkeypatch):
    losses = iter([0.9, 0.5, 0.7, 0.8, 0.1])
    monkeypatch.setattr("vitalbench.train.engine.validation_loss", lambda *_: next(losses))
    settings = SETTINGS.model_copy(
        update={"epochs": 5, "early_stopping": EarlyStopping(patience=2), "schedule": "constant"}
    )
    training, validation = examples(batches, range(40)), examples(batches, range(40, 60))
    trained, _ = run(configs, batches, settings, training, validation)
    assert trained.kept_epoch == 2
    assert len(trained.history) == 4
    two, _ = run(
        configs,
        batches,
        settings.model_copy(update={"epochs": 2, "early_stopping": None}),
        training,
        examples(batches, range(0)),
    )
    assert bytes_of(trained.model) == bytes_of(two.model)


def test_a_loss_that_is_not_finite_names_the_records(configs, batches):
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(12, 2)

        def forward(self, x):
            return self.line(x.mean(dim=2)) / 0.0

    told = (
        r"the loss is (nan|inf) in epoch 1, batch 1: not one with a finite value, so the model rather than a record; "
        r"those of the batch: (r\d+, ){7}r\d+ and 8 more$"
    )
    with pytest.raises(TrainingFailure, match=told):
        run(configs, batches, SETTINGS, examples(batches, range(40)), examples(batches, range(0)), model=Broken())


@pytest.mark.parametrize("micro_batch", [None, 6])
def test_of_a_batch_with_one_bad_record_that_one_is_named(configs, batches, monkeypatch, micro_batch):
    """Though batch norm takes it into the values, and into the running means, of all the others."""
    read = type(batches.store).read

    def spoilt(self, rows, *place):
        found = read(self, rows, *place)
        found[rows == 21] = np.nan
        return found

    monkeypatch.setattr(type(batches.store), "read", spoilt)
    model = nn.Sequential(
        nn.Conv1d(12, 4, 9, stride=4), nn.BatchNorm1d(4), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)
    )  # fmt: skip
    settings = SETTINGS.model_copy(update={"micro_batch": micro_batch})
    with pytest.raises(TrainingFailure, match=r"the loss is nan in epoch 1, batch \d: without a finite value: r21$"):
        run(configs, batches, settings, examples(batches, range(40)), examples(batches, range(0)), model=model)


def test_a_batch_of_which_no_record_is_at_fault_by_itself_is_named_whole(configs, batches, monkeypatch):
    monkeypatch.setattr("vitalbench.train.step.loss_function", lambda _: lambda logits, _: logits.sum() / 0.0)
    with pytest.raises(TrainingFailure, match=r"no record by itself; those of the batch: (r\d+, ){7}r\d+ and 8 more$"):
        run(configs, batches, SETTINGS, examples(batches, range(40)), examples(batches, range(0)))


def test_a_validation_loss_that_is_not_finite_names_the_records(configs, batches, monkeypatch):
    read = type(batches.store).read

    def spoilt(self, rows, *place):
        found = read(self, rows, *place)
        found[rows == 45] = np.nan
        return found

    monkeypatch.setattr(type(batches.store), "read", spoilt)
    with pytest.raises(TrainingFailure, match=r"^the validation loss is nan: without a finite value: r45$"):
        run(configs, batches, SETTINGS, examples(batches, range(40)), examples(batches, range(40, 60)))


def test_validation_records_are_judged_by_their_probabilities_which_changes_nothing(configs, batches):
    seen = []

    def value(labels, probabilities):
        seen.append(probabilities)
        return float((labels - probabilities).mean()) if len(seen) > 1 else None

    training, validation = examples(batches, range(40)), examples(batches, range(40, 60))
    plain, _ = run(configs, batches, SETTINGS, training, validation)
    judged, accelerator = run(configs, batches, SETTINGS, training, validation, judge=Judge("gap", value))
    assert bytes_of(judged.model) == bytes_of(plain.model)
    assert "val_gap" not in plain.history[0]
    assert np.array_equal(seen[-1], score(accelerator, judged.model, batches, validation.rows, "multilabel"))
    told = [float((validation.labels - one).mean()) for one in seen]
    assert [row["val_gap"] for row in judged.history] == [None, *told[1:]]


def test_an_epoch_takes_every_record_once_and_another_order_each_time(batches):
    training = examples(batches, range(50))
    orders = []
    for epoch in (1, 2):
        chosen = [c for _, _, c in batches.epoch(training.rows, training.labels, 0, epoch, drop_last=False)]
        orders.append(np.concatenate(chosen))
    assert sorted(orders[0]) == list(range(50))
    assert not np.array_equal(orders[0], orders[1])
    dropped = [c for _, _, c in batches.epoch(training.rows, training.labels, 0, 1, drop_last=True)]
    assert [len(c) for c in dropped] == [16, 16, 16]


def test_an_epoch_gone_on_with_has_the_batches_that_were_left(batches):
    training = examples(batches, range(50))
    whole = list(batches.epoch(training.rows, training.labels, 0, 3, drop_last=False))
    for first in range(len(whole) + 1):
        rest = list(batches.epoch(training.rows, training.labels, 0, 3, drop_last=False, first=first))
        assert len(rest) == len(whole) - first
        for (x, y, chosen), (other_x, other_y, other) in zip(rest, whole[first:], strict=True):
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)
            assert np.array_equal(chosen, other)


def test_a_set_smaller_than_a_batch_is_still_trained_on(batches):
    assert batches.steps(10, drop_last=True) == 1


@pytest.mark.parametrize(("stride", "starts"), [(1.25, 7), (2.5, 4), (10.0, 1)])
def test_windows_cover_a_record_as_the_stride_says(stride, starts):
    length, found = window_samples(Window(seconds=2.5, stride_seconds=stride, aggregate="max"), 1000, 100)
    assert length == 250
    assert len(found) == starts
    assert found[-1] + length <= 1000


def test_aggregation_is_the_maximum_or_the_mean_of_the_windows(configs, batches):
    torch.manual_seed(0)
    model = build("xresnet1d", {"layers": [1], "width": 16}, leads=12, samples=250, classes=2).eval()
    accelerator = prepare_torch(configs.target("cpu"), 0)
    rows = np.arange(5)
    with torch.inference_mode():
        each = torch.stack([model(x).sigmoid().double() for x, _ in batches.windows(rows)])
    mean = score(accelerator, model, batches, rows, "multilabel")
    by_max = Batches(batches.store, batches.scale, WINDOW.model_copy(update={"aggregate": "max"}), 16)
    highest = score(accelerator, model, by_max, rows, "multilabel")
    assert np.allclose(mean, each.mean(dim=0).numpy())
    assert np.allclose(highest, each.amax(dim=0).numpy())


@pytest.mark.parametrize("aggregate", ["max", "mean"])
def test_probabilities_of_exclusive_classes_add_up_to_one(configs, batches, aggregate):
    model = build("xresnet1d", {"layers": [1], "width": 16}, leads=12, samples=250, classes=4)
    windows = Batches(batches.store, batches.scale, WINDOW.model_copy(update={"aggregate": aggregate}), 16)
    found = score(prepare_torch(configs.target("cpu"), 0), model, windows, np.arange(20), "multiclass")
    assert np.allclose(found.sum(axis=1), 1)


def test_the_scale_is_fitted_on_the_rows_given_and_no_others(small_store):
    store = Store(small_store)
    rows = np.arange(37)
    scale = Scale.fit(store, rows)
    signals = store.read(rows).astype(np.float64)
    assert scale.mean == pytest.approx(signals.mean())
    assert scale.std == pytest.approx(signals.std())
