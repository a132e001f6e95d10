"""How far a projector is off, by device pair, where what it is asked about was left out of its fit; naive ratios beside it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from vitalbench.config.published import Device, Timing
from vitalbench.cost.device_fit import pairs
from vitalbench.cost.projector import LEVEL, Projector


@dataclass(frozen=True)
class Asked:
    """One time that was projected and is known.

    Attributes:
        left_out: what the fit had never seen: `device`, the GPU projected to; `model`, the workload's; `cpu`, the CPU of the pair.
        model: the workload's.
        error: of the projected time, as a share of the known one.
        blend: the same of both rates weighed as fitted to GPUs, without the devices' own slowness.
        peak, bandwidth: the same of the ratio of peak rates, and of memory bandwidths.
        held: whether the interval holds the known time.
    """

    left_out: str
    source: str
    target: str
    model: str
    error: float
    blend: float
    peak: float
    bandwidth: float
    held: bool


def _asked(left_out: str, fitted: Projector, source: Timing, target: Timing, devices: Mapping[str, Device]) -> Asked:
    told, known = fitted.project(source.device, target.device), target.seconds / source.seconds
    a, b = devices[source.device], devices[target.device]
    ratios = (told.ratio, fitted.blend(a.name, b.name), a.tflops / b.tflops, a.gb_s / b.gb_s)
    error, blend, peak, bandwidth = (abs(ratio / known - 1) for ratio in ratios)
    held = told.low <= known <= told.high
    return Asked(left_out, a.name, b.name, source.workload[0], error, blend, peak, bandwidth, held)


def held_out(timings: list[Timing], devices: Mapping[str, Device]) -> Iterator[Asked]:
    """Leave out each GPU, each model and each CPU in turn, and project to what was left out, or from the CPU to its GPUs."""

    def kind(timing: Timing) -> str:
        return devices[timing.device].kind

    gpus = [timing for timing in timings if kind(timing) == "gpu"]
    for name in sorted({timing.device for timing in gpus}):
        fitted = Projector([timing for timing in gpus if timing.device != name], devices)
        for source, target in pairs(gpus):
            if target.device == name:
                yield _asked("device", fitted, source, target, devices)
    for name in sorted({timing.workload[0] for timing in gpus}):
        fitted = Projector([timing for timing in gpus if timing.workload[0] != name], devices)
        for source, target in pairs([timing for timing in gpus if timing.workload[0] == name]):
            yield _asked("model", fitted, source, target, devices)
    for name in sorted({timing.device for timing in timings if kind(timing) == "cpu"}):
        fitted = Projector([timing for timing in timings if timing.device != name], devices)
        for source, target in pairs(timings):
            if source.device == name and kind(target) == "gpu" and fitted.connects(name, target.device):
                yield _asked("cpu", fitted, source, target, devices)


def by_pair(asked: list[Asked]) -> Iterator[dict[str, str | int | float]]:
    """The means of each pair of devices, and of all pairs, by what was left out; a row of tables/projection.csv each."""
    groups: dict[tuple[str, str, str], list[Asked]] = defaultdict(list)
    for one in asked:
        groups[one.left_out, one.source, one.target].append(one)
        groups[one.left_out, "all", "all"].append(one)
    held = {place: fmean(row.held for row in rows) for place, rows in groups.items()}
    for (left_out, source, target), rows in groups.items():
        by_pair = [held[place] for place in groups if place[0] == left_out and place[1] != "all"]
        whole = {
            "pairs": len(by_pair),
            "held_by_pair": fmean(by_pair),
            "pairs_held": fmean(share >= LEVEL for share in by_pair),
        }
        yield {
            "left_out": left_out,
            "source": source,
            "projected_to": target,
            "times": len(rows),
            **{
                f"{name}_error": fmean(getattr(row, field) for row in rows)
                for name, field in (
                    ("projected", "error"), ("blend", "blend"), ("peak", "peak"), ("bandwidth", "bandwidth"),
                )
            },
            "held": held[left_out, source, target],
            **(whole if source == "all" else {}),
        }  # fmt: skip
