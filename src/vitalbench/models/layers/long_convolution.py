"""Convolution with a kernel as long as the signal, by FFT, with the gradient written out.

Left to itself autograd takes the gradient of a real transform by a complex one of twice the work; here all six are real.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _LongConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, kernel: Tensor) -> Tensor:
        samples = u.shape[-1]
        size = 2 * samples  # padded, so that the circular convolution is a linear one
        signal, response = torch.fft.rfft(u, n=size), torch.fft.rfft(kernel, n=size)
        ctx.save_for_backward(signal, response)
        y: Tensor = torch.fft.irfft(signal * response, n=size)[..., :samples]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        signal, response = ctx.saved_tensors
        (of_y,) = gradients
        samples = of_y.shape[-1]
        size = 2 * samples
        spectrum = torch.fft.rfft(of_y, n=size)
        of_kernel = torch.fft.irfft((spectrum * signal.conj()).sum(dim=0), n=size)[..., :samples]
        of_u = torch.fft.irfft(spectrum * response.conj(), n=size)[..., :samples]
        return of_u, of_kernel


def long_convolution(u: Tensor, kernel: Tensor) -> Tensor:
    """y[i] = sum_{m <= i} kernel[m] u[i - m].

    Args:
        u: (batch, features, samples).
        kernel: (features, samples).

    Returns:
        As `u`.
    """
    y: Tensor = _LongConvolution.apply(u, kernel)  # type: ignore[no-untyped-call]
    return y
