"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391): where along a record, or in an image, a class's logit came from.

The encoder's last sequence is weighed by the mean gradient of the class's logit, channel by channel; what speaks for it is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.errors import InputError
from vitalbench.models.layers.encoding import Encoding

_BETWEEN = {3: "linear", 4: "bilinear"}  # by the dimensions of a batch of maps


@contextmanager
def _sequences(encoder: Encoding) -> Iterator[list[Tensor]]:
    """The sequences that an encoder's forward passes give while this is entered, with their gradients kept."""
    kept: list[Tensor] = []
    plain = encoder.sequence

    def noted(x: Tensor) -> Tensor:
        sequence = plain(x)
        sequence.retain_grad()
        kept.append(sequence)
        return sequence

    encoder.sequence = noted  # type: ignore[method-assign]
    try:
        yield kept
    finally:
        del encoder.sequence


def gradcam(model: nn.Module, x: Tensor, classes: list[int]) -> NDArray[np.float32]:
    """Maps of some classes, (batch, classes, *space of the record), each from 0 to 1; all 0 where nothing speaks for a class.

    Args:
        model: with an `encoder` whose features come from its sequence.
        x: standardised records, (batch, channels, *space).

    Raises:
        InputError: the model has no such encoder.
    """
    encoder = model.get_submodule("encoder") if hasattr(model, "encoder") else None
    if not isinstance(encoder, Encoding):
        raise InputError("the run's model has no encoder apart from its head, so there is no map to draw")
    model.eval()
    found = []
    with _sequences(encoder) as kept, torch.enable_grad():
        for k in classes:
            kept.clear()
            model.zero_grad(set_to_none=True)
            logits = model(x.detach().requires_grad_(True))  # so that a frozen encoder has gradients too
            if not kept:
                raise InputError("the run's encoder draws no sequence together, so there is no map to draw")
            logits[:, k].sum().backward()
            sequence, gradient = kept[-1], kept[-1].grad
            assert gradient is not None  # it was retained, and the logits come from it
            weight = gradient.flatten(2).mean(dim=2).reshape(*gradient.shape[:2], *(1 for _ in x.shape[2:]))
            maps = functional.relu((weight * sequence).sum(dim=1, keepdim=True)).detach()
            whole = functional.interpolate(maps, size=x.shape[2:], mode=_BETWEEN[maps.dim()], align_corners=False)[:, 0]
            peak = whole.flatten(1).amax(dim=1).reshape(-1, *(1 for _ in x.shape[2:]))
            found.append((whole / peak.clamp_min(1e-12)).cpu().numpy())
    return np.stack(found, axis=1).astype(np.float32)
