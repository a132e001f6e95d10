"""Layer norm of a residual sum in one pass over memory (normed_sum.c), where what is added is bf16."""

import ctypes
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from vitalbench.compiled import lanes_here, loop

_SOURCE = Path(__file__).with_name("normed_sum.c")
_POINTERS, _SIZES = [ctypes.c_void_p] * 5, [ctypes.c_ssize_t] * 2
_LOOPS = {lanes: loop(_SOURCE, *_POINTERS, *_SIZES, ctypes.c_double, variant=f"_{lanes}") for lanes in (8, 16)}
# An operator of torch's, so that whoever watches operators sees this one too.
_OPERATORS = torch.library.Library("vitalbench_normed_sum", "DEF")  # type: ignore[no-untyped-call]
_OPERATORS.define(  # type: ignore[no-untyped-call]
    "norm_(Tensor(a!) u, Tensor added, Tensor bias, Tensor weight, Tensor shift, float eps, int lanes) -> ()"
)


def _norm(u: Tensor, added: Tensor, bias: Tensor, weight: Tensor, shift: Tensor, eps: float, lanes: int) -> None:
    run, features = _LOOPS[lanes], u.shape[-1]
    assert run is not None
    run(*(t.data_ptr() for t in (u, added, bias, weight, shift)), u.numel() // features, features, eps)


_OPERATORS.impl("norm_", _norm, "CPU")  # type: ignore[no-untyped-call]
_OPERATORS.impl("norm_", lambda *_given: None, "Meta")  # type: ignore[no-untyped-call]


@register_flop_formula(torch.ops.vitalbench_normed_sum.norm_)
def _counted(u: Any, *_rest: Any, **_told: Any) -> int:
    """What the three operators that it stands for count: two sums and a norm, each one an element."""
    return 3 * int(math.prod(u))


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
    constants = (tensor.detach() for tensor in (bias, norm.weight, norm.bias))
    torch.ops.vitalbench_normed_sum.norm_(u, added, *constants, norm.eps, lanes)
    return u
