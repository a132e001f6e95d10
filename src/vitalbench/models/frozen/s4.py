"""S4's encoder with its kernels, its weight norms and its scalings as constants: the function of models/s4.py, computed sooner.

What the blocks contribute is averaged over time before it is mapped, since a map and a mean change places; the part of a layer's
input that skips its kernel is a tap of the kernel. A sample's features lie side by side, (records, samples, features), as maps and
norms go through them. In cache a few records at a time pass through all of it on one thread, and as many features as a vector
holds are convolved side by side.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.models.frozen.records import FewAtATime
from vitalbench.models.layers.normed_sum import normed_sum
from vitalbench.models.s4 import Block, Encoder, StateSpace
from vitalbench.models.state_space.convolution import joined
from vitalbench.models.state_space.in_lanes import Convolve, in_lanes

Function = Callable[[Tensor], Tensor]


def _by_fft(circles: Tensor, samples: int) -> Convolve:
    """Convolution of (records, samples, features) by torch's FFT, with a spectrum that is kept."""
    size = circles.shape[-1]
    spectrum = torch.fft.rfft(circles)

    def convolve(u: Tensor, dtype: torch.dtype) -> Tensor:
        product = torch.fft.rfft(u.transpose(1, 2).float(), n=size).mul_(spectrum)
        y: Tensor = torch.fft.irfft(product, n=size)[..., :samples].transpose(1, 2)
        return y.to(dtype)

    return convolve


def _convolution(kernels: Tensor, in_cache: bool) -> Convolve:
    """Convolution with kernels of (2, features, samples), back and ahead."""
    samples = kernels.shape[-1]
    size = max(4, 1 << (2 * samples - 1).bit_length())  # powers of two are transformed soonest
    circles = joined(kernels, size)
    return (in_lanes(circles, samples) if in_cache else None) or _by_fft(circles, samples)


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
    apart: bool  # a product a record: of several at once other bytes would come out

    @classmethod
    def of(cls, layer: nn.Module, dtype: torch.dtype, apart: bool, scale: float = 1.0) -> "_Map":
        weight, bias = _weights(layer)
        return cls((weight * scale).flatten(1).to(dtype), (bias * scale).float(), apart)

    def product(self, x: Tensor) -> Tensor:
        """Without the bias, in the map's own precision."""
        x = x.to(self.weight.dtype)
        if not self.apart:
            return functional.linear(x, self.weight)
        y = x.new_empty((*x.shape[:-1], len(self.weight)))
        for record, into in zip(x, y, strict=True):
            torch.mm(record, self.weight.t(), out=into)
        return y

    def __call__(self, x: Tensor) -> Tensor:
        return self.product(x).float().add_(self.bias)


@dataclass(frozen=True)
class _Neighbours:
    """A convolution of as many taps as an odd kernel has, as a map of each sample and its neighbours."""

    map: _Map
    taps: int

    @classmethod
    def of(cls, layer: nn.Module, dtype: torch.dtype, apart: bool) -> "_Neighbours":
        weight, bias = _weights(layer)  # (outputs, inputs, taps)
        return cls(_Map(weight.transpose(1, 2).flatten(1).to(dtype), bias.float(), apart), weight.shape[-1])

    def __call__(self, x: Tensor) -> Tensor:
        around = self.taps // 2
        padded = functional.pad(x.to(self.map.weight.dtype), (0, 0, around, around))
        records, samples, features = padded.shape
        size, stride = (records, samples - 2 * around, self.taps * features), (samples * features, features, 1)
        return self.map(padded.as_strided(size, stride))  # neighbours lie beside each other already


class _Space:
    """models.s4.StateSpace, on (records, samples, features)."""

    def __init__(self, space: StateSpace, dtype: torch.dtype, in_cache: bool) -> None:
        kernels = space.kernels().clone()
        kernels[0, :, 0] += space.skip
        self._convolve = _convolution(kernels, in_cache)
        self._mix = _Map.of(space.mix, dtype, in_cache)
        self._norm = space.norm

    def __call__(self, u: Tensor) -> Tensor:
        """What `u` becomes, in its place."""
        y = torch.ops.aten.gelu_(self._convolve(u, self._mix.weight.dtype))
        mixed = self._mix.product(y)
        return normed_sum(u, mixed, self._mix.bias, self._norm)


class _Block:
    """models.s4.Block; what it contributes is the mean over time of what passed the gate, not mapped yet."""

    def __init__(self, block: Block, dtype: torch.dtype, in_cache: bool) -> None:
        self._conv = _Neighbours.of(block.conv, dtype, in_cache)
        self._spaces = [_Space(space, dtype, in_cache) for space in block.spaces if isinstance(space, StateSpace)]
        self._carried = _Map.of(block.carried, dtype, in_cache, math.sqrt(0.5))
        self._contributed = _Map.of(block.contributed, torch.float32, in_cache)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = self._conv(x)
        for space in self._spaces:
            u = space(u)
        content, gate = u.chunk(2, dim=2)
        gated = content.mul(2).sigmoid_().mul_(2).sub_(1).mul_(gate.sigmoid())  # tanh(x) = 2 sigmoid(2 x) - 1, sooner
        return self._carried(gated).add_(x, alpha=math.sqrt(0.5)), self._contributed(gated.mean(dim=1, keepdim=True))


class FrozenS4:
    """(batch, leads, samples) -> (batch, features), on the device the encoder was on.

    Args:
        in_cache: on a processor, one thread's work; of each record the same bytes, however many there are.
    """

    def __init__(self, encoder: Encoder, precision: str, in_cache: bool) -> None:
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self._stem = _Map.of(encoder.stem, torch.float32, in_cache)
        self._blocks = [_Block(block, dtype, in_cache) for block in encoder.blocks if isinstance(block, Block)]

    def __call__(self, x: Tensor) -> Tensor:
        x = self._stem(x.transpose(1, 2)).relu_()
        total = torch.zeros((), device=x.device)
        for block in self._blocks:
            x, contributed = block(x)
            total = total + contributed
        return total[:, 0] * math.sqrt(1 / len(self._blocks))


def constants(encoder: nn.Module, *, in_cache: bool, precision: str) -> Function:
    """An encoder's function with constants in the place of what training would compute anew.

    Args:
        in_cache: a few records at a time and a thread a processor, where a processor computes.
        precision: `fp32`, or `bf16` of the maps; convolutions, norms and gates stay fp32.
    """
    assert isinstance(encoder, Encoder)
    in_cache = in_cache and next(encoder.parameters()).device.type == "cpu"
    form = FrozenS4(encoder, precision, in_cache)
    return FewAtATime(form) if in_cache else form
