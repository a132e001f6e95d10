"""The head and the start that the PTB-XL benchmark's networks share (Strodthoff et al. 2021, doi:10.1109/JBHI.2020.3022989)."""

import torch
from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding
from vitalbench.models.layers.headed import Headed


def _two_layers(features: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    """Batch norm, dropout and a linear layer, twice, the first with half of the dropout and a ReLU behind it."""
    return nn.Sequential(
        nn.BatchNorm1d(features), nn.Dropout(dropout / 2), nn.Linear(features, hidden), nn.ReLU(inplace=True),
        nn.BatchNorm1d(hidden), nn.Dropout(dropout), nn.Linear(hidden, classes),
    )  # fmt: skip


def concat_pool(x: Tensor) -> Tensor:
    """(batch, features, samples) -> (batch, 2 features): maximum and mean over time, side by side."""
    return torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)


class PooledBlocks(Encoding):
    """(batch, leads, samples) -> (batch, 2 channels): what its `blocks` make of a record, drawn together by `concat_pool`."""

    blocks: nn.Sequential

    def sequence(self, x: Tensor) -> Tensor:
        """(batch, channels, steps)."""
        known: Tensor = self.blocks(x)
        return known

    def forward(self, x: Tensor) -> Tensor:
        return concat_pool(self.sequence(x))


def _start_as_published(model: nn.Module) -> None:
    """He's initialisation of every convolution and linear layer, biases at zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def benchmark_network(encoder: Encoding, classes: int, hidden: int, dropout: float) -> nn.Module:
    """An encoder with the benchmark's head, started as the benchmark does."""
    model = Headed(encoder, _two_layers(encoder.features, hidden, classes, dropout))
    _start_as_published(model)
    return model
