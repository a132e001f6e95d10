"""Seeded changes of training windows of signals, and which change is made to what: those of images are in train/augment_image.py.

What happens to a window depends on the seed, the epoch and its record alone: not on the batch it is in, nor on how many processes
share the batch, nor on what was trained before. A run that is resumed in the middle of an epoch goes on exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.augmentation import (
    Amplitude,
    Augment,
    DropLeads,
    Mask,
    Noise,
    Powerline,
    Stretch,
    Wander,
)
from vitalbench.train.augment_image import contrast, grain, warp

Window = NDArray[np.float32]  # (leads, samples) in millivolt, changed in place
_WANDER_HZ = (0.05, 0.5)


def _factor(rng: np.random.Generator, factor: float) -> float:
    return float(np.exp(rng.uniform(-np.log(factor), np.log(factor))))


def _sine(window: Window, rng: np.random.Generator, rate_hz: float, hz: float, mv: float) -> None:
    at = np.arange(window.shape[1]) / rate_hz
    wave = np.sin(2 * np.pi * (hz * at + rng.random()))
    window += (rng.uniform(-mv, mv, len(window))[:, None] * wave).astype(np.float32)


def stretch(longer: Window, samples: int, rng: np.random.Generator, settings: Stretch) -> Window:
    """A window of `samples` made of a longer piece of its record, (leads, samples); faster no further than the piece goes."""
    furthest = (longer.shape[1] - 1) / max(samples - 1, 1)
    pace = min(_factor(rng, settings.factor), furthest)
    at = np.arange(samples) * pace
    whole = np.arange(longer.shape[1])
    return np.stack([np.interp(at, whole, lead) for lead in longer]).astype(np.float32)


def amplitude(window: Window, rng: np.random.Generator, _rate_hz: float, settings: Amplitude) -> None:
    """All leads by one factor."""
    window *= np.float32(_factor(rng, settings.factor))


def wander(window: Window, rng: np.random.Generator, rate_hz: float, settings: Wander) -> None:
    """A slow sine, of its own size on each lead."""
    _sine(window, rng, rate_hz, rng.uniform(*_WANDER_HZ), settings.mv)


def powerline(window: Window, rng: np.random.Generator, rate_hz: float, settings: Powerline) -> None:
    """The mains, of their own size on each lead."""
    _sine(window, rng, rate_hz, settings.hz, settings.mv)


def noise(window: Window, rng: np.random.Generator, _rate_hz: float, settings: Noise) -> None:
    """White noise, alike on all leads."""
    window += np.float32(rng.uniform(0, settings.mv)) * rng.standard_normal(window.shape, dtype=np.float32)


def mask(window: Window, rng: np.random.Generator, rate_hz: float, settings: Mask) -> None:
    """Zero for a time, at most half of the window."""
    samples = window.shape[1]
    length = min(round(rng.uniform(0, settings.seconds) * rate_hz), samples // 2)
    start = int(rng.integers(0, samples - length + 1))
    window[:, start : start + length] = 0


def drop_leads(window: Window, rng: np.random.Generator, _rate_hz: float, settings: DropLeads) -> None:
    """Zero on some leads."""
    most = min(settings.at_most, len(window) - 1)
    if most:
        window[rng.permutation(len(window))[: rng.integers(1, most + 1)]] = 0


_IN_PLACE: dict[str, Callable[[Window, np.random.Generator, float, Any], None]] = {
    "amplitude": amplitude,
    "wander": wander,
    "powerline": powerline,
    "noise": noise,
    "mask": mask,
    "drop_leads": drop_leads,
    "warp": warp,
    "contrast": contrast,
    "grain": grain,
}


def _stream(seed: int, epoch: int, row: int) -> np.random.Generator:
    """The random numbers of one record in one epoch: a counter-based generator, started where no other record's comes."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, row]))


def augmented(
    pieces: NDArray[np.float32],
    samples: int,
    rate_hz: float,
    settings: Augment,
    seed: int,
    epoch: int,
    rows: Sequence[int],
) -> NDArray[np.float32]:
    """Windows changed as the design says.

    Args:
        pieces: (records, leads, samples or more) in millivolt, more where the design stretches; or images, (records, channels,
            height, width).
        samples: of a window, along the last axis.
        rate_hz: samples a second.
        settings: what happens, to what share of windows.
        seed: of the cell.
        epoch: from 1.
        rows: of the records in the store.

    Returns:
        (records, leads, samples), or images; without a stretch the array given, changed in place.
    """
    windows = pieces if pieces.shape[-1] == samples else np.ascontiguousarray(pieces[..., :samples])
    steps = [(act, step) for name, act in _IN_PLACE.items() if (step := getattr(settings, name)) is not None]
    for at, row in enumerate(rows):
        rng = _stream(seed, epoch, row)
        if settings.stretch and rng.random() < settings.stretch.p:
            windows[at] = stretch(pieces[at], samples, rng, settings.stretch)
        for act, step in steps:
            if rng.random() < step.p:
                act(windows[at], rng, rate_hz, step)
    return windows
