"""The residual network of Wang et al. 2017 (arXiv 1611.06455), as in the PTB-XL benchmark (doi:10.1109/JBHI.2020.3022989).

Three blocks of two convolutions and one width; no pooling and no stride before the second block.
"""

import math

import torch
from torch import Tensor, nn

from vitalbench.models.layers.benchmark_head import PooledBlocks, benchmark_network

_STRIDES = (1, 2, 2)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False), nn.BatchNorm1d(outputs)
    )


class BasicBlock(nn.Module):
    """Two convolutions around an identity path, which is a strided map where the stride is not one."""

    def __init__(self, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            _conv(width, width, kernel, stride), nn.ReLU(inplace=True), _conv(width, width, kernel // 2 + 1)
        )
        self.identity = nn.Identity() if stride == 1 else _conv(width, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.identity(x))


class Encoder(PooledBlocks):
    """(batch, leads, samples) -> (batch, 2 width): maximum and mean over time of the last block."""

    def __init__(self, leads: int, width: int, kernel: int, stem: int) -> None:
        super().__init__()
        self.features, self.channels, self.stride = 2 * width, width, math.prod(_STRIDES)
        blocks = [BasicBlock(width, kernel, stride) for stride in _STRIDES]
        self.blocks = nn.Sequential(_conv(leads, width, stem), nn.ReLU(inplace=True), *blocks)


def build(
    *,
    leads: int,
    samples: int,  # noqa: ARG001 - convolutions take any length
    classes: int,
    width: int = 128,
    kernel: int = 5,
    stem: int = 7,
    hidden: int = 128,
    dropout: float = 0.5,
) -> nn.Module:
    """The benchmark's resnet1d_wang by default."""
    return benchmark_network(Encoder(leads, width, kernel, stem), classes, hidden, dropout)
