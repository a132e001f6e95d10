"""The convolution kernels of S4: a bilinear discretisation of HiPPO-LegS (Gu et al. 2022, arXiv 2111.00396, algorithm 1).

A kernel k[l] = C A_d^l B_d of so many samples is evaluated at the roots of unity w; there it is a sum over states of Cauchy's
kernel 1 / (z - step pole) with z = 2 (1 - w) / (1 + w), corrected for the part of rank one by Woodbury's identity; an inverse
FFT gives its samples. z has a pole at w = -1, so its numerator and denominator are kept apart. What is trained is
C (1 - A_d^samples), as in the paper: the roots of unity sum the series up to its end, not to infinity.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from vitalbench.models.state_space.hippo import decomposed

_SHORTEST, _LONGEST = 1e-3, 1e-1  # of a step, drawn log-uniformly a feature


def _real(values: Tensor) -> Tensor:
    return torch.view_as_real(values.resolve_conj()).contiguous()


class HippoKernels(nn.Module):
    """Two kernels a feature, (2, features, samples): one looks back, the other ahead. Only `output` is trained.

    Args:
        state: states of each feature's system, even.
        samples: of the kernels, and of the signals they are for.
    """

    poles: Tensor
    inputs: Tensor
    low_rank_out: Tensor
    low_rank_in: Tensor
    log_step: Tensor
    numerator: Tensor
    denominator: Tensor

    def __init__(self, features: int, state: int, samples: int) -> None:
        super().__init__()
        self.samples = samples
        half = state // 2
        self.output = nn.Parameter(_real(torch.randn(2, features, half, dtype=torch.cfloat)))
        system = decomposed(state)
        constants = {
            "poles": system.poles,
            "inputs": system.inputs,
            "low_rank_out": system.low_rank,
            "low_rank_in": system.low_rank.conj(),
        }
        for name, values in constants.items():
            self.register_buffer(name, _real(torch.from_numpy(values).to(torch.cfloat).repeat(features, 1)))
        low, high = math.log(_SHORTEST), math.log(_LONGEST)
        self.register_buffer("log_step", torch.rand(features) * (high - low) + low)
        roots = np.exp(-2j * np.pi * np.arange(samples // 2 + 1) / samples)
        self.register_buffer("numerator", _real(torch.from_numpy(2 * (1 - roots)).to(torch.cfloat)))
        self.register_buffer("denominator", _real(torch.from_numpy(1 + roots).to(torch.cfloat)))

    def forward(self) -> Tensor:
        """The kernels, computed anew."""
        inputs, out, into, outputs = (
            torch.view_as_complex(values) for values in (self.inputs, self.low_rank_out, self.low_rank_in, self.output)
        )
        step = self.log_step.exp()[:, None, None]
        # Rows: C B of both kernels, Q B; C P of both, Q P; each over the states of half the conjugate pairs.
        left = torch.stack([*outputs, into], dim=1)  # (features, 3, half)
        weights = torch.cat([left * inputs[:, None], left * out[:, None]], dim=1)
        cauchy = 2 * step * self._cauchy(weights, step)
        forward_b, backward_b, into_b, forward_p, backward_p, into_p = cauchy.unbind(1)
        half = torch.view_as_complex(self.denominator) / 2
        correction = half * into_b / (1 + half * into_p)
        spectra = torch.stack([forward_b - forward_p * correction, backward_b - backward_p * correction])
        kernels: Tensor = torch.fft.irfft(spectra, n=self.samples)
        return kernels

    def _cauchy(self, weights: Tensor, step: Tensor) -> Tensor:
        """Sums over all states, (features, sums, roots), of weight / (2 (1 - w) - step (1 + w) pole)."""
        poles = torch.view_as_complex(self.poles)[:, :, None]
        numerator, denominator = torch.view_as_complex(self.numerator), torch.view_as_complex(self.denominator)
        scaled = step * denominator
        of_half = weights @ (numerator - scaled * poles).reciprocal()
        sums: Tensor = of_half + weights.conj() @ (numerator - scaled * poles.conj()).reciprocal()
        return sums
