"""XResNet in one dimension, as in the PTB-XL benchmark (Strodthoff et al. 2021, doi:10.1109/JBHI.2020.3022989).

He et al.'s bag of tricks (arXiv 1812.01187): a stem of three convolutions, and average pooling instead of a strided convolution on
the identity path. Unlike an image ResNet all stages have the same width. The head pools maximum and mean side by side.
"""

import torch
from torch import Tensor, nn

from vitalbench.models.layers.benchmark_head import PooledBlocks, benchmark_network


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Bottleneck(nn.Module):
    """1x1, kxk, 1x1 convolutions around an identity path that pools where the stride is 2."""

    def __init__(self, inputs: int, width: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            _conv(inputs, width, 1), _conv(width, width, kernel, stride), _conv(width, outputs, 1, relu=False)
        )
        identity: list[nn.Module] = [] if stride == 1 else [nn.AvgPool1d(2, ceil_mode=True)]
        if inputs != outputs:
            identity.append(_conv(inputs, outputs, 1, relu=False))
        self.identity = nn.Sequential(*identity)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.identity(x))


class Encoder(PooledBlocks):
    """(batch, leads, samples) -> (batch, 2 width expansion): maximum and mean over time of the last stage."""

    def __init__(self, leads: int, layers: list[int], width: int, expansion: int, kernel: int) -> None:
        super().__init__()
        self.features, self.channels = 2 * width * expansion, width * expansion
        self.stride = 4 * 2 ** (len(layers) - 1)  # stem and pool halve once each, and every stage but the first
        stem = [leads, width // 2, width // 2, width]
        blocks: list[nn.Module] = [_conv(stem[i], stem[i + 1], kernel, 2 if i == 0 else 1) for i in range(3)]
        blocks.append(nn.MaxPool1d(3, stride=2, padding=1))
        inputs, outputs = width, width * expansion
        for stage, depth in enumerate(layers):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck(inputs, width, outputs, kernel, stride))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)


def build(
    *,
    leads: int,
    samples: int,  # noqa: ARG001 - convolutions take any length
    classes: int,
    layers: tuple[int, ...] = (3, 4, 23, 3),
    width: int = 64,
    expansion: int = 4,
    kernel: int = 5,
    hidden: int = 128,
    dropout: float = 0.5,
) -> nn.Module:
    """The benchmark's xresnet1d101 by default."""
    return benchmark_network(Encoder(leads, list(layers), width, expansion, kernel), classes, hidden, dropout)
