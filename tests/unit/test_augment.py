"""Augmentation changes training windows as it says, the same way however the batches fall, and nothing else."""

import numpy as np
import pytest
import torch

from vitalbench.config.augmentation import Augment
from vitalbench.config.design import Train, Window
from vitalbench.config.strict import validated
from vitalbench.data.store import Store
from vitalbench.errors import ConfigError
from vitalbench.train.augment import augmented
from vitalbench.train.batches import Batches, Scale

RATE = 100
EVERYTHING = Augment.model_validate(
    {
        "stretch": {"factor": 1.2},
        "amplitude": {"factor": 1.5},
        "wander": {"mv": 0.2},
        "powerline": {"mv": 0.05},
        "noise": {"mv": 0.05},
        "mask": {"seconds": 0.5},
        "drop_leads": {"at_most": 3},
    }
)


def always(**step) -> Augment:
    ((name, settings),) = step.items()
    return Augment.model_validate({name: {"p": 1.0, **settings}})


def ones(records: int, samples: int = 500) -> np.ndarray:
    return np.ones((records, 4, samples), dtype=np.float32)


def change(settings: Augment, records: int = 200, samples: int = 500, pieces=None) -> np.ndarray:
    pieces = ones(records, samples) if pieces is None else pieces
    return augmented(pieces, samples, RATE, settings, 0, 1, range(len(pieces)))


def test_a_window_is_changed_by_its_seed_epoch_and_record_alone():
    pieces = np.random.default_rng(0).standard_normal((40, 4, 600)).astype(np.float32)

    def made(rows, seed=3, epoch=2):
        return augmented(pieces[list(rows)].copy(), 500, RATE, EVERYTHING, seed, epoch, rows)

    whole = made(range(40))
    assert np.array_equal(whole[[7, 31]], made([7, 31]))  # in another batch
    assert np.array_equal(whole[[31, 7]], made([31, 7]))  # in another order
    assert not np.array_equal(whole, made(range(40), epoch=3))
    assert not np.array_equal(whole, made(range(40), seed=4))


def test_each_happens_to_its_share_of_windows():
    changed = (change(Augment.model_validate({"amplitude": {"factor": 2.0, "p": 0.3}}), 2000) != 1).all(axis=(1, 2))
    assert changed.mean() == pytest.approx(0.3, abs=0.04)  # four standard errors
    assert np.array_equal(change(Augment.model_validate({"noise": {"mv": 1.0, "p": 0.0}})), ones(200))


def test_amplitude_is_one_factor_for_all_leads_as_often_larger_as_smaller():
    factors = change(always(amplitude={"factor": 2.0}), 2000)
    assert np.ptp(factors, axis=(1, 2)).max() == 0
    logarithms = np.log2(factors[:, 0, 0])
    assert -1 <= logarithms.min() < -0.95
    assert 0.95 < logarithms.max() <= 1
    assert logarithms.mean() == pytest.approx(0, abs=0.06)


def test_noise_is_white_and_no_larger_than_stated():
    found = change(always(noise={"mv": 0.2}), 400) - 1
    assert 0.15 < found.std(axis=2).max() < 0.23
    later = (found[:, :, 1:] * found[:, :, :-1]).mean() / np.square(found).mean()
    assert abs(later) < 0.01


@pytest.mark.parametrize(
    ("step", "settings", "hz"), [("powerline", {"mv": 0.1, "hz": 20.0}, 20.0), ("wander", {"mv": 0.1}, 0.3)]
)
def test_sines_have_their_frequency_and_size(step, settings, hz):
    found = change(always(**{step: settings}), 100, samples=4000) - 1
    assert 0.09 < np.abs(found).max() <= 0.1
    peak = np.abs(np.fft.rfft(found[:, 0])).argmax(axis=1) * RATE / 4000
    assert np.abs(peak - hz).max() <= (0.3 if step == "wander" else 0.03)


def test_a_stretched_sine_has_another_frequency_within_the_factor():
    at = np.arange(1250) / RATE
    pieces = np.tile(np.sin(2 * np.pi * 5 * at).astype(np.float32), (300, 2, 1))
    found = augmented(pieces, 1000, RATE, always(stretch={"factor": 1.25}), 0, 1, range(300))
    hz = np.abs(np.fft.rfft(found[:, 0])).argmax(axis=1) * RATE / 1000
    assert 4.0 <= hz.min() < 4.2
    assert 6.0 < hz.max() <= 6.3
    assert np.abs(found).max() <= 1


def test_a_mask_is_one_stretch_of_time_on_all_leads_and_never_most_of_a_window():
    for window in change(always(mask={"seconds": 1.0})):
        silent = (window == 0).all(axis=0)
        assert np.array_equal(silent, (window == 0).any(axis=0))
        assert silent.sum() <= RATE
        assert np.abs(np.diff(silent.astype(int))).sum() <= 2
    assert (change(always(mask={"seconds": 100.0})) == 0).mean(axis=(1, 2)).max() <= 0.5


def test_leads_are_dropped_whole_and_one_stays():
    gone = (change(always(drop_leads={"at_most": 99})) == 0).mean(axis=2)
    assert set(np.unique(gone)) == {0.0, 1.0}
    assert set(gone.sum(axis=1)) == {1, 2, 3}
    assert np.array_equal(
        augmented(ones(5)[:, :1], 500, RATE, always(drop_leads={"at_most": 1}), 0, 1, range(5)), ones(5)[:, :1]
    )


