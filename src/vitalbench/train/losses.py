"""The loss of a task's kind, and the probabilities its logits stand for."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from vitalbench.config.schema import Kind

Loss = Callable[[Tensor, Tensor], Tensor]  # (what a model gives, targets) -> mean over the batch's records


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
