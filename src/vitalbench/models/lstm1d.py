"""A recurrent network of long short-term memory cells, as in the PTB-XL benchmark (doi:10.1109/JBHI.2020.3022989).

Its head sees mean and maximum over time, and what each direction knows once it has seen the whole window.
"""

import torch
from torch import Tensor, nn

from vitalbench.models.layers.benchmark_head import benchmark_network, concat_pool
from vitalbench.models.layers.encoding import Encoding


class Encoder(Encoding):
    """(batch, leads, samples) -> (batch, 3 width directions)."""

    def __init__(self, leads: int, width: int, depth: int, bidirectional: bool) -> None:
        super().__init__()
        self.channels, self.stride = width * (1 + bidirectional), 1
        self.features = 3 * self.channels
        self.cells = nn.LSTM(leads, width, depth, batch_first=True, bidirectional=bidirectional)
        self._width = width

    def sequence(self, x: Tensor) -> Tensor:
        """(batch, width directions, samples)."""
        known, _ = self.cells(x.transpose(1, 2))
        sequence: Tensor = known.transpose(1, 2)
        return sequence

    def forward(self, x: Tensor) -> Tensor:
        known = self.sequence(x)
        last = torch.cat([known[:, : self._width, -1], known[:, self._width :, 0]], dim=1)
        return torch.cat([concat_pool(known), last], dim=1)


def build(
    *,
    leads: int,
    samples: int,  # noqa: ARG001 - a recurrence takes any length
    classes: int,
    width: int = 256,
    depth: int = 2,
    bidirectional: bool = True,
    hidden: int = 128,
    dropout: float = 0.5,
) -> nn.Module:
    """The benchmark's lstm_bidir by default."""
    return benchmark_network(Encoder(leads, width, depth, bidirectional), classes, hidden, dropout)
