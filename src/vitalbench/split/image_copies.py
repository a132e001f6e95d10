"""Near-duplicate images of a store: the same picture under another name, lighter, darker, of other contrast, noisy, stored anew.

Every image is brought to one band and one scale, so that its light and its contrast are gone, and is correlated with every other,
by blocked matrix products. A picture that was cropped, moved or turned correlates no more than another picture of the same person
does, and is not found. Memory holds a vector of at most 1,600 numbers an image.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import fft
from threadpoolctl import threadpool_limits

from vitalbench.split.fingerprint import Floats

SIMILAR, COPY = 0.9, 0.96  # docs/DATA.md has what real images gave
_SIDE = 40  # points that are kept of an axis
_BOTTOM, _TOP, _SLOPE = 3.0, 16.0, 4.0  # cycles a side: above the body's outline, below what storing anew changes
_READ, _COMPARE = 128, 512  # images read, images compared at once


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _band(wave: Floats) -> Floats:
    """How much of each wave, by its cycles a side, is kept: rising with the root, so that fine structure counts as coarse does."""
    rise, fall = (wave - _BOTTOM + 1).clip(0, 1), ((_TOP + _SLOPE - wave) / _SLOPE).clip(0, 1)
    return np.asarray(rise * fall * np.sqrt(wave), dtype=np.float32)


def prepare(images: Floats) -> Floats:
    """(records, channels, height, width) to vectors of length 1, (records, numbers); of a blank image 0."""
    rows, columns = (min(_SIDE, side) for side in images.shape[2:])
    spectrum = fft.rfft2(images.astype(np.float32, copy=False))
    down = np.round(fft.fftfreq(rows) * rows).astype(int)
    across = np.arange(columns // 2 + 1)
    kept = spectrum[:, :, down][..., across]
    wave = np.hypot(down[:, None], across[None, :]).astype(np.float32)
    banded = fft.irfft2(kept * _band(wave), s=(rows, columns)).reshape(len(images), -1)
    length = np.linalg.norm(banded, axis=1, keepdims=True)
    level = np.abs(images).reshape(len(images), -1).max(axis=1, initial=1e-3)[:, None] * 1e-3
    vectors: Floats = np.divide(banded, length, out=np.zeros_like(banded), where=length > level)
    return vectors.astype(np.float32)


def search(count: int, read: Callable[[NDArray[np.intp]], Floats], threads: int) -> pd.DataFrame:
    """Pairs of images, known by their positions, that correlate as a copy may: a, b, similarity, copy; the most similar first.

    Args:
        read: positions in, (records, channels, height, width) out.
    """
    every = np.arange(count)

    def compare(block: slice) -> NDArray[np.float64]:
        alike = vectors[block] @ vectors[block.start :].T
        a, b = np.nonzero(alike >= SIMILAR)
        later = b > a
        pairs = np.column_stack([a[later] + block.start, b[later] + block.start, alike[a[later], b[later]]])
        return pairs.astype(np.float64)

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        vectors = np.concatenate(list(pool.map(lambda block: prepare(read(every[block])), _blocks(count, _READ))))
        found = np.concatenate(list(pool.map(compare, _blocks(count, _COMPARE))))
    table = pd.DataFrame({"a": found[:, 0].astype(np.intp), "b": found[:, 1].astype(np.intp)})
    table["similarity"] = found[:, 2].clip(max=1).round(6)
    table["copy"] = table["similarity"] >= COPY
    return table.sort_values(["similarity", "a", "b"], ascending=[False, True, True], ignore_index=True)
