"""What a step of a design trains: a model, its head behind a frozen encoder, or what is asked of an encoder without labels."""

from dataclasses import dataclass

import torch
from torch import nn

from vitalbench.config.design import PRETRAINING, Design
from vitalbench.config.pretext import Contrastive, Masked, Order
from vitalbench.config.schema import Kind
from vitalbench.models.layers.encoding import Encoding
from vitalbench.train.frozen import FrozenBackbone
from vitalbench.train.losses import Loss
from vitalbench.train.pretext.contrastive import ContrastiveModel, NtXent
from vitalbench.train.pretext.masked import MaskedModel, own_loss
from vitalbench.train.pretext.order import OrderModel


@dataclass(frozen=True)
class Stepped:
    """A design's model as its recipe trains it.

    Attributes:
        trained: what a step is given to train.
        shape: of one input of it.
        asked: the task's kind, or a loss of its own.
        scoring: gives logits of signals; None where nothing is scored.
        frozen: the model behind its frozen encoder; None where none is.
        patients: whether it is asked who a record is of, in the place of the task's labels.
    """

    trained: nn.Module
    shape: tuple[int, ...]
    asked: Kind | Loss
    scoring: nn.Module | None
    frozen: FrozenBackbone | None = None
    patients: bool = False

    @property
    def sizes(self) -> tuple[int, int]:
        """Parameters that are trained, and those only read that lie in memory beside them: a frozen encoder's, whoever runs it."""
        held = {
            parameter for part in (self.trained, self.frozen) if part is not None for parameter in part.parameters()
        }
        trained = sum(parameter.numel() for parameter in held if parameter.requires_grad)
        return trained, sum(parameter.numel() for parameter in held) - trained


def _asked(design: Design, encoder: Encoding, shape: tuple[int, ...], rate_hz: int) -> Stepped:
    """What a pre-training recipe asks of an encoder."""
    leads, space = shape[0], shape[1:]

    def span(seconds: float, pixels: int = 1) -> int:
        return min(max(round(seconds * rate_hz) if rate_hz else pixels, 1), *space)

    if design.recipe == "masked-modelling":
        masked = design.masked or Masked()
        width = span(masked.seconds, masked.pixels)
        return Stepped(MaskedModel(encoder, leads, width, masked.share, len(space)), shape, own_loss, None)
    if design.recipe == "temporal-order":
        return Stepped(OrderModel(encoder, span((design.order or Order()).gap_seconds)), shape, own_loss, None)
    told = design.contrastive or Contrastive()
    loss = NtXent(told.temperature, told.positives)
    return Stepped(
        ContrastiveModel(encoder, span(told.seconds, told.pixels), told.share), shape, loss, None, patients=True
    )


def stepped(
    design: Design, model: nn.Module, shape: tuple[int, ...], rate_hz: int, kind: Kind | Loss, device: torch.device
) -> Stepped:
    """A built model as its design's recipe trains it.

    Args:
        shape: of an input: leads and samples, or channels, height and width.
        kind: what is asked of labelled records.
        device: where a frozen encoder goes; what is trained is put there by its step.
    """
    assert design.model is not None
    if design.recipe in PRETRAINING:
        encoder = model.get_submodule("encoder")
        assert isinstance(encoder, Encoding)  # the configuration was refused else
        return _asked(design, encoder, shape, rate_hz)
    if design.recipe != "frozen-features":
        return Stepped(model, shape, kind, model)
    frozen = FrozenBackbone(model, design.model.name, design.computed)
    if not design.computed.features:
        return Stepped(frozen, shape, kind, frozen, frozen)
    frozen.encoder.to(device)
    return Stepped(frozen.head, (frozen.features,), kind, frozen, frozen)
