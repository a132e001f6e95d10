"""Architectures, a file a family: it defines `build`, whose signature declares its options.

Of signals it takes `leads, samples, classes`, of images `channels, height, width, classes`; config/model_options.py reads which.
"""

import importlib
from typing import Any

from torch import nn


def axes(shape: tuple[int, ...]) -> dict[str, int]:
    """A record's axes by the names that a model's `build` takes them under.

    >>> axes((12, 1000)), axes((1, 224, 224))
    ({'leads': 12, 'samples': 1000}, {'channels': 1, 'height': 224, 'width': 224})
    """
    names = ("leads", "samples") if len(shape) == 2 else ("channels", "height", "width")
    return dict(zip(names, shape, strict=True))


def build(name: str, options: dict[str, Any], *, classes: int, **shape: int) -> nn.Module:
    """Build a model of a family for an input of (batch, *shape) and an output of (batch, classes) logits.

    Args:
        shape: of a record, as `axes` names it.
    """
    model: nn.Module = importlib.import_module(f"{__name__}.{name}").build(classes=classes, **shape, **options)
    return model


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters; buffers are not counted."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
