"""What a device could do at most: the rates its target declares; where it declares none, the best this device showed just now.

That best is of repeats over a second at least, in which foreign load is watched as in any measurement: while others work it is too
low, and a share of it too high.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.conditions import ATTEMPTS, Watched

_TERA, _GIGA = 1e12, 1e9
_ORDER = 1024
_COPIED = 2**24  # numbers of four bytes: beyond the caches
_LEAST_SECONDS = 1.0  # of all repeats
_IN_A_ROW = 5  # of one kind, so that but the first finds what it reads where it left it
Source = Literal["declared", "measured"]


@dataclass(frozen=True)
class Limit:
    """A rate and where it is from: operations a second, or bytes a second; `disturbed`: others worked meanwhile."""

    rate: float
    source: Source
    disturbed: bool = False

    def to_json(self) -> dict[str, Any]:
        """For the measurement's file."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """The most a device does, in operations and in bytes a second."""

    flops: Limit
    bytes: Limit


def _best(calls: dict[str, Callable[[], Any]], synchronise: Callable[[], None]) -> dict[str, float]:
    """Seconds of the fastest repeat of each of some calls, which take turns: a limit is what nothing got in the way of."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    watch = Stopwatch(synchronise)
    while sum(map(sum, taken.values())) < _LEAST_SECONDS:
        for name, call in calls.items():
            for _ in range(_IN_A_ROW):
                call()
                taken[name].append(watch.lap())
    return {name: min(seconds) for name, seconds in taken.items()}


def _product(device: torch.device, precision: str) -> Callable[[], Any]:
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    a, b = (torch.ones(_ORDER, _ORDER, dtype=dtype, device=device) for _ in range(2))
    return lambda: torch.mm(a, b)


def _copy(device: torch.device) -> Callable[[], Any]:
    a, b = (torch.zeros(_COPIED, device=device) for _ in range(2))
    return lambda: b.copy_(a)


_DONE = {"flops": 2 * _ORDER**3, "bytes": 2 * 4 * _COPIED}  # by one product, and by one copy


def _measured(
    wanted: dict[str, Callable[[], Any]], target: Target, synchronise: Callable[[], None]
) -> dict[str, Limit]:
    """The best rate of each, measured again where others disturbed it; the last time stands, at the best of all rates found."""
    seconds: dict[str, float] = {}
    disturbed: bool | None = True
    for _ in range(ATTEMPTS if wanted else 0):
        watched = Watched(target)
        found = _best(wanted, synchronise)
        seconds = {name: min(found[name], seconds.get(name, found[name])) for name in found}
        seen = watched.conditions()
        disturbed = seen.disturbed or seen.throttled
        if not disturbed:
            break
    return {name: Limit(_DONE[name] / taken, "measured", bool(disturbed)) for name, taken in seconds.items()}


def limits(target: Target, device: torch.device, precision: str, synchronise: Callable[[], None]) -> Limits:
    """The limits of a target's device in a precision.

    Args:
        synchronise: waits for the device.
    """
    arithmetic: Literal["fp32", "tf32", "bf16"] = "bf16" if precision in ("bf16", "fp16") else "fp32"
    if arithmetic == "fp32" and target.tf32:
        arithmetic = "tf32"
    found, wanted = {}, {}
    if declared := target.peak_tflops.get(arithmetic):
        found["flops"] = Limit(declared * _TERA, "declared")
    else:
        wanted["flops"] = _product(device, precision)
    if target.bandwidth_gb_s:
        found["bytes"] = Limit(target.bandwidth_gb_s * _GIGA, "declared")
    else:
        wanted["bytes"] = _copy(device)
    found |= _measured(wanted, target, synchronise)
    return Limits(**found)
