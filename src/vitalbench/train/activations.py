"""What a model keeps from its forward pass for the backward pass, counted in bytes by torch's own hooks on saved tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from vitalbench.train.recompute import blocks

_FEW, _ONE_MORE = 2, 3  # records of the two passes that the straight line goes through


@dataclass(frozen=True)
class Activations:
    """Bytes kept in a forward pass: `fixed`, whatever the batch, and `a_record` for each of its records."""

    fixed: float
    a_record: float

    def of(self, records: int) -> float:
        """Bytes of a batch."""
        return self.fixed + self.a_record * records


class _Kept:
    """Counts the storages saved while it is entered, each once, weights and buffers not among them."""

    def __init__(self, model: nn.Module) -> None:
        self._own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
        self._seen: dict[int, Any] = {}  # the storages themselves, so that no address is used twice
        self.bytes = 0

    def note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._own and storage._cdata not in self._seen:
            self._seen[storage._cdata] = storage
            self.bytes += storage.nbytes()
        return tensor


def _forward(model: nn.Module, x: Tensor, recomputed: list[nn.Module], dtype: torch.dtype | None) -> int:
    """Bytes kept by one forward pass; of the blocks that are computed again, their inputs and the largest one's inner values."""
    kept = _Kept(model)
    inner: dict[nn.Module, int] = {}
    inputs = 0

    def before(block: nn.Module, given: tuple[Any, ...]) -> None:
        nonlocal inputs
        inner[block] = -kept.bytes
        inputs += sum(tensor.untyped_storage().nbytes() for tensor in given if isinstance(tensor, Tensor))

    def after(block: nn.Module, *_: Any) -> None:
        inner[block] += kept.bytes

    handles = [
        hook for b in recomputed for hook in (b.register_forward_pre_hook(before), b.register_forward_hook(after))
    ]
    try:
        with (
            saved_tensors_hooks(kept.note, lambda tensor: tensor),
            torch.autocast("cpu", dtype, enabled=dtype is not None),
        ):
            output = model(x)
    finally:
        for handle in handles:
            handle.remove()
    del output
    if not recomputed:
        return kept.bytes
    return kept.bytes - sum(inner.values()) + inputs + max(inner.values())


def _undisturbed(model: nn.Module, count: Callable[[], Activations]) -> Activations:
    """Count with the model in training, and leave its mode, its buffers and the random state as they were."""
    training, buffers = model.training, [buffer.clone() for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[]):
        model.train()
        found = count()
    model.train(training)
    for buffer, was in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(was)
    return found


def count_activations(model: nn.Module, shape: tuple[int, ...], precision: str, recomputing: bool) -> Activations:
    """What a model on the host keeps from a batch of inputs of `shape` each, measured on batches of two and of three records.

    The line through both is exact where every layer keeps as much for each record as for the next.
    """
    dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    recomputed = blocks(model) if recomputing else []

    def count() -> Activations:
        few, more = (_forward(model, torch.zeros(n, *shape), recomputed, dtype) for n in (_FEW, _ONE_MORE))
        slope = (more - few) / (_ONE_MORE - _FEW)
        return Activations(few - slope * _FEW, slope)

    return _undisturbed(model, count)
