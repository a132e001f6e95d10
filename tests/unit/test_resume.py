"""A run that is cut off anywhere and gone on with ends as if nothing had been; what was done twice is told."""

import itertools
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.test_training import SETTINGS, WINDOW, bytes_of, examples
from vitalbench.config.augmentation import Augment
from vitalbench.config.design import EarlyStopping
from vitalbench.data.store import Store
from vitalbench.errors import Interrupted
from vitalbench.interrupt import Interrupt
from vitalbench.train.batches import Batches, Scale
from vitalbench.train.checkpoints import Checkpoints, listed
from vitalbench.train.engine import prepare_torch, train
from vitalbench.train.keeper import Keeper
from vitalbench.train.state import REST, TENSORS

EVERY_STEP, EVERY_EPOCH = 1e-9, 1e9  # minutes
STEPS = 4
SECONDS = ("seconds", "data_wait_s", "lost_s")


def small_model() -> nn.Module:
    """Everything that has a state of its own: weights, running means, and dropout that draws from torch's random numbers."""
    return nn.Sequential(
        nn.Conv1d(12, 8, 9, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(8, 2),
    )  # fmt: skip


class CutOff(BaseException):
    """What a kill is to the loop: nothing of it runs on."""


class Mortal(Keeper):
    """Is cut off once so many batches are taken: after the step, and before or after it was saved."""

    dies_at, saved = -1, True

    def after_step(self, state):
        if state.course.taken == self.dies_at and not self.saved:
            raise CutOff
        super().after_step(state)
        if state.course.taken == self.dies_at:
            raise CutOff


@pytest.fixture
def batches(small_store):
    store = Store(small_store)
    return Batches(store, Scale.fit(store, np.arange(100)), WINDOW, 16)


@pytest.fixture
def run(configs, batches, tmp_path):
    """Train one run in `tmp_path`, each call a process of its own as far as the run can tell."""
    said = []

    def start(
        settings=SETTINGS, minutes=EVERY_EPOCH, folder=tmp_path, run_id="run", backup=None, keeper=Mortal, of=None,
        model=None, **traits,
    ):  # fmt: skip
        target = configs.target("cpu")
        accelerator = prepare_torch(target, 0)
        checkpoints = Checkpoints(folder, run_id, backup, said.append)
        checkpoints.open()
        with Interrupt("USR1") as interrupt:
            made = keeper(checkpoints, minutes, interrupt, said.append)
            for name, value in traits.items():
                setattr(made, name, value)
            trained = train(
                accelerator, (model or small_model)(), of or batches, settings, "multilabel",
                examples(batches, range(STEPS * 16)), examples(batches, range(80, 100)),
                seed=0, target=target, say=said.append, keeper=made,
            )  # fmt: skip
        return trained, made

    start.said = said
    return start


def course_of(trained):
    return [{key: value for key, value in row.items() if key not in SECONDS} for row in trained.history]


@pytest.fixture
def whole(run, tmp_path):
    """The same run, never cut off."""

    def start(settings=SETTINGS):
        return run(settings, folder=tmp_path / "whole")[0]

    return start


@pytest.mark.parametrize(("minutes", "saved"), [(EVERY_STEP, True), (EVERY_STEP, False), (EVERY_EPOCH, True)])
@pytest.mark.parametrize("dies_at", [1, STEPS, STEPS + 1, 3 * STEPS])
def test_cut_off_anywhere_it_ends_with_the_same_bytes(run, whole, dies_at, saved, minutes):
    with pytest.raises(CutOff):
        run(minutes=minutes, dies_at=dies_at, saved=saved)
    again, _ = run(minutes=minutes)
    plain = whole()
    assert bytes_of(again.model) == bytes_of(plain.model)
    assert course_of(again) == course_of(plain)


class Images:
    """A store of images, in memory."""

    rate_hz, samples = 0, 24

    def read(self, rows, start=0, length=None):
        found = np.stack([np.random.default_rng(int(row)).random((1, 24, 24)) for row in rows]).astype(np.float32)
        first = np.broadcast_to(start, len(rows))
        return np.stack([image[..., at : at + (length or 24)] for image, at in zip(found, first, strict=True)])


def image_model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(8, 2),
    )  # fmt: skip


