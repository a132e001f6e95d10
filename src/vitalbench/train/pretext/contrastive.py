"""Contrastive learning: a record's two views are to be more alike than those of others (Chen et al. 2020, arXiv 2002.05709).

A view has spans of the record blanked and its amplitude changed. Who is alike is a rule of the design: those of one `record`, or,
as in CLOCS (Kiyasseh et al. 2021, arXiv 2005.13249), all views of one `patient`. Other records of one's own patient are never
told apart from oneself: under the rule `record` they are left out.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.models.layers.encoding import Encoding
from vitalbench.train.pretext.masked import blanked

_SEED = 0  # of the views that validation compares, the same in every epoch
_PROJECTED = 64
_LARGEST_FACTOR = 1.5  # of a view's amplitude, up or down


def nt_xent(views: Tensor, patients: Tensor, temperature: float, rule: str) -> Tensor:
    """The normalised, temperature-scaled cross entropy of a batch's views.

    With N records whose views are all alike, and all of different patients, it is ln(2N - 1): chance. The sum of exponentials is
    taken about its largest term, so that no temperature that may be configured overflows.

    Args:
        views: (records, 2, dimensions).
        patients: (records, 1), a number a patient.
        rule: `record` or `patient`: whose views are to be alike.
    """
    records = len(views)
    unit = functional.normalize(views.transpose(0, 1).reshape(2 * records, -1).float(), dim=1)
    logits = unit @ unit.T / temperature
    who = patients.reshape(-1).repeat(2)
    same_patient = who[:, None] == who[None, :]
    itself = torch.eye(2 * records, dtype=torch.bool, device=views.device)
    positive = itself.roll(records, dims=0) if rule == "record" else same_patient & ~itself
    left_out = itself if rule == "patient" else same_patient & ~positive
    log_share = logits.masked_fill(left_out, -torch.inf).log_softmax(dim=1)
    alike = log_share.masked_fill(~positive, 0.0).sum(dim=1) / positive.sum(dim=1)
    return -alike.mean()


@dataclass(frozen=True)
class NtXent:
    """`nt_xent` as a recipe's loss. In a part of a batch there are fewer others to be told apart from: that is another loss."""

    temperature: float
    rule: str
    whole_batch: ClassVar[bool] = True

    def __call__(self, views: Tensor, patients: Tensor) -> Tensor:
        """The loss of a batch's views."""
        return nt_xent(views, patients, self.temperature, self.rule)


class ContrastiveModel(nn.Module):
    """A batch of records -> (batch, 2, dimensions): both views of each record, encoded and projected."""

    def __init__(self, encoder: Encoding, span: int, share: float) -> None:
        super().__init__()
        self.encoder = encoder
        features = encoder.features
        self.projector = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, _PROJECTED))
        self._span, self._share = span, share

    def _view(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        mask = blanked(len(x), tuple(x.shape[2:]), self._span, self._share, generator).to(x.device)
        factor = _LARGEST_FACTOR ** (2 * torch.rand(len(x), *(1 for _ in x.shape[1:]), generator=generator) - 1)
        return x.masked_fill(mask, 0.0) * factor.to(x.device)

    def forward(self, x: Tensor) -> Tensor:
        """Views, in training from the global source of random numbers, in validation the same at every call."""
        generator = None if self.training else torch.Generator().manual_seed(_SEED)
        both = torch.cat([self._view(x, generator), self._view(x, generator)])
        projected: Tensor = self.projector(self.encoder(both))
        return projected.view(2, len(x), -1).transpose(0, 1)
