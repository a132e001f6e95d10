"""S4's encoder with its kernels, its weight norms and its scalings as constants: the function of models/s4.py, computed sooner.

What the blocks contribute is averaged over time before it is mapped, since a map and a mean change places; the part of a layer's
input that skips its kernel is a tap of the kernel; and each record passes through all of it by itself, so that it stays in its
processor's cache.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.models.frozen.records import RecordByRecord
from vitalbench.models.s4 import Block, Encoder, StateSpace
from vitalbench.models.state_space.convolution import joined

Convolve = Callable[[Tensor], Tensor]


def _by_fft(kernels: Tensor) -> Convolve:
    """Convolution by FFT with a spectrum that is kept."""
    samples = kernels.shape[-1]
    size = 1 << (2 * samples - 1).bit_length()  # powers of two are transformed soonest
    spectrum = torch.fft.rfft(joined(kernels, size))

    def convolve(u: Tensor) -> Tensor:
        product = torch.fft.rfft(u.float(), n=size).mul_(spectrum)
        y: Tensor = torch.fft.irfft(product, n=size)[..., :samples]
        return y

    return convolve


def _weights(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """A layer's weight, its norm worked in, and its bias."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return weight, bias


@dataclass(frozen=True)
class _Map:
    """A linear map of features, as a matrix product with a bias beside it."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, layer: nn.Module, dtype: torch.dtype, scale: float = 1.0) -> "_Map":
        weight, bias = _weights(layer)
        return cls((weight * scale).flatten(1).to(dtype), (bias * scale)[:, None].float())

    def __call__(self, x: Tensor) -> Tensor:
        return torch.matmul(self.weight, x.to(self.weight.dtype)).float().add_(self.bias)


class _Space:
    """models.s4.StateSpace, on (records, features, samples)."""

    def __init__(self, space: StateSpace, dtype: torch.dtype) -> None:
        kernels = space.kernels().clone()
        kernels[0, :, 0] += space.skip
        self._convolve = _by_fft(kernels)
        self._mix = _Map.of(space.mix, dtype)
        self._norm = space.norm

    def __call__(self, u: Tensor) -> Tensor:
        mixed = self._mix(functional.gelu(self._convolve(u).to(self._mix.weight.dtype))).add_(u)
        mixed.sub_(mixed.mean(dim=1, keepdim=True))
        deviation = mixed.square().mean(dim=1, keepdim=True).add_(self._norm.eps).rsqrt_()
        return mixed.mul_(deviation).mul_(self._norm.weight[:, None]).add_(self._norm.bias[:, None])


class _Block:
    """models.s4.Block; what it contributes is the mean over time of what passed the gate, not mapped yet."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        self._weight, self._bias = (tensor.to(dtype) for tensor in _weights(block.conv))
        self._spaces = [_Space(space, dtype) for space in block.spaces if isinstance(space, StateSpace)]
        self._carried = _Map.of(block.carried, dtype, math.sqrt(0.5))
        self._contributed = _Map.of(block.contributed, torch.float32)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = functional.conv1d(x.to(self._weight.dtype), self._weight, self._bias, padding=1).float()
        for space in self._spaces:
            u = space(u)
        content, gate = u.chunk(2, dim=1)
        gated = content.mul(2).sigmoid_().mul_(2).sub_(1).mul_(gate.sigmoid_())  # tanh(x) = 2 sigmoid(2 x) - 1, sooner
        return self._carried(gated).add_(x, alpha=math.sqrt(0.5)), self._contributed(gated.mean(dim=2, keepdim=True))


class FrozenS4:
    """(batch, leads, samples) -> (batch, features), on the device the encoder was on."""

    def __init__(self, encoder: Encoder, precision: str) -> None:
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self._stem_weight, self._stem_bias = (tensor.clone() for tensor in _weights(encoder.stem))
        self._blocks = [_Block(block, dtype) for block in encoder.blocks if isinstance(block, Block)]

    def __call__(self, x: Tensor) -> Tensor:
        x = functional.conv1d(x, self._stem_weight, self._stem_bias).relu_()
        total = torch.zeros((), device=x.device)
        for block in self._blocks:
            x, contributed = block(x)
            total = total + contributed
        return total[:, :, 0] * math.sqrt(1 / len(self._blocks))


def constants(encoder: nn.Module, *, in_cache: bool, precision: str) -> Convolve:
    """An encoder's function with constants in the place of what training would compute anew.

    Args:
        in_cache: a record at a time and a thread a processor, where a processor computes.
        precision: `fp32`, or `bf16` of the maps; convolutions, norms and gates stay fp32.
    """
    assert isinstance(encoder, Encoder)
    form = FrozenS4(encoder, precision)
    on_processor = next(encoder.parameters()).device.type == "cpu"
    return RecordByRecord(form) if in_cache and on_processor else form
