"""From the time of a step on one device to its time on another, with an interval.

Between GPUs by a fit to published times (device_fit.py). Between a CPU and a GPU by the ratio of their peak rates alone: of CPUs
that were left out nothing that was fitted told more. Intervals are scaled so that they would have held what they say for devices,
models and CPUs left out of the fit. Two CPUs are not projected to one another: too few times would say how far that is off.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vitalbench.config.published import Device, Timing
from vitalbench.cost.device_fit import DeviceFit, pairs

LEVEL = 0.8  # of the intervals
Miss = tuple[str, float]  # where the times were published, and by how much they were missed


@dataclass(frozen=True)
class Projection:
    """A ratio of times, of the device projected to over the device measured on, and its interval."""

    ratio: float
    low: float
    high: float


def scale(groups: Iterable[list[Miss]]) -> float:
    """The smallest scale that would have held at `LEVEL` what was left out, and so the next group, counted both ways.

    Once each group has one weight, as in hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2023,
    doi:10.1080/01621459.2022.2060112): a group that is not among these has as much weight as each of them and is taken to be missed
    by any scale. Once each miss of a source has one weight, for every source by itself: some publish times that vary more.
    """
    filled = [group for group in groups if group]
    if not filled:
        return math.inf
    misses = np.array([miss for group in filled for _, miss in group])
    weights = np.concatenate([np.full(len(group), 1 / len(group) / (len(filled) + 1)) for group in filled])
    order = np.argsort(misses)
    enough = np.cumsum(weights[order]) >= LEVEL - 1e-9
    by_group = float(misses[order][enough.argmax()]) if enough.any() else math.inf
    by_source: dict[str, list[float]] = defaultdict(list)
    for source, miss in (told for group in filled for told in group):
        by_source[source].append(miss)
    return max(by_group, *(float(np.quantile(own, LEVEL, method="higher")) for own in by_source.values()))


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
                found.append((source.source, abs(math.log(target.seconds / source.seconds) - middle) / error))
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
                by_cpu[source.device].append((source.source, missed))
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
