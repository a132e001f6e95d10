"""Seeded changes of training images; each is called as those of signals are (train/augment.py).

None turns left into right: the heart would lie on the other side, which is a finding of its own.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from vitalbench.config.augmentation import Contrast, Grain, Warp

Image = NDArray[np.float32]  # (channels, height, width), changed in place


def _within(rng: np.random.Generator, most: float) -> float:
    return float(rng.uniform(-most, most))


def warp(image: Image, rng: np.random.Generator, _rate_hz: float, settings: Warp) -> None:
    """Turned, enlarged and moved about its middle in one pass, between pixels by the nearest four, beyond the edge by the edge."""
    angle = np.deg2rad(_within(rng, settings.degrees))
    factor = np.exp(_within(rng, np.log(settings.zoom)))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / factor
    sides = np.array(image.shape[1:])
    moved = np.array([_within(rng, settings.shift), _within(rng, settings.shift)]) * sides
    middle = (sides - 1) / 2
    offset = middle - turned @ (middle + moved)
    for channel in image:
        channel[:] = affine_transform(channel, turned, offset, order=1, mode="nearest")


def contrast(image: Image, rng: np.random.Generator, _rate_hz: float, settings: Contrast) -> None:
    """Differences from the image's own mean by one factor, and all of it lighter or darker."""
    mean = image.mean()
    image -= mean
    image *= np.float32(np.exp(_within(rng, np.log(settings.factor))))
    image += mean + np.float32(_within(rng, settings.light))


def grain(image: Image, rng: np.random.Generator, _rate_hz: float, settings: Grain) -> None:
    """White noise, pixel by pixel."""
    image += np.float32(rng.uniform(0, settings.share)) * rng.standard_normal(image.shape, dtype=np.float32)
