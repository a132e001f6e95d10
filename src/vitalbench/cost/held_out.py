"""How far a projection is off, by device pair, where what it is asked about was left out of its fit; naive ratios beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vitalbench.config.published import Device, Timing
from vitalbench.cost.projector import pairs, projector


@dataclass(frozen=True)
class Asked:
    """One time that was projected and is known.

    Attributes:
        left_out: what the fit had never seen: `device`, the one projected to, or `model`, the workload's.
        error: of the projected time, as a share of the known one.
        blend: the same of both rates weighed as fitted, without the devices' own slowness.
        peak, bandwidth: the same of the ratio of peak rates, and of memory bandwidths.
        held: whether the interval holds the known time.
    """

    left_out: str
    source: str
    target: str
    error: float
    blend: float
    peak: float
    bandwidth: float
    held: bool


_LEFT_OUT: dict[str, Callable[[Timing], str]] = {
    "device": lambda timing: timing.device,
    "model": lambda timing: timing.workload[0],
}


def held_out(timings: list[Timing], devices: Mapping[str, Device]) -> Iterator[Asked]:
    """Leave out each device, then each model, and project to what was left out."""
    for left_out, name_of in _LEFT_OUT.items():
        for name in sorted({name_of(timing) for timing in timings}):
            fitted = projector([timing for timing in timings if name_of(timing) != name], devices)
            for source, target in pairs(timings):
                if name_of(target) != name:
                    continue
                told, known = fitted.project(source.device, target.device), target.seconds / source.seconds
                a, b = devices[source.device], devices[target.device]
                yield Asked(
                    left_out,
                    source.device,
                    target.device,
                    abs(told.ratio / known - 1),
                    abs(fitted.blend(source.device, target.device) / known - 1),
                    abs(a.tflops / b.tflops / known - 1),
                    abs(a.gb_s / b.gb_s / known - 1),
                    told.low <= known <= told.high,
                )
