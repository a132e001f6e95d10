"""S4D, a state-space model with a diagonal state matrix (Gu et al. 2022, arXiv 2206.11893), S4D-Lin initialisation.

A layer is a long convolution whose kernel is a sum of damped complex exponentials, applied by FFT; all its layers see the whole
window. Kernel and step size keep a small learning rate of their own without weight decay, as in the paper's experiments.
"""

import math

import torch
from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding
from vitalbench.models.layers.headed import Headed
from vitalbench.models.layers.long_convolution import long_convolution

_KERNEL_LEARNING_RATE = 1e-3


def _slow(parameter: nn.Parameter) -> nn.Parameter:
    """Mark a parameter for train/optimiser.py: its learning rate is capped and it is not decayed."""
    parameter.learning_rate_cap = _KERNEL_LEARNING_RATE  # type: ignore[attr-defined]
    return parameter


class DiagonalStateSpace(nn.Module):
    """(batch, width, samples) -> the same shape: y = k * u + D u.

    The kernel is k[l] = 2 Re sum_n C_n (exp(dt A_n) - 1) / A_n exp(dt A_n l).
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        half = state // 2  # the other half are complex conjugates
        low, high = math.log(1e-3), math.log(1e-1)
        self.log_dt = _slow(nn.Parameter(torch.rand(width) * (high - low) + low))
        self.log_decay = _slow(nn.Parameter(torch.full((width, half), math.log(0.5))))
        self.frequency = _slow(nn.Parameter(math.pi * torch.arange(half).float().repeat(width, 1)))
        self.output = nn.Parameter(torch.view_as_real(torch.randn(width, half, dtype=torch.cfloat)))
        self.skip = nn.Parameter(torch.randn(width))

    def kernel(self, samples: int) -> Tensor:
        """The convolution kernel, (width, samples)."""
        pole = torch.complex(-self.log_decay.exp(), self.frequency)
        step = pole * self.log_dt.exp()[:, None]
        weight = torch.view_as_complex(self.output) * (step.exp() - 1) / pole
        at = torch.arange(samples, device=step.device)
        # exp(step l) by its size and angle: a complex exp takes several times as long
        powers = torch.polar((step.real[:, :, None] * at).exp(), step.imag[:, :, None] * at)
        return 2 * torch.einsum("hn,hnl->hl", weight, powers).real

    def forward(self, u: Tensor) -> Tensor:
        return long_convolution(u, self.kernel(u.shape[-1])) + u * self.skip[:, None]


class Layer(nn.Module):
    """State space, GELU, a gated pointwise map, and a residual with layer norm behind it."""

    def __init__(self, width: int, state: int, dropout: float) -> None:
        super().__init__()
        self.space = DiagonalStateSpace(width, state)
        self.mix = nn.Sequential(
            nn.GELU(), nn.Dropout1d(dropout), nn.Conv1d(width, 2 * width, 1), nn.GLU(dim=1), nn.Dropout1d(dropout)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm((x + self.mix(self.space(x))).transpose(1, 2)).transpose(1, 2)
        return y


class Encoder(Encoding):
    """(batch, leads, samples) -> (batch, width): the mean over time of the last layer."""

    def __init__(self, leads: int, width: int, depth: int, state: int, dropout: float) -> None:
        super().__init__()
        self.features, self.channels, self.stride = width, width, 1
        self.stem = nn.Conv1d(leads, width, 1)
        self.layers = nn.Sequential(*(Layer(width, state, dropout) for _ in range(depth)))

    def sequence(self, x: Tensor) -> Tensor:
        """(batch, width, samples)."""
        known: Tensor = self.layers(self.stem(x))
        return known

    def forward(self, x: Tensor) -> Tensor:
        return self.sequence(x).mean(dim=2)


def build(
    *,
    leads: int,
    samples: int,  # noqa: ARG001 - the kernel is computed for the length it meets
    classes: int,
    width: int = 128,
    depth: int = 4,
    state: int = 64,
    dropout: float = 0.1,
) -> nn.Module:
    """The configuration of the authors' example, which they state with 200 K parameters."""
    return Headed(Encoder(leads, width, depth, state, dropout), nn.Linear(width, classes))
