"""Architectures, a file a family: it defines `build(*, leads, samples, classes, ...)`, whose signature declares its options."""

import importlib
from typing import Any

from torch import nn


def build(name: str, options: dict[str, Any], *, leads: int, samples: int, classes: int) -> nn.Module:
    """Build a model of a family for an input of (batch, leads, samples) and an output of (batch, classes) logits."""
    model: nn.Module = importlib.import_module(f"{__name__}.{name}").build(
        leads=leads, samples=samples, classes=classes, **options
    )
    return model


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters; buffers are not counted."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