def test_on_augmented_images_too_it_ends_with_the_same_bytes(run, tmp_path):
    """Warps and light are drawn by seed, epoch and record, so an epoch that was cut off goes on with the same images."""
    augment = Augment.model_validate({"warp": {"degrees": 10, "shift": 0.1}, "contrast": {"factor": 1.3, "light": 0.1}})
    told = {"of": Batches(Images(), Scale(0.5, 0.3), None, 16, augment), "model": image_model}
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=STEPS + 2, **told)
    again, keeper = run(**told)
    plain, _ = run(folder=tmp_path / "whole", **told)
    assert keeper.told()["n_resumed"] == 1
    assert bytes_of(again.model) == bytes_of(plain.model)
    assert course_of(again) == course_of(plain)
    other = {"of": Batches(Images(), Scale(0.5, 0.3), None, 16), "model": image_model}
    assert bytes_of(run(folder=tmp_path / "plain", **other)[0].model) != bytes_of(plain.model)  # augmentation matters


@pytest.mark.parametrize(
    "change", [{"schedule": "constant"}, {"schedule": "cosine", "optimizer": "sgd"}, {"clip_norm": None}]
)
def test_every_schedule_and_optimiser_is_gone_on_with(run, whole, change):
    settings = SETTINGS.model_copy(update=change)
    with pytest.raises(CutOff):
        run(settings, minutes=EVERY_STEP, dies_at=STEPS + 2)
    assert bytes_of(run(settings)[0].model) == bytes_of(whole(settings).model)


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_early_stopping_remembers_its_best_epoch(run, whole, monkeypatch, epoch):
    """The losses are given by the epoch: the second is the best, and the run ends with the fourth."""
    told = {"epoch": 0}
    losses = [0.9, 0.5, 0.7, 0.8, 0.1]

    class Counted(Mortal):
        def breakable(self, state):
            told["epoch"] = state.course.epoch
            return super().breakable(state)

    monkeypatch.setattr("vitalbench.train.engine.validation_loss", lambda *_: losses[told["epoch"] - 1])
    settings = SETTINGS.model_copy(update={"epochs": 5, "early_stopping": EarlyStopping(patience=2)})
    with pytest.raises(CutOff):
        run(settings, keeper=Counted, minutes=EVERY_STEP, dies_at=epoch * STEPS)
    again, _ = run(settings, keeper=Counted)
    plain, _ = run(settings, keeper=Counted, run_id="plain")
    assert again.kept_epoch == plain.kept_epoch == 2
    assert len(again.history) == 4
    assert bytes_of(again.model) == bytes_of(plain.model)


def test_a_run_that_had_ended_is_not_trained_on(run):
    first, _ = run()
    again, keeper = run()
    assert bytes_of(first.model) == bytes_of(again.model)
    assert keeper.told()["lost_steps"] == 0
    assert again.steps == first.steps


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_in_a_step_saves_and_ends(run, whole, tmp_path, number):
    class Signalled(Keeper):
        def after_step(self, state):
            if state.course.taken == STEPS + 2:
                os.kill(os.getpid(), number)
            super().after_step(state)

    with pytest.raises(Interrupted, match=number.name):
        run(keeper=Signalled)
    assert listed(tmp_path / "checkpoints/run")[-1].name == "epoch-00002-batch-0000002"
    again, keeper = run()
    assert keeper.told()["n_resumed"] == 1
    assert keeper.told()["lost_steps"] == 0
    assert bytes_of(again.model) == bytes_of(whole().model)


def test_a_signal_in_a_validation_breaks_it_off_and_saves_the_epoch_before_it(run, whole, tmp_path, monkeypatch):
    from vitalbench.train import engine

    plain = whole()
    calls = []

    def validate(*given):
        calls.append(given)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return engine_validation(*given)

    engine_validation = engine.validation_loss
    monkeypatch.setattr("vitalbench.train.engine.validation_loss", validate)
    with pytest.raises(Interrupted):
        run()
    assert listed(tmp_path / "checkpoints/run")[-1].name == f"epoch-00002-batch-{STEPS:07d}"
    again, keeper = run()
    assert bytes_of(again.model) == bytes_of(plain.model)
    assert course_of(again) == course_of(plain)
    assert keeper.told()["lost_steps"] == 0


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(run, whole, tmp_path):
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=STEPS + 3)
    before, newest = listed(tmp_path / "checkpoints/run")[-2:]
    content = bytearray((newest / TENSORS).read_bytes())
    content[-5] ^= 0x10
    (newest / TENSORS).write_bytes(content)
    again, keeper = run(minutes=EVERY_STEP)
    assert f"checkpoint {newest.name} is damaged ({TENSORS}: sealed as " in "\n".join(run.said)
    assert f"goes on from checkpoint {before.name}; 1 batches" in "\n".join(run.said)
    assert keeper.told()["lost_steps"] == 1
    assert bytes_of(again.model) == bytes_of(whole().model)


