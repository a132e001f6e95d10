"""Monte Carlo dropout (Gal and Ghahramani 2016, arXiv 1506.02142): a trained network scored again and again with its dropout on."""

from collections.abc import Iterator

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from vitalbench.errors import InputError

_KINDS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class _AlwaysOn(nn.Module):
    """A dropout layer, of elements or of whole channels, that stays in training whatever its model is put to."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """With new zeros at every call."""
        dropped: Tensor = self.layer.train()(x)
        return dropped


def keep_dropout_on(model: nn.Module) -> int:
    """Have a model drop out when it is scored, too; batch norm and all else stay as they are. Returns how many layers do.

    Raises:
        InputError: it has none, so that every pass would say the same.
    """
    found = 0
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, _KINDS) and child.p > 0:
                setattr(module, name, _AlwaysOn(child))
                found += 1
    if not found:
        raise InputError("the run's model has no dropout, so every pass would say the same")
    return found


def seeds(accelerator: Accelerator, passes: int, seed: int) -> Iterator[int]:
    """The number of each pass, the source of random numbers set for it: a pass does not depend on how many there are."""
    for number in range(passes):
        torch.manual_seed(seed * 1_000_003 + number)
        if accelerator.device.type == "cuda":
            torch.cuda.manual_seed_all(seed * 1_000_003 + number)
        yield number
