"""Convolution with a kernel that looks back and one that looks ahead, by FFT: the plain way, which others are held to."""

import torch
from torch import Tensor
from torch.nn import functional


def joined(kernels: Tensor, size: int) -> Tensor:
    """Both kernels on a circle of at least twice their length, (features, size): sample m of the one ahead stands at -1 - m."""
    back, ahead = kernels
    room = size - back.shape[-1]
    return functional.pad(back, (0, room)) + functional.pad(ahead.flip(-1), (room, 0))


def convolve(u: Tensor, kernels: Tensor) -> Tensor:
    """y[i] = sum_{m <= i} back[m] u[i - m] + sum_m ahead[m] u[i + m + 1].

    Args:
        u: (batch, features, samples).
        kernels: (2, features, samples), back and ahead.

    Returns:
        As `u`.
    """
    samples = u.shape[-1]
    size = 2 * samples  # padded, so that the circular convolution is a linear one
    spectrum = torch.fft.rfft(u, n=size) * torch.fft.rfft(joined(kernels, size))
    y: Tensor = torch.fft.irfft(spectrum, n=size)[..., :samples]
    return y
