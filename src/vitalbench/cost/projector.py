"""From the time of a step on one device to its time on another, with an interval.

Between GPUs by a fit to published times (device_fit.py). Between a CPU and a GPU by the ratio of their peak rates alone: of CPUs
that were left out nothing that was fitted told more. Intervals are scaled so that they would have held what they say for devices,
models and CPUs left out of the fit. Two CPUs are not projected to one another: too few times would say how far that is off.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from vitalbench.config.published import Device, Timing
from vitalbench.cost.device_fit import DeviceFit, pairs

LEVEL = 0.8  # of the intervals


class Miss(NamedTuple):
    """A ratio of published times that was missed: where they were published, of which two devices they are, and by how much."""

    source: str
    pair: tuple[str, str]
    by: float


@dataclass(frozen=True)
class Projection:
    """A ratio of times, of the device projected to over the device measured on, and its interval."""

    ratio: float
    low: float
    high: float


def scale(groups: Iterable[list[Miss]]) -> float:
    """The smallest scale that would have held at `LEVEL` what was left out, and so the next group, counted in three ways.

    Once each group has one weight, as in hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2023,
    doi:10.1080/01621459.2022.2060112): a group that is not among these has as much weight as each of them and is taken to be missed
    by any scale. Once each miss of a source has one weight, for every source by itself: some publish times that vary more. Once
    each pair of devices has one weight, and one more of them is missed: those that share many workloads are no more than others.
    """
    filled = [group for group in groups if group]
    if not filled:
        return math.inf
    misses = [miss for group in filled for miss in group]
    by_group = [1 / len(group) / (len(filled) + 1) for group in filled for _ in group]
    pairs_of = Counter(miss.pair for miss in misses)
    by_pair = [1 / pairs_of[miss.pair] / (len(pairs_of) + 1) for miss in misses]
    by_source: dict[str, list[float]] = defaultdict(list)
    for miss in misses:
        by_source[miss.source].append(miss.by)
    told = [miss.by for miss in misses]
    whole = _holding(told, by_group), _holding(told, by_pair)
    return max(*whole, *(_holding(own, [1 / len(own)] * len(own)) for own in by_source.values()))


def _holding(misses: list[float], weights: list[float]) -> float:
    """The least miss that those no larger have `LEVEL` of the weight with; endless where all of them have less."""
    order = np.argsort(misses)
    enough = np.cumsum(np.array(weights)[order]) >= LEVEL - 1e-9
    return float(misses[order[enough.argmax()]]) if enough.any() else math.inf


class Projector:
    """Fitted to times of devices.

    Args:
        timings: what it is fitted to.
        devices: data sheets by name; those projected from and to may lack times.
    """

    def __init__(self, timings: list[Timing], devices: Mapping[str, Device]) -> None:
        self._devices = devices
        self._gpu_times = [timing for timing in timings if devices[timing.device].kind == "gpu"]
        self._timings = timings
        self._fit = DeviceFit(self._gpu_times, devices)

    def _misses(self, left_out: list[Timing], others: list[Timing], to: str | None = None) -> list[Miss]:
        """By how many standard errors a fit to other times misses the ratios of those left out."""
        fitted = DeviceFit(others, self._devices, self._fit.variances)
        found = []
        for source, target in pairs(left_out):
            if to is None or target.device == to:
                middle, error = fitted.log_ratio(source.device, target.device)
                by = abs(math.log(target.seconds / source.seconds) - middle) / error
                found.append(Miss(source.source, (source.device, target.device), by))
        return found

    @cached_property
    def _known(self) -> float:
        """What the standard error is multiplied by between devices that have times: by what it misses of models left out."""
        names = sorted({timing.workload[0] for timing in self._gpu_times})
        return scale(
            self._misses(
                [t for t in self._gpu_times if t.workload[0] == name],
                [t for t in self._gpu_times if t.workload[0] != name],
            )
            for name in names
        )

    @cached_property
    def _unknown(self) -> float:
        """The same where one of them has none, or none that lead to the other's: by what it misses of devices left out."""
        names = sorted({timing.device for timing in self._gpu_times})
        return scale(
            self._misses(self._gpu_times, [t for t in self._gpu_times if t.device != name], name) for name in names
        )

    @cached_property
    def _across(self) -> float:
        """Half of an interval between a CPU and a GPU, in log seconds: by what the ratio of peaks misses of each CPU."""
        by_cpu: dict[str, list[Miss]] = defaultdict(list)
        for source, target in pairs(self._timings):
            if (self._devices[source.device].kind, self._devices[target.device].kind) == ("cpu", "gpu"):
                known = math.log(target.seconds / source.seconds)
                missed = abs(known - self._log_peaks(source.device, target.device))
                by_cpu[source.device].append(Miss(source.source, (source.device, target.device), missed))
        return scale(by_cpu.values())

    def _log_peaks(self, source: str, target: str) -> float:
        return math.log(self._devices[source].tflops) - math.log(self._devices[target].tflops)

    def knows(self, device: str) -> bool:
        """Whether there are times of this GPU beside another."""
        return self._fit.knows(device)

    def connects(self, source: str, target: str) -> bool:
        """Whether anything published says how far a projection from one to the other may be off."""
        kinds = {self._devices[source].kind, self._devices[target].kind}
        return (kinds == {"gpu"} and self._fit.fitted) or (kinds == {"cpu", "gpu"} and math.isfinite(self._across))

    def blend(self, source: str, target: str) -> float:
        """The ratio that data sheets alone give, both rates weighed as fitted to GPUs."""
        return math.exp(self._fit.log_blend(source, target))

    def project(self, source: str, target: str) -> Projection:
        """How many times as long a step takes on `target` as on `source`, which must be connected."""
        if not self.connects(source, target):
            raise ValueError(f"nothing published connects {source} with {target}")
        if "cpu" in (self._devices[source].kind, self._devices[target].kind):
            middle, reach = self._log_peaks(source, target), self._across
        else:
            middle, error = self._fit.log_ratio(source, target)
            reach = error * (self._known if self._fit.links(source, target) else self._unknown)
        return Projection(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))
