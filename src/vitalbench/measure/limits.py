"""What a device could do at most: the rates its target declares; where it declares none, the best this device showed just now."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch

_TERA, _GIGA = 1e12, 1e9
_ORDER = 1024
_COPIED = 2**24  # numbers of four bytes: beyond the caches
_LEAST_SECONDS = 0.2
_LEAST_CALLS = 5
Source = Literal["declared", "measured"]


@dataclass(frozen=True)
class Limit:
    """A rate and where it is from: operations a second, or bytes a second."""

    rate: float
    source: Source

    def to_json(self) -> dict[str, Any]:
        """For the measurement's file."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """The most a device does, in operations and in bytes a second."""

    flops: Limit
    bytes: Limit


def _best(call: Callable[[], Any], synchronise: Callable[[], None]) -> float:
    """Seconds of the fastest of several calls: a limit is what nothing got in the way of."""
    call()
    taken: list[float] = []
    watch = Stopwatch(synchronise)
    while len(taken) < _LEAST_CALLS or sum(taken) < _LEAST_SECONDS:
        call()
        taken.append(watch.lap())
    return min(taken)


def _measured_flops(device: torch.device, precision: str, synchronise: Callable[[], None]) -> float:
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    a, b = (torch.ones(_ORDER, _ORDER, dtype=dtype, device=device) for _ in range(2))
    return 2 * _ORDER**3 / _best(lambda: torch.mm(a, b), synchronise)


def _measured_bytes(device: torch.device, synchronise: Callable[[], None]) -> float:
    a, b = (torch.zeros(_COPIED, device=device) for _ in range(2))
    return 2 * a.numel() * a.element_size() / _best(lambda: b.copy_(a), synchronise)


def limits(target: Target, device: torch.device, precision: str, synchronise: Callable[[], None]) -> Limits:
    """The limits of a target's device in a precision.

    Args:
        synchronise: waits for the device.
    """
    arithmetic: Literal["fp32", "tf32", "bf16"] = "bf16" if precision in ("bf16", "fp16") else "fp32"
    if arithmetic == "fp32" and target.tf32:
        arithmetic = "tf32"
    declared = target.peak_tflops.get(arithmetic)
    flops = (
        Limit(declared * _TERA, "declared")
        if declared
        else Limit(_measured_flops(device, precision, synchronise), "measured")
    )
    moved = (
        Limit(target.bandwidth_gb_s * _GIGA, "declared")
        if target.bandwidth_gb_s
        else Limit(_measured_bytes(device, synchronise), "measured")
    )
    return Limits(flops, moved)
