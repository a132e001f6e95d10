"""Layer norm of a residual sum in one pass over memory (normed_sum.c), where what is added is bf16."""

import ctypes
from pathlib import Path

import torch
from torch import Tensor, nn

from vitalbench.compiled import lanes_here, loop

_SOURCE = Path(__file__).with_name("normed_sum.c")
_POINTERS, _SIZES = [ctypes.c_void_p] * 5, [ctypes.c_ssize_t] * 2
_LOOPS = {lanes: loop(_SOURCE, *_POINTERS, *_SIZES, ctypes.c_double, variant=f"_{lanes}") for lanes in (8, 16)}


def normed_sum(u: Tensor, added: Tensor, bias: Tensor, norm: nn.LayerNorm, lanes: int | None = None) -> Tensor:
    """norm(u + added + bias), without a gradient; `u` is given up for it.

    Args:
        u: (..., features), fp32.
        added: as `u`, of any precision.
        bias: (features,), fp32.
        lanes: 8 or 16; as many as are soonest here unless given.

    Returns:
        As `u`.
    """
    lanes = lanes or lanes_here()
    run, features = _LOOPS[lanes], u.shape[-1]
    with_c = run is not None and added.dtype == torch.bfloat16 and u.device.type == "cpu" and features % lanes == 0
    if not with_c or not (u.is_contiguous() and added.is_contiguous()):
        normed: Tensor = norm(u.add_(added.float()).add_(bias))
        return normed
    assert run is not None
    tensors = (u, added, bias, norm.weight, norm.bias)
    run(*(tensor.data_ptr() for tensor in tensors), u.numel() // features, features, norm.eps)
    return u
