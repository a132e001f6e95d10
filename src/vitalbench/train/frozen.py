"""A model whose encoder is not trained: its function, with constants in the place of what training would compute anew."""

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vitalbench.config.fast import Fast
from vitalbench.measure.device import cpu_name
from vitalbench.models.layers.encoding import Encoding

Encode = Callable[[Tensor], Tensor]


def bf16_pays(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bf16 faster than of fp32.

    AMX does. AVX-512's dot products do on AMD, where MKL's fp32 products keep to AVX2; on Intel they did not. docs/METHODS.md
    has what that was worth to an encoder.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.cpu._is_amx_tile_supported():
        return True
    return bool(torch.cpu._is_avx512_bf16_supported()) and cpu_name().startswith("AMD")


def arithmetic(fast: Fast, device: torch.device) -> str:
    """The precision that `auto` stands for on a device."""
    if fast.precision == "auto":
        return "bf16" if bf16_pays(device) else "fp32"
    return fast.precision


def has_constants(name: str) -> bool:
    """Whether models/frozen/ knows the function of a model's encoder by constants."""
    return importlib.util.find_spec(f"vitalbench.models.frozen.{name}") is not None


def precision_of(name: str, fast: Fast, device: torch.device) -> str:
    """The precision a frozen encoder's products are computed in: one without constants is run as it is trained."""
    return arithmetic(fast, device) if fast.kernels and has_constants(name) else "fp32"


def freeze(module: nn.Module) -> None:
    """Train none of a module's parameters, and leave its dropout and running statistics alone."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def frozen_form(name: str, encoder: nn.Module, fast: Fast, device: torch.device) -> Encode:
    """A frozen encoder's function: by constants where models/frozen/<name>.py knows how, and the design wants it."""
    if not fast.kernels or not has_constants(name):
        return encoder.__call__  # not the module itself, which would be registered a second time
    build = importlib.import_module(f"vitalbench.models.frozen.{name}").constants
    with torch.no_grad():  # not inference_mode: a step of the head takes what these give
        form: Encode = build(encoder, in_cache=fast.in_cache, precision=arithmetic(fast, device))
    return form


class FrozenBackbone(nn.Module):
    """(batch, leads, samples) -> (batch, classes) logits of a model of which only the head is trained.

    Args:
        model: has an `encoder` and a `head`; they are its own, not copied.
        name: the model's, under which its frozen form is found.
    """

    def __init__(self, model: nn.Module, name: str, fast: Fast) -> None:
        super().__init__()
        encoder = model.get_submodule("encoder")
        assert isinstance(encoder, Encoding)  # the configuration was refused else
        self.encoder, self.head = encoder, model.get_submodule("head")
        freeze(self.encoder)
        self._name, self._fast = name, fast
        self._form: Encode | None = None  # made when first used, where the weights are by then

    @property
    def features(self) -> int:
        """That the encoder gives of a record."""
        return self.encoder.features

    def train(self, mode: bool = True) -> "FrozenBackbone":
        """The head's mode; the encoder is never in training."""
        super().train(mode)
        self.encoder.eval()
        return self

    def encode(self, x: Tensor) -> Tensor:
        """(batch, features), without a graph behind it."""
        if self._form is None:
            self._form = frozen_form(self._name, self.encoder, self._fast, x.device)
        with torch.inference_mode():
            features = self._form(x)
        return features.clone()  # a tensor that a step may keep for its backward pass

    def forward(self, x: Tensor) -> Tensor:
        """The head's logits."""
        logits: Tensor = self.head(self.encode(x))
        return logits