def test_a_damaged_count_of_what_was_lost_is_told_and_keeps_nothing_from_going_on(run, whole, tmp_path):
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=3)
    (tmp_path / "checkpoints/run/attempts/00001").write_bytes(b"")
    again, keeper = run()
    said = "\n".join(run.said)
    assert "warning: what an earlier start of the run lost is not known: " in said
    assert "goes on from checkpoint epoch-00001-batch-0000003; how far it had come beyond that is not known" in said
    assert keeper.told()["n_resumed"] == 1
    assert bytes_of(again.model) == bytes_of(whole().model)


def test_a_file_in_a_checkpoints_place_is_a_damaged_one(run, whole, tmp_path):
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=3)
    before, newest = listed(tmp_path / "checkpoints/run")[-2:]
    shutil.rmtree(newest)
    newest.write_text("no folder")
    again, _ = run()
    assert f"goes on from checkpoint {before.name}" in "\n".join(run.said)
    assert bytes_of(again.model) == bytes_of(whole().model)


def test_where_all_are_damaged_it_begins_anew(run, whole, tmp_path):
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=3)
    for checkpoint in listed(tmp_path / "checkpoints/run"):
        (checkpoint / REST).write_text("{}")
    again, keeper = run()
    assert "goes on from the beginning: there is no checkpoint; 3 batches" in "\n".join(run.said)
    assert keeper.told()["lost_steps"] == 3
    assert bytes_of(again.model) == bytes_of(whole().model)


def test_another_configurations_checkpoints_stay_aside(run, tmp_path):
    with pytest.raises(CutOff):
        run(run_id="old", minutes=EVERY_STEP, dies_at=3)
    _, keeper = run(run_id="new")
    assert [line for line in run.said if "aside" in line] == ["checkpoints of another configuration stay aside: old"]
    assert keeper.told()["n_resumed"] == 0
    assert listed(tmp_path / "checkpoints/old")


def test_what_was_lost_is_told_and_the_clock_is_carried_over(run):
    for dies_at in (STEPS + 3, STEPS + 2, 2 * STEPS + 1):
        with pytest.raises(CutOff):
            run(dies_at=dies_at)
    trained, keeper = run()
    told = keeper.told()
    assert told["n_resumed"] == 3
    assert told["lost_steps"] == 3 + 2 + 1
    assert told["lost_seconds"] == pytest.approx(sum(row["lost_s"] for row in trained.history), abs=1e-3)
    assert [row["lost_s"] > 0 for row in trained.history] == [False, True, True]
    assert told["setup_again_seconds"] > 0
    assert [row["seconds"] for row in trained.history] == pytest.approx(trained.seconds, abs=1e-3)


def test_an_epochs_seconds_add_up_over_the_interruptions(run, monkeypatch):
    """On a clock that ticks once a look, an epoch in two parts has the ticks of both."""
    monkeypatch.setattr("vitalbench.measure.clock.time.perf_counter", itertools.count().__next__)
    with pytest.raises(CutOff):
        run(minutes=EVERY_STEP, dies_at=STEPS - 1)
    trained, keeper = run(minutes=EVERY_STEP)
    start, again = keeper._attempts.starts()
    assert again.seconds > 0
    assert again.seconds == pytest.approx(
        start.reached_seconds, abs=3
    )  # the clock is looked at before and after the save
    assert trained.seconds[0] > again.seconds
    assert sum(trained.seconds) == pytest.approx(again.reached_seconds, abs=1)


def test_the_two_newest_and_the_best_are_kept(run, tmp_path, monkeypatch):
    losses = iter([0.5, 0.1, 0.7, 0.8, 0.9])
    monkeypatch.setattr("vitalbench.train.engine.validation_loss", lambda *_: next(losses))
    _, keeper = run(SETTINGS.model_copy(update={"epochs": 5}))
    names = ["epoch-00003-batch-0000000", "epoch-00005-batch-0000000", "epoch-00006-batch-0000000"]
    assert [path.name for path in listed(keeper.checkpoints.folder)] == names
    for keep, left in (("best-and-last", [names[0], names[2]]), ("last", [names[2]]), ("none", [])):
        keeper.checkpoints.end(keep)
        assert [path.name for path in listed(keeper.checkpoints.folder)] == left
    assert not keeper.checkpoints.folder.exists()


def test_a_run_that_ended_well_is_not_gone_on_with_but_begun_anew(run):
    _, keeper = run()
    keeper.checkpoints.end("best-and-last")
    _, keeper = run(dies_at=None)
    assert keeper.told() == keeper.told() | {"n_resumed": 0, "resume_seconds": 0}
    assert len(keeper._attempts.files()) == 1
