"""What a device could do at most: the rates its target declares; where it declares none, the best this device showed just now.

That best is of repeats over a second at least, in which foreign load is watched as in any measurement: while others work it is too
low, and a share of it too high.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import torch

from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.conditions import ATTEMPTS, Watched
from vitalbench.measure.core_to_core import core_to_core_ns
from vitalbench.measure.placement import between

_TERA, _GIGA = 1e12, 1e9
_ORDER = 1024  # of a product
_RECORDS, _CHANNELS, _SIDE, _KERNEL = 16, 256, 16, 3  # of a convolution, without a border
_COPIED = 2**24  # numbers of four bytes: beyond the caches
_LEAST_SECONDS = 1.0  # of all repeats
_IN_A_ROW = 5  # of one kind, so that but the first finds what it reads where it left it
Source = Literal["declared", "measured"]
Kind = Literal["flops", "bytes"]


@dataclass(frozen=True)
class Limit:
    """A rate and where it is from: operations a second, or bytes a second.

    Attributes:
        disturbed: others worked meanwhile.
        core_to_core_ns: between the threads that reached it; None where that was not seen, or they were moved.
    """

    rate: float
    source: Source
    disturbed: bool = False
    core_to_core_ns: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For the measurement's file."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """The most a device does, in operations and in bytes a second."""

    flops: Limit
    bytes: Limit


def _best(calls: list[Callable[[], Any]], synchronise: Callable[[], None]) -> list[float]:
    """Seconds of the fastest repeat of each of some calls, which take turns: a limit is what nothing got in the way of."""
    taken: list[list[float]] = [[] for _ in calls]
    with torch.inference_mode():
        for call in calls:
            call()
        watch = Stopwatch(synchronise)
        while sum(map(sum, taken)) < _LEAST_SECONDS:
            for call, seconds in zip(calls, taken, strict=True):
                for _ in range(_IN_A_ROW):
                    call()
                    seconds.append(watch.lap())
    return list(map(min, taken))


@dataclass(frozen=True)
class _Work:
    """A call whose rate may be a limit, and how many of a kind it does."""

    kind: Kind
    done: int
    call: Callable[[], Any]


def _product(device: torch.device, dtype: torch.dtype) -> _Work:
    a, b = (torch.ones(_ORDER, _ORDER, dtype=dtype, device=device) for _ in range(2))
    return _Work("flops", 2 * _ORDER**3, lambda: torch.mm(a, b))


def _convolution(device: torch.device, dtype: torch.dtype) -> _Work:
    """Another library does it than the product, 2.4 times as fast on a processor of AMD's; channels last, as it likes them."""
    x = torch.ones(_RECORDS, _CHANNELS, _SIDE, _SIDE, dtype=dtype, device=device)
    weight = torch.ones(_CHANNELS, _CHANNELS, _KERNEL, _KERNEL, dtype=dtype, device=device)
    x, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (x, weight))
    done = 2 * _RECORDS * (_SIDE - _KERNEL + 1) ** 2 * _CHANNELS**2 * _KERNEL**2
    return _Work("flops", done, lambda: torch.conv2d(x, weight))


def _copy(device: torch.device) -> _Work:
    a, b = (torch.ones(_COPIED, device=device) for _ in range(2))
    return _Work("bytes", 2 * 4 * _COPIED, lambda: b.copy_(a))


def _measured(works: list[_Work], target: Target, synchronise: Callable[[], None]) -> dict[Kind, Limit]:
    """The best rate of each kind, measured again where others disturbed it, and whether they did so to the last."""
    rates: dict[Kind, float] = {}
    disturbed: bool | None = True
    latency: float | None = None
    looks = partial(core_to_core_ns, target.threads if target.device == "cpu" and not target.launched else 1)
    for _ in range(ATTEMPTS if works else 0):
        before, watched = looks(), Watched(target)
        for work, seconds in zip(works, _best([work.call for work in works], synchronise), strict=True):
            rates[work.kind] = max(rates.get(work.kind, 0.0), work.done / seconds)
        seen = watched.conditions()
        disturbed, latency = seen.disturbed or seen.throttled, between(before, looks())
        if not disturbed:
            break
    return {kind: Limit(rate, "measured", bool(disturbed), latency) for kind, rate in rates.items()}


def limits(target: Target, device: torch.device, precision: str, synchronise: Callable[[], None]) -> Limits:
    """The limits of a target's device in a precision.

    Args:
        synchronise: waits for the device.
    """
    arithmetic: Literal["fp32", "tf32", "bf16"] = "bf16" if precision in ("bf16", "fp16") else "fp32"
    if arithmetic == "fp32" and target.tf32:
        arithmetic = "tf32"
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    found: dict[Kind, Limit] = {}
    works = []
    if declared := target.peak_tflops.get(arithmetic):
        found["flops"] = Limit(declared * _TERA, "declared")
    else:
        works += [_product(device, dtype), _convolution(device, dtype)]
    if target.bandwidth_gb_s:
        found["bytes"] = Limit(target.bandwidth_gb_s * _GIGA, "declared")
    else:
        works.append(_copy(device))
    found |= _measured(works, target, synchronise)
    return Limits(**found)
