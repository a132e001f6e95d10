"""Masked modelling: spans of a record are blanked on all leads, and the encoder's sequence is to give back what stood there."""

import torch
from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding

_SEED = 0  # of the spans that validation blanks, the same in every epoch


def blanked(records: int, samples: int, span: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """(records, 1, samples), true where a record is blanked: so many whole spans of each, drawn anew for every record."""
    spans = max(samples // span, 1)
    count = min(max(round(share * spans), 1), spans)
    chosen = torch.rand(records, spans, generator=generator).argsort(dim=1) < count
    mask = chosen.repeat_interleave(span, dim=1)[:, :samples]
    padded = nn.functional.pad(mask, (0, samples - mask.shape[1]))  # what is left over at the end is never blanked
    return padded[:, None]


class MaskedModel(nn.Module):
    """(batch, leads, samples) -> (batch,): the mean squared error of each record where it was blanked, in standardised units.

    An input is standardised, so a blank is the mean of all leads. In training the spans come from the global source of random
    numbers, which a run saves; in validation they are the same at every call. Of an encoder whose steps stand for several samples
    each step gives all of its samples.
    """

    def __init__(self, encoder: Encoding, leads: int, span: int, share: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.Conv1d(encoder.channels, leads * encoder.stride, 1)
        self._span, self._share = span, share

    def _samples(self, steps: Tensor, leads: int) -> Tensor:
        """(batch, leads, samples) of (batch, leads x samples of a step, steps)."""
        return steps.reshape(len(steps), leads, -1, steps.shape[2]).transpose(2, 3).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        """A loss a record."""
        generator = None if self.training else torch.Generator().manual_seed(_SEED)
        mask = blanked(len(x), x.shape[2], self._span, self._share, generator).to(x.device)
        given = self._samples(self.decoder(self.encoder.sequence(x.masked_fill(mask, 0.0))), x.shape[1])
        error = (given[:, :, : x.shape[2]] - x).square().mean(dim=1, keepdim=True) * mask
        return error.sum(dim=(1, 2)) / mask.sum(dim=(1, 2))


def own_loss(losses: Tensor, _: Tensor) -> Tensor:
    """The mean of what a model gives, where that is each record's loss already."""
    return losses.mean()
