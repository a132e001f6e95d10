"""Convolution of features that lie side by side, as many at once as a vector of the processor holds (in_lanes.c).

torch transforms one feature at a time; of features that lie beside one another all numbers of a step are one vector already, and a
signal that fills half its circle needs neither a bit reversal nor the symmetry of a real spectrum.
"""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from vitalbench.compiled import lanes_here, loop

Convolve = Callable[[Tensor, torch.dtype], Tensor]

_SOURCE = Path(__file__).with_name("in_lanes.c")
_ARGUMENTS = [ctypes.c_void_p] * 5 + [ctypes.c_ssize_t] * 4 + [ctypes.c_int]
_LOOPS = {lanes: loop(_SOURCE, *_ARGUMENTS, variant=f"_{lanes}") for lanes in (8, 16)}
_TYPES = {False: torch.float32, True: torch.bfloat16}
# An operator of torch's, so that whoever watches operators sees this one too, and counts it by `flops`.
_OPERATORS = torch.library.Library("vitalbench_in_lanes", "DEF")  # type: ignore[no-untyped-call]
_OPERATORS.define("convolve(Tensor u, Tensor spectra, Tensor angles, int lanes, bool half) -> Tensor")  # type: ignore[no-untyped-call]


def _convolve(u: Tensor, spectra: Tensor, angles: Tensor, lanes: int, half: bool) -> Tensor:
    run, (records, samples, features), size = _LOOPS[lanes], u.shape, spectra.shape[1]
    assert run is not None
    y = torch.empty_like(u, dtype=_TYPES[half])
    scratch = torch.empty(size * lanes)
    run(*(t.data_ptr() for t in (u, spectra, angles, y, scratch)), records, samples, features, size, int(half))
    return y


def _shaped(u: Tensor, _spectra: Tensor, _angles: Tensor, _lanes: int, half: bool) -> Tensor:
    """What comes out, for a compiler that asks."""
    return torch.empty_like(u, dtype=_TYPES[half])


_OPERATORS.impl("convolve", _convolve, "CPU")  # type: ignore[no-untyped-call]
_OPERATORS.impl("convolve", _shaped, "Meta")  # type: ignore[no-untyped-call]


def _ring_flops(n: int) -> int:
    """Of `multiply_ring` and `multiply_whole` on n complex numbers: 34 for each four that are parted, and again for each joined."""
    fours = (n.bit_length() - 1) // 2
    product = 6 * n if n == 4**fours else 32 * (n // 2)  # rings of one number are left, or of two
    return 2 * 34 * (n // 4) * fours + product


def flops(samples: int, size: int) -> int:
    """Additions and multiplications of numbers that in_lanes.c executes for one feature of one record.

    Args:
        samples: of the signal.
        size: of the circle.
    """
    arc = size // 2
    halves = [arc >> level for level in range(1, arc.bit_length())]  # arc / 2, ..., 1
    apart = sum(2 * n + (1 if n == 1 else _ring_flops(n // 2)) for n in halves)
    return _ring_flops(arc // 2) + apart + 1 + sum(2 * n for n in halves) + samples


@register_flop_formula(torch.ops.vitalbench_in_lanes.convolve)
def _counted(u: Any, spectra: Any, *_rest: Any, **_told: Any) -> int:
    """Of shapes, as torch's counter hands them to formulas."""
    records, samples, features = u
    return int(records * features * flops(samples, spectra[1]))


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
    if _LOOPS[lanes] is None or features % lanes:
        return None
    spectra, angles = _spectra(circles, lanes), _angles(size)

    def convolve(u: Tensor, dtype: torch.dtype) -> Tensor:
        assert u.shape[1:] == (samples, features)
        assert dtype in (torch.float32, torch.bfloat16)
        half = dtype == torch.bfloat16
        y: Tensor = torch.ops.vitalbench_in_lanes.convolve(u.float().contiguous(), spectra, angles, lanes, half)
        return y

    return convolve
