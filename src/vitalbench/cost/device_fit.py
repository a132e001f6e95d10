"""How long GPUs take for the same work, fitted to published times.

The time of workload w on device d is taken as

    log t = m_w - a log P_d - (1 - a) log B_d + u_d + e

with the device's peak rate P, in the arithmetic it was timed in, and the bandwidth B of its memory. `a`, how much a step waits for
arithmetic rather than for memory, the workload's own m, and the device's own u, by which it is slower than its data sheet says, are
fitted; u is drawn towards 0 the more, the fewer times there are of a device (a random effect, by expectation and maximisation).
The workloads' own m are taken out beforehand by centring, which leaves the rest as it would be.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.published import Device, Timing

_ROUNDS = 60
_START = 0.02, 0.005  # variances of devices and of times, log seconds squared
_SETTLED = 1e-4  # change of the variances, as a share, after which no further round is worth its time

Array = NDArray[np.floating[Any]]


def pairs(timings: list[Timing]) -> Iterator[tuple[Timing, Timing]]:
    """Every two times of one workload, each way."""
    by_workload: dict[tuple[str, str, str], list[Timing]] = defaultdict(list)
    for timing in timings:
        by_workload[timing.workload].append(timing)
    for same in by_workload.values():
        for source in same:
            for target in same:
                if source.device != target.device:
                    yield source, target


class DeviceFit:
    """The fit.

    Args:
        timings: of GPUs; a workload with a single one of them says nothing and is left out.
        devices: data sheets by name; those asked about may lack times.
        start: variances of devices and of times to begin with, which those of a fit to nearly the same times shorten.
    """

    def __init__(
        self, timings: list[Timing], devices: Mapping[str, Device], start: tuple[float, float] = _START
    ) -> None:
        self._start = start
        linked = {source.workload for source, _ in pairs(timings)}
        self._timings = [timing for timing in timings if timing.workload in linked]
        self._devices = devices
        self._places = {name: at for at, name in enumerate(sorted({t.device for t in self._timings}), start=1)}

    def knows(self, device: str) -> bool:
        """Whether there are times that tell how slow this device is beyond its data sheet."""
        return device in self._places

    @cached_property
    def _group(self) -> dict[str, str]:
        """Of each device that has times, one that stands for all which workloads link to it, through others too."""
        found = {name: name for name in self._places}
        for source, target in pairs(self._timings):
            old, new = found[target.device], found[source.device]
            if old != new:
                found = {name: new if group == old else group for name, group in found.items()}
        return found

    def links(self, source: str, target: str) -> bool:
        """Whether published times compare the two, if only through other devices."""
        return self.knows(source) and self.knows(target) and self._group[source] == self._group[target]

    @property
    def fitted(self) -> bool:
        """Whether there are times to fit to."""
        return bool(self._timings)

    def _slope(self, device: str) -> float:
        sheet = self._devices[device]
        return math.log(sheet.gb_s) - math.log(sheet.tflops)

    def _memory(self, source: str, target: str) -> float:
        """The log of the ratio of times where memory alone is waited for."""
        return math.log(self._devices[source].gb_s) - math.log(self._devices[target].gb_s)

    def _centred(self) -> tuple[Array, Array, int]:
        """Slopes and devices of the times, and the times, each less its workload's mean; and how many workloads there are."""
        names = {name: at for at, name in enumerate(sorted({t.workload for t in self._timings}))}
        of = np.array([names[t.workload] for t in self._timings], dtype=int)
        x = np.zeros((len(of), 1 + len(self._places)))
        x[:, 0] = [self._slope(t.device) for t in self._timings]
        x[np.arange(len(of)), [self._places[t.device] for t in self._timings]] = 1
        y = np.array([[math.log(t.seconds) + math.log(self._devices[t.device].gb_s)] for t in self._timings])
        counts = np.bincount(of, minlength=len(names))[:, None]
        for columns in (x, y):
            sums = np.zeros((len(names), columns.shape[1]))
            np.add.at(sums, of, columns)
            columns -= (sums / counts)[of]
        return x, y[:, 0], len(names)

    @cached_property
    def _fit(self) -> tuple[Array, Array, float, float]:
        """Coefficients (a, then u of each device), their covariance, and the variances of devices and of times."""
        x, y, workloads = self._centred()
        square, product = x.T @ x, x.T @ y
        between, within = self._start
        for _ in range(_ROUNDS):
            prior = np.full(x.shape[1], within / between)
            prior[0] = 0
            inverse: Array = np.linalg.pinv(square + np.diag(prior), hermitian=True)
            found: Array = inverse @ product
            covariance: Array = within * inverse
            left = y - x @ found
            spread = float(np.mean(found[1:] ** 2 + np.diag(covariance)[1:]))
            noise = float((left @ left + within * (workloads + np.trace(square @ inverse))) / len(y))
            moved = abs(spread / between - 1) + abs(noise / within - 1)
            between, within = spread, noise
            if moved < _SETTLED:
                break
        return found, covariance, between, within

    @property
    def variances(self) -> tuple[float, float]:
        """Of devices and of times, log seconds squared."""
        return self._fit[2], self._fit[3]

    def log_ratio(self, source: str, target: str) -> tuple[float, float]:
        """The log of a ratio of times, target over source, and its standard error."""
        found, covariance, between, within = self._fit
        contrast, variance = np.zeros(len(found)), 2 * within
        contrast[0] = self._slope(target) - self._slope(source)
        for device, sign in ((target, 1.0), (source, -1.0)):
            if device in self._places:
                contrast[self._places[device]] += sign
            else:
                variance += between
        middle = self._memory(source, target) + float(contrast @ found)
        return middle, math.sqrt(variance + float(contrast @ covariance @ contrast))

    def log_blend(self, source: str, target: str) -> float:
        """The same of what data sheets alone say, both rates weighed by `a`: what a device's own slowness is worth beyond that."""
        return self._memory(source, target) + float(self._fit[0][0]) * (self._slope(target) - self._slope(source))
