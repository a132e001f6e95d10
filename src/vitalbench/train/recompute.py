"""Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): a block's inner values are computed again, not kept.

The second forward draws the same dropout masks and leaves the running statistics of batch norm alone, so weights, buffers and
gradients are those of a run without it, byte by byte on a CPU.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def blocks(model: nn.Module) -> list[nn.Module]:
    """What is computed again: the composite children of the sequences that stand directly below a model, or below its encoder."""
    above = [model, *(child for name, child in model.named_children() if name == "encoder")]
    sequences = [child for one in above for child in one.children() if isinstance(child, nn.Sequential | nn.ModuleList)]
    return [block for sequence in sequences for block in sequence if any(True for _ in block.children())]


@contextmanager
def _statistics_left_alone(block: nn.Module) -> Iterator[None]:
    """What batch norm notes of this pass goes into copies."""
    norms = [norm for norm in block.modules() if isinstance(norm, _BatchNorm) and norm.track_running_stats]
    kept = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers(recurse=False)]
    for norm, name, buffer in kept:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_left_alone(block)


def recompute_blocks(model: nn.Module) -> int:
    """Have a model's blocks computed again in the backward pass; says how many there are.

    Raises:
        ValueError: the model has no block that this could be done for.
    """
    found = blocks(model)
    if not found:
        raise ValueError("gradient_checkpointing: the model has no sequence of blocks directly below it or its encoder")

    def again(block: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:
        if not block.training:
            return forward(*inputs)
        return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block))

    for block in found:
        block.forward = partial(again, block, block.forward)
    return len(found)
