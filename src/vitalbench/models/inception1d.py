"""InceptionTime (Ismail Fawaz et al. 2020, arXiv 1909.04939), as in the PTB-XL benchmark (doi:10.1109/JBHI.2020.3022989).

Each block convolves with kernels of several lengths side by side; every third block is joined by a residual path.
"""

import torch
from torch import Tensor, nn

from vitalbench.models.layers.benchmark_head import PooledBlocks, benchmark_network

_BLOCKS_A_RESIDUAL = 3


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, kernel, padding=(kernel - 1) // 2, bias=False)


class InceptionBlock(nn.Module):
    """(batch, inputs, samples) -> (batch, filters x (kernels + 1), samples): kernels behind a bottleneck, and a pooled path."""

    def __init__(self, inputs: int, filters: int, kernels: list[int], bottleneck: int) -> None:
        super().__init__()
        self.bottleneck = _conv(inputs, bottleneck, 1)
        self.kernels = nn.ModuleList(_conv(bottleneck, filters, kernel) for kernel in kernels)
        self.pooled = nn.Sequential(nn.MaxPool1d(3, stride=1, padding=1), _conv(inputs, filters, 1))
        self.norm = nn.BatchNorm1d(filters * (len(kernels) + 1))

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        together = torch.cat([*(conv(narrow) for conv in self.kernels), self.pooled(x)], dim=1)
        return torch.relu(self.norm(together))


class Residual(nn.Module):
    """Some blocks, and beside them a map of their input."""

    def __init__(self, blocks: list[InceptionBlock], inputs: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.identity = nn.Sequential(_conv(inputs, outputs, 1), nn.BatchNorm1d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.blocks(x) + self.identity(x))


class Encoder(PooledBlocks):
    """(batch, leads, samples) -> (batch, 2 width): maximum and mean over time; the width is `filters` x (kernels + 1)."""

    def __init__(self, leads: int, filters: int, kernels: list[int], residuals: int, bottleneck: int) -> None:
        super().__init__()
        width = filters * (len(kernels) + 1)
        self.features, self.channels, self.stride = 2 * width, width, 1
        body = []
        for number in range(residuals):
            inputs = leads if number == 0 else width
            blocks = [
                InceptionBlock(inputs if block == 0 else width, filters, kernels, bottleneck)
                for block in range(_BLOCKS_A_RESIDUAL)
            ]
            body.append(Residual(blocks, inputs, width))
        self.blocks = nn.Sequential(*body)


def build(
    *,
    leads: int,
    samples: int,  # noqa: ARG001 - convolutions take any length
    classes: int,
    filters: int = 32,
    kernels: tuple[int, ...] = (39, 19, 9),
    residuals: int = 2,
    bottleneck: int = 32,
    hidden: int = 128,
    dropout: float = 0.5,
) -> nn.Module:
    """The benchmark's inception1d by default."""
    return benchmark_network(Encoder(leads, filters, list(kernels), residuals, bottleneck), classes, hidden, dropout)
