"""Convolution of features that lie side by side, as many at once as a vector of the processor holds (in_lanes.c).

torch transforms one feature at a time; of features that lie beside one another all numbers of a step are one vector already, and a
signal that fills half its circle needs neither a bit reversal nor the symmetry of a real spectrum.
"""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitalbench.compiled import lanes_here, loop

Convolve = Callable[[Tensor, torch.dtype], Tensor]

_SOURCE = Path(__file__).with_name("in_lanes.c")
_ARGUMENTS = [ctypes.c_void_p] * 5 + [ctypes.c_ssize_t] * 4 + [ctypes.c_int]
_LOOPS = {lanes: loop(_SOURCE, *_ARGUMENTS, variant=f"_{lanes}") for lanes in (8, 16)}


def _generation(number: int) -> NDArray[np.float64]:
    """The angles a of the 2^number rings w^n - e^(ia) that w^m - i parts into, in the order in which they come to lie."""
    angles = np.array([np.pi / 2])
    for _ in range(number):
        angles = np.stack([angles / 2, angles / 2 + np.pi], axis=1).ravel()
    return angles


def _angles(size: int) -> Tensor:
    """(rings, 6), of each ring that is parted e^(ia/2), e^(ia/4), e^(i3a/4), generation after generation."""
    angles = np.concatenate([_generation(number) for number in range(max(size.bit_length() - 3, 1))])
    parts = np.exp(1j * np.stack([angles / 2, angles / 4, 3 * angles / 4], axis=1))
    return torch.from_numpy(parts.view(np.float64).astype(np.float32))


def _spectra(circles: Tensor, lanes: int) -> Tensor:
    """Kernels at the roots of unity, in the loop's order and scaled by what it gains: (features / lanes, size, lanes)."""
    features, size = circles.shape
    transform = np.fft.fft(circles.double().numpy()).conj()  # its element k stands at e^(2 pi i k / size)
    roots = np.concatenate([_generation(number) for number in range(size.bit_length() - 3, -1, -1)])
    places = np.rint(roots * size / (2 * np.pi)).astype(int) % size
    of_pairs = np.ascontiguousarray(transform[:, places]) * (2 / size)
    alone = transform[:, [size // 2, 0]].real / size  # at -1 and at 1
    found = np.concatenate([of_pairs.view(np.float64), alone], axis=1)
    laid = found.reshape(features // lanes, lanes, size).transpose(0, 2, 1)
    return torch.from_numpy(laid.astype(np.float32, order="C"))


def in_lanes(circles: Tensor, samples: int, lanes: int | None = None) -> Convolve | None:
    """Convolution with kernels that stay as they are, on one thread.

    Args:
        circles: (features, size), fp32, each kernel on a circle of a power of two, from 4 on, that is twice `samples` or more.
        samples: of the signals.
        lanes: 8 or 16; as many as are soonest here unless given.

    Returns:
        A function of (records, samples, features), fp32, to the same in fp32 or bf16, as it is asked; None where there was no
        compiler, or features fill no lanes.
    """
    features, size = circles.shape
    assert size >= max(2 * samples, 4)
    assert math.log2(size).is_integer()
    lanes = lanes or lanes_here()
    run = _LOOPS[lanes]
    if run is None or features % lanes:
        return None
    spectra, angles = _spectra(circles, lanes), _angles(size)

    def convolve(u: Tensor, dtype: torch.dtype) -> Tensor:
        assert u.shape[1:] == (samples, features)
        assert dtype in (torch.float32, torch.bfloat16)
        u = u.float().contiguous()
        y, scratch = torch.empty_like(u, dtype=dtype), torch.empty(size * lanes)
        half = int(dtype == torch.bfloat16)
        run(*(t.data_ptr() for t in (u, spectra, angles, y, scratch)), len(u), samples, features, size, half)
        return y

    return convolve
