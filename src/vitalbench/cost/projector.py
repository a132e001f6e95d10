"""From the time of a step on one device to its time on another, with an interval.

The time of workload w on device d is taken as

    log t = m_w - a log P_d - (1 - a) log B_d + u_d + e

with the device's peak rate P and memory bandwidth B of its data sheet. `a`, how much a step waits for arithmetic rather than for
memory, the workload's own m, and the device's own u, by which it is slower than its data sheet says, are fitted to published times
(configs/projection); u is drawn towards 0 the more, the fewer times there are of a device (a random effect, by expectation and
maximisation). Of a device without times u is unknown, and the interval wider. Intervals are scaled so that they would have held
what they say for devices and models left out of the fit.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.published import Device, Timing

LEVEL = 0.8  # of the intervals
_ROUNDS = 60
_START = 0.02, 0.005  # variances of devices and of times, log seconds squared

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Projection:
    """A ratio of times, of the device projected to over the device measured on, and its interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Projector:
    """Fitted to times of devices.

    Args:
        timings: what it is fitted to.
        devices: data sheets by name; those projected from and to may lack times.
        known: what the standard error is multiplied by to make half of an interval between devices that have times.
        unknown: the same where one of them has none.
    """

    timings: list[Timing]
    devices: Mapping[str, Device]
    known: float = 1.0
    unknown: float = 1.0
    _known: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_known", {name: at for at, name in enumerate(sorted({t.device for t in self.timings}))}
        )

    def _slope(self, device: str) -> float:
        sheet = self.devices[device]
        return math.log(sheet.gb_s) - math.log(sheet.tflops)

    def _memory(self, source: str, target: str) -> float:
        """The log of the ratio of times where memory alone is waited for."""
        return math.log(self.devices[source].gb_s) - math.log(self.devices[target].gb_s)

    @cached_property
    def _fit(self) -> tuple[Array, Array, float, float]:
        """Coefficients (a, then u of each device), their covariance, and the variances of devices and of times."""
        workloads = {name: at for at, name in enumerate(sorted({t.workload for t in self.timings}))}
        rows, first = np.arange(len(self.timings)), 1 + len(self._known)
        x = np.zeros((len(rows), first + len(workloads)))
        x[:, 0] = [self._slope(t.device) for t in self.timings]
        x[rows, [1 + self._known[t.device] for t in self.timings]] = 1
        x[rows, [first + workloads[t.workload] for t in self.timings]] = 1
        y = np.array([math.log(t.seconds) + math.log(self.devices[t.device].gb_s) for t in self.timings])
        between, within = _START
        for _ in range(_ROUNDS):
            prior = np.zeros(x.shape[1])
            prior[1:first] = within / between
            inverse: Array = np.linalg.pinv(x.T @ x + np.diag(prior), hermitian=True)
            found: Array = inverse @ x.T @ y
            covariance: Array = within * inverse
            left = y - x @ found
            between = float(np.mean(found[1:first] ** 2 + np.diag(covariance)[1:first]))
            within = float((left @ left + np.trace(x @ covariance @ x.T)) / len(y))
        return found[:first], covariance[:first, :first], between, within

    def _log_ratio(self, source: str, target: str) -> tuple[float, float]:
        """The log of a ratio of times and its standard error."""
        found, covariance, between, within = self._fit
        contrast, variance = np.zeros(len(found)), 2 * within
        contrast[0] = self._slope(target) - self._slope(source)
        for device, sign in ((target, 1.0), (source, -1.0)):
            if device in self._known:
                contrast[1 + self._known[device]] += sign
            else:
                variance += between
        return self._memory(source, target) + float(contrast @ found), math.sqrt(
            variance + float(contrast @ covariance @ contrast)
        )

    def blend(self, source: str, target: str) -> float:
        """The same of what data sheets alone say, both rates weighed by `a`: what a device's own slowness is worth beyond that."""
        return math.exp(
            self._memory(source, target) + float(self._fit[0][0]) * (self._slope(target) - self._slope(source))
        )

    def project(self, source: str, target: str) -> Projection:
        """How many times as long a step takes on `target` as on `source`."""
        middle, error = self._log_ratio(source, target)
        reach = error * (self.known if {source, target} <= set(self._known) else self.unknown)
        return Projection(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))

    def misses(self, timings: list[Timing], to: Collection[str] | None = None) -> Iterator[float]:
        """By how many standard errors the times of other workloads or devices differ from what is projected."""
        for source, target in pairs(timings):
            if to is None or target.device in to:
                middle, error = self._log_ratio(source.device, target.device)
                yield abs(math.log(target.seconds / source.seconds) - middle) / error


def pairs(timings: list[Timing]) -> Iterator[tuple[Timing, Timing]]:
    """Every two times of one workload, each way."""
    for source in timings:
        for target in timings:
            if source.workload == target.workload and source.device != target.device:
                yield source, target


def _scale(groups: list[list[float]]) -> float:
    """The smallest scale that would have held at `LEVEL` what was left out, each group with one weight, and so the next one.

    As in hierarchical conformal prediction (Dunn, Wasserman and Ramdas 2023, doi:10.1080/01621459.2022.2060112): a group that is
    not among these has as much weight as each of them and is taken to be missed by any scale.
    """
    groups = [group for group in groups if group]
    misses = np.concatenate(groups)
    weights = np.concatenate([np.full(len(group), 1 / len(group) / (len(groups) + 1)) for group in groups])
    order = np.argsort(misses)
    enough = np.cumsum(weights[order]) >= LEVEL - 1e-9
    return float(misses[order][enough.argmax()]) if enough.any() else math.inf


def projector(timings: list[Timing], devices: Mapping[str, Device]) -> Projector:
    """A projector whose intervals are scaled by what it misses of each model, and of each device, when left out of its fit."""

    def without_model(name: str) -> list[float]:
        left = [t for t in timings if t.workload[0] == name]
        return [*Projector([t for t in timings if t.workload[0] != name], devices).misses(left)]

    def without_device(name: str) -> list[float]:
        return [*Projector([t for t in timings if t.device != name], devices).misses(timings, {name})]

    models, names = sorted({t.workload[0] for t in timings}), sorted({t.device for t in timings})
    return Projector(timings, devices, _scale([*map(without_model, models)]), _scale([*map(without_device, names)]))
