"""Masked modelling: spans of a record, of an image squares, are blanked on all leads, and its encoder is to give them back."""

import math

import torch
from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding

_SEED = 0  # of the spans that validation blanks, the same in every epoch


def blanked(
    records: int, space: tuple[int, ...], span: int, share: float, generator: torch.Generator | None = None
) -> Tensor:
    """(records, 1, *space), true where a record is blanked: so many whole spans of each, drawn anew for every record.

    Args:
        space: samples, or rows and columns, of which a span is a square.
    """
    grid = [max(side // span, 1) for side in space]
    spans = math.prod(grid)
    count = min(max(round(share * spans), 1), max(spans - 1, 1))  # something is left to fill in from
    mask = (torch.rand(records, spans, generator=generator).argsort(dim=1) < count).view(records, *grid)
    for axis, side in enumerate(space, 1):
        mask = mask.repeat_interleave(span, dim=axis).narrow(axis, 0, min(grid[axis - 1] * span, side))
        left = [0, 0] * (len(space) - axis) + [0, side - mask.shape[axis]]
        mask = nn.functional.pad(mask, left)  # what is left over at the end is never blanked
    return mask[:, None]


class MaskedModel(nn.Module):
    """A batch of records -> (batch,): the mean squared error of each record where it was blanked, in standardised units.

    An input is standardised, so a blank is the mean of all leads. In training the spans come from the global source of random
    numbers, which a run saves; in validation they are the same at every call. Of an encoder whose steps stand for several samples
    each step gives all of its samples.
    """

    def __init__(self, encoder: Encoding, leads: int, span: int, share: float, axes: int = 1) -> None:
        super().__init__()
        self.encoder = encoder
        convolution = {1: nn.Conv1d, 2: nn.Conv2d}[axes]
        self.decoder = convolution(encoder.channels, leads * encoder.stride**axes, 1)
        self._span, self._share = span, share

    def _samples(self, steps: Tensor, leads: int) -> Tensor:
        """(batch, leads, samples) of (batch, leads x samples of a step, steps); of images alike, a step being a square."""
        if steps.dim() == 4:
            return nn.functional.pixel_shuffle(steps, self.encoder.stride)
        return steps.reshape(len(steps), leads, -1, steps.shape[2]).transpose(2, 3).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        """A loss a record."""
        generator = None if self.training else torch.Generator().manual_seed(_SEED)
        mask = blanked(len(x), tuple(x.shape[2:]), self._span, self._share, generator).to(x.device)
        given = self._samples(self.decoder(self.encoder.sequence(x.masked_fill(mask, 0.0))), x.shape[1])
        for axis, side in enumerate(x.shape[2:], 2):
            given = given.narrow(axis, 0, side)
        error = (given - x).square().mean(dim=1, keepdim=True) * mask
        return error.flatten(1).sum(dim=1) / mask.flatten(1).sum(dim=1)


def own_loss(losses: Tensor, _: Tensor) -> Tensor:
    """The mean of what a model gives, where that is each record's loss already."""
    return losses.mean()