WINDOW = Window(seconds=2.5, stride_seconds=2.5, aggregate="mean")


def batches(small_store, augment: Augment | None, size: int = 16, window: Window | None = WINDOW) -> Batches:
    return Batches(Store(small_store), Scale(0.1, 0.5), window, size, augment)


def epoch(made: Batches, number: int = 1):
    rows = np.arange(60)
    return [(x, chosen) for x, _, chosen in made.epoch(rows, np.zeros((60, 2), np.float32), 0, number, False)]


def by_record(found):
    return {int(row): x[k] for x, chosen in found for k, row in enumerate(chosen)}


def test_only_training_windows_are_changed(small_store):
    plain, changed = batches(small_store, None), batches(small_store, EVERYTHING)
    for (x, _), (y, _) in zip(plain.windows(np.arange(20)), changed.windows(np.arange(20)), strict=True):
        assert torch.equal(x, y)
    assert not torch.equal(epoch(plain)[0][0], epoch(changed)[0][0])


def test_steps_that_never_happen_change_no_byte_of_an_epoch(small_store):
    never = Augment.model_validate({"noise": {"mv": 1.0, "p": 0.0}, "mask": {"seconds": 1.0, "p": 0.0}})
    for (x, at), (y, again) in zip(epoch(batches(small_store, None)), epoch(batches(small_store, never)), strict=True):
        assert torch.equal(x, y)
        assert np.array_equal(at, again)


@pytest.mark.parametrize("window", [WINDOW, None])
def test_the_size_of_batches_changes_no_window(small_store, window):
    first = by_record(epoch(batches(small_store, EVERYTHING, 16, window)))
    second = by_record(epoch(batches(small_store, EVERYTHING, 7, window)))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[row], second[row]) for row in first)


def test_a_misspelt_step_is_told_with_the_nearest():
    train = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1, "augment": {"nois": {"mv": 0.1}}}
    with pytest.raises(ConfigError, match=r"key 'augment\.nois' .*noise"):
        validated(Train, train, "d.yaml")


IMAGES = Augment.model_validate(
    {
        "warp": {"degrees": 10, "shift": 0.1, "zoom": 1.2},
        "contrast": {"factor": 1.3, "light": 0.1},
        "grain": {"share": 0.05},
    }
)


def spots(count: int) -> np.ndarray:
    """Images of one bright spot in the middle of 33 x 33 pixels."""
    down, across = np.mgrid[:33, :33] - 16
    return np.repeat(np.exp(-(down**2 + across**2) / 18)[None, None], count, axis=0).astype(np.float32)


def middle(image: np.ndarray) -> tuple[float, float]:
    """The centre of an image's light."""
    down, across = np.mgrid[:33, :33]
    return float((image[0] * down).sum() / image[0].sum()), float((image[0] * across).sum() / image[0].sum())


def test_an_image_is_changed_by_its_seed_epoch_and_record_alone():
    def made(rows, epoch=2):
        return augmented(spots(len(rows)), 33, 0, IMAGES, 3, epoch, rows)

    whole = made(range(20))
    assert np.array_equal(whole[[13, 4]], made([13, 4]))
    assert not np.array_equal(whole, made(range(20), epoch=3))
    assert not np.array_equal(whole[0], whole[1])


def test_a_shift_moves_an_image_by_no_more_than_its_share():
    moved = np.array(
        [middle(image) for image in augmented(spots(200), 33, 0, always(warp={"shift": 0.1}), 0, 1, range(200))]
    )
    away = np.abs(moved - 16)
    assert 2.0 < away.max() <= 3.3 + 0.05  # a tenth of 33 pixels
    assert abs(moved.mean(axis=0) - 16).max() < 0.5


def test_a_zoom_changes_the_size_of_what_is_seen_and_a_turn_its_angle():
    settings = always(warp={"zoom": 1.5})
    light = augmented(spots(200), 33, 0, settings, 0, 1, range(200)).sum(axis=(1, 2, 3)) / spots(1).sum()
    assert 1.8 < light.max() <= 1.5**2 + 0.05
    assert 0.4 < light.min() < 0.6
    down, across = np.mgrid[:33, :33] - 16.0
    bar = np.exp(-(down**2) / 8 - across**2 / 128).astype(np.float32)[None, None]
    turned = augmented(np.repeat(bar, 200, axis=0), 33, 0, always(warp={"degrees": 20}), 0, 1, range(200))[:, 0]
    both = (turned * down * across).sum(axis=(1, 2)), (turned * (across**2 - down**2)).sum(axis=(1, 2))
    angle = np.rad2deg(np.arctan2(2 * both[0], both[1]) / 2)
    assert 15 < np.abs(angle).max() <= 20.5


def test_contrast_is_about_the_images_own_mean():
    images = spots(100)
    changed = augmented(images.copy(), 33, 0, always(contrast={"factor": 2.0}), 0, 1, range(100))
    assert np.allclose(changed.mean(axis=(1, 2, 3)), images.mean(), atol=1e-5)
    ratio = changed.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert 0.5 <= ratio.min() < 0.6
    assert 1.7 < ratio.max() <= 2.0
    lighter = augmented(images.copy(), 33, 0, always(contrast={"light": 0.2}), 0, 1, range(100)) - images
    assert 0.15 < np.abs(lighter).max() <= 0.2 + 1e-5
