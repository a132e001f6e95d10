"""S4 in gated residual blocks, as in SSSD-ECG (Alcaraz and Strodthoff 2023, arXiv 2301.08227), with a classifier's head.

An encoder of convolutions and pairs of state-space layers (Gu et al. 2022, arXiv 2111.00396), whose blocks each give a part of the
output; their sum, averaged over time, is what the head classifies. The kernels are computed anew at every pass.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from vitalbench.models.layers.encoding import Encoding
from vitalbench.models.layers.headed import Headed
from vitalbench.models.state_space.convolution import convolve
from vitalbench.models.state_space.kernel import HippoKernels


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Module:
    conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.kaiming_normal_(conv.weight)
    normed: nn.Module = weight_norm(conv)
    return normed


class StateSpace(nn.Module):
    """(batch, features, samples) -> the same: both kernels, GELU, a linear map, and a residual with layer norm behind it."""

    def __init__(self, features: int, state: int, samples: int) -> None:
        super().__init__()
        self.kernels = HippoKernels(features, state, samples)
        self.skip = nn.Parameter(torch.randn(features))
        self.mix = nn.Linear(features, features)
        self.norm = nn.LayerNorm(features)

    def forward(self, u: Tensor) -> Tensor:
        y = functional.gelu(convolve(u, self.kernels()) + self.skip[:, None] * u)
        mixed = self.mix.weight @ y + self.mix.bias[:, None]
        normed: Tensor = self.norm((u + mixed).transpose(1, 2)).transpose(1, 2)
        return normed


class Block(nn.Module):
    """A convolution, two state-space layers and a gate; what passes it goes on and out: (carried on, contributed)."""

    def __init__(self, width: int, skip: int, state: int, samples: int) -> None:
        super().__init__()
        self.conv = _conv(width, 2 * width, 3)
        self.spaces = nn.Sequential(StateSpace(2 * width, state, samples), StateSpace(2 * width, state, samples))
        self.carried = _conv(width, width, 1)
        self.contributed = _conv(width, skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        content, gate = self.spaces(self.conv(x)).chunk(2, dim=1)
        gated = torch.tanh(content) * torch.sigmoid(gate)
        return (x + self.carried(gated)) * math.sqrt(0.5), self.contributed(gated)


class Encoder(Encoding):
    """(batch, leads, samples) -> (batch, skip): the mean over time of what the blocks contribute."""

    def __init__(self, leads: int, samples: int, width: int, skip: int, depth: int, state: int) -> None:
        super().__init__()
        self.features, self.channels, self.stride = skip, skip, 1
        self.idle = True  # what the last block would carry on
        self.stem = _conv(leads, width, 1)
        self.blocks = nn.ModuleList(Block(width, skip, state, samples) for _ in range(depth))

    def sequence(self, x: Tensor) -> Tensor:
        """(batch, skip, samples): what the blocks contribute, before the mean."""
        x = torch.relu(self.stem(x))
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for block in self.blocks:
            x, contributed = block(x)
            total = total + contributed
        return total * math.sqrt(1 / len(self.blocks))

    def forward(self, x: Tensor) -> Tensor:
        return self.sequence(x).mean(dim=2)


def build(
    *,
    leads: int,
    samples: int,
    classes: int,
    width: int = 128,
    depth: int = 12,
    state: int = 64,
    hidden: int | None = 256,
    dropout: float = 0.3,
) -> nn.Module:
    """The smaller configuration of the report that names it, 12 blocks of 128 channels; as many contribute as are carried on.

    Args:
        hidden: features between the head's two layers; None for a head of one, a linear probe where the encoder is frozen.
    """
    encoder = Encoder(leads, samples, width, width, depth, state)
    if hidden is None:
        return Headed(encoder, nn.Linear(width, classes))
    layers = nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes)
    return Headed(encoder, nn.Sequential(*layers))
