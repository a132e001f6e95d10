"""Temporal order: the halves of a record are exchanged or not, and the encoder's features are to say which. Chance is ln 2."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.models.layers.encoding import Encoding

_SEED = 0  # of the records that validation exchanges, the same in every epoch


def exchanged(x: Tensor, which: Tensor, gap: int) -> Tensor:
    """Records, (batch, leads, samples), with their halves exchanged where `which` says so; an odd last sample stays.

    Where the halves meet, `gap` samples are blank either way, so that no step in the signal gives the answer away.
    """
    half = x.shape[2] // 2
    turned = torch.cat([x[:, :, half : 2 * half], x[:, :, :half], x[:, :, 2 * half :]], dim=2)
    chosen = torch.where(which[:, None, None], turned, x)
    chosen[:, :, half - gap // 2 : half + gap - gap // 2] = 0.0
    return chosen


class OrderModel(nn.Module):
    """(batch, leads, samples) -> (batch,): the binary cross entropy of each record's order."""

    def __init__(self, encoder: Encoding, gap: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decider = nn.Linear(encoder.features, 1)
        self._gap = gap

    def forward(self, x: Tensor) -> Tensor:
        """A loss a record; in validation the same records are exchanged at every call."""
        generator = None if self.training else torch.Generator().manual_seed(_SEED)
        which = (torch.rand(len(x), generator=generator) < 0.5).to(x.device)
        logits = self.decider(self.encoder(exchanged(x, which, self._gap)))[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, which.to(logits.dtype), reduction="none")
