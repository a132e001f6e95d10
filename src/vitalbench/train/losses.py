"""The loss of a task's kind, and the probabilities its logits stand for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vitalbench.config.schema import Kind

Loss = Callable[[Tensor, Tensor], Tensor]  # (what a model gives, targets) -> mean over the batch's records


@dataclass(frozen=True)
class Balanced:
    """The loss of a multilabel task whose positives weigh more, class by class.

    Attributes:
        positive: (classes,) what a positive weighs beside a negative.
        kind: of the task, so that logits stand for the same probabilities.
    """

    positive: Tensor
    kind: Kind = "multilabel"

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over records and classes."""
        weight = self.positive.to(device=logits.device, dtype=logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits, y, pos_weight=weight)


def asked_of(kind: Kind, positive_weight: str | None, labels: NDArray[np.float32]) -> Kind | Loss:
    """What training asks: a task's kind, or its loss with weighted positives.

    Args:
        positive_weight: `balanced` has the positives of a class weigh as much, all together, as its negatives.
        labels: (records, classes) of the training records.
    """
    if positive_weight is None:
        return kind
    positives = labels.sum(axis=0)
    weight = (len(labels) - positives) / np.maximum(positives, 1)
    return Balanced(torch.from_numpy(weight.astype(np.float32)))


def kind_of(asked: Kind | Loss) -> Kind | None:
    """The task's kind behind what is asked; None where it is not asked the task's classes."""
    return asked if isinstance(asked, str) else getattr(asked, "kind", None)


def loss_function(kind: Kind | Loss) -> Loss:
    """The loss of a task's kind, of logits and soft or hard targets alike; a loss is its own."""
    if callable(kind):
        return kind
    if kind in ("multiclass", "softlabel"):
        return functional.cross_entropy
    return functional.binary_cross_entropy_with_logits


def probabilities(logits: Tensor, kind: Kind) -> Tensor:
    """Probabilities of a task's kind."""
    return logits.softmax(dim=1) if kind in ("multiclass", "softlabel") else logits.sigmoid()
