"""A timed phase with its raw samples, and the row of timing.csv it becomes."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vitalbench.measure.noise import itself
from vitalbench.measure.placement import over_reference

# What a measuring job times where it is not asked for others (config/schema.py has those that a run goes through once).
PHASES = ("import", "build", "features", "train_step", "load_batch", "loaded_step", "inference")
COMPILE = "compile"  # timed with the training step of a target that compiles; once, so without a floor
READS = ("load_batch", "loaded_step", "load", "epoch", "evaluation")  # records of a store
MOST_OF_LIMIT = (
    1.05  # of a limit in operations: beyond it the limit is none, and neither is what was measured beside it
)


@dataclass
class Phase:
    """One phase, measured once or more under one protocol.

    Attributes:
        name: import, build, load, train_step, epoch, inference ...
        seconds: every repeat, in order; warm-ups are not among them.
        items: how many of `unit` one repeat handles.
        exclusive: the job had the machine for itself.
        micro_batch: records in memory at once; None for a whole batch.
        halved: how often that was halved because memory did not suffice.
        disturbed: foreign work took a share of the processors or of a GPU while it ran; None where neither can be seen.
        reference: what the reference operation took after each repeat, in the same order; empty where it was not timed.
        reference_name: which operation that is.
        latencies: between the threads at each repeat, in ns, in the same order; None where it could not be seen, empty where nobody
            looked.
        limits: the device's rates in operations and bytes a second, with their sources.
        flops, bytes: of one repeat, counted; `uncounted` says why they could not be.
        energy_j: of one repeat; `energy_method` names the counter, or says why there is none.
        device_memory_mb: most memory of the device that its allocator had handed out, in 10^6 bytes; None on a CPU.
        model_mb: what the model's weights and buffers take.
        conditions: foreign loads, clock rate and throttling, as measure/conditions.py saw them.
    """

    name: str
    seconds: list[float]
    items: float = 1
    unit: str = "call"
    batch_size: int | None = None
    precision: str | None = None
    peak_memory_mb: float | None = None
    exclusive: bool = False
    disturbed: bool | None = None
    flops: float | None = None
    bytes: float | None = None
    warmup: int = 0
    micro_batch: int | None = None
    halved: int = 0
    reference: list[float] = field(default_factory=list)
    reference_name: str = ""
    latencies: list[float | None] = field(default_factory=list)
    limits: dict[str, dict[str, Any]] = field(default_factory=dict)
    energy_j: float | None = None
    energy_method: str = ""
    device_memory_mb: float | None = None
    model_mb: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    uncounted: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def calm(self) -> bool:
        """Whether it gives ratios: neither others' work disturbed it, nor heat or power held the device back."""
        return not (self.disturbed or self.conditions.get("throttled"))

    @property
    def noise_floor(self) -> float | None:
        """How far apart the phase and itself come out: 0.03 is 3 %; None where repeats are too few, or it was not timed alone."""
        floor = itself(self.seconds).floor if self.exclusive else math.inf
        return floor if math.isfinite(floor) else None

    @property
    def to_reference(self) -> tuple[float | None, float | None]:
        """A repeat over the reference operation beside it, and the latency between the threads then, in ns: medians."""
        if not self.reference:
            return None, None
        return over_reference(self.seconds, self.reference, self.latencies)

    def reached(self, what: str) -> float | None:
        """The share of the device's limit in "flops" or "bytes" that the median repeat reaches; None where `limits` says why."""
        return None if self._no_share(what) else self._share(what)

    def _share(self, what: str) -> float | None:
        counted, median = {"flops": self.flops, "bytes": self.bytes}[what], float(np.median(self.seconds))
        if counted is None or what not in self.limits or median <= 0:
            return None
        return float(counted / median / self.limits[what]["rate"])

    def _no_share(self, what: str) -> str:
        """Why a share of a limit would say nothing; empty where it does not."""
        if not self.calm:
            return "no share of a phase that was disturbed or throttled"
        if self.limits.get(what, {}).get("disturbed"):
            return "disturbed: no share"
        operations = self._share("flops")
        if operations is not None and operations > MOST_OF_LIMIT:
            return f"no share: {operations:.2f} of the operations that the limit allows"
        return ""

    def _limits(self) -> Iterator[str]:
        """The limits for people, and why there is no share of them where that is so."""
        for what, limit in sorted(self.limits.items()):
            why = self._no_share(what) if self._share(what) is not None else ""
            at = f" at {limit['core_to_core_ns']:.0f} ns" if limit.get("core_to_core_ns") else ""
            yield f"{what} {limit['rate']:.4g}/s {limit['source']}{at}" + (f", {why}" if why else "")
        if self.uncounted:
            yield f"not counted: {self.uncounted}"

    def to_json(self) -> dict[str, Any]:
        """For timing.json: everything, raw samples included."""
        return asdict(self)

    def row(self) -> dict[str, Any]:
        """For timing.csv: median and spread of the samples; no ratio and no floor of those that were disturbed or throttled."""
        q25, p50, q75, p95, p99 = (float(value) for value in np.percentile(self.seconds, [25, 50, 75, 95, 99]))
        several = len(self.seconds) > 1
        to_reference, latency = self.to_reference
        return {
            "phase": self.name,
            "batch_size": self.batch_size,
            "precision": self.precision,
            "median_s": p50,
            "iqr_s": q75 - q25 if several else None,
            "p50_s": p50,
            "p95_s": p95 if several else None,
            "p99_s": p99 if several else None,
            "repeats": len(self.seconds),
            "per_second": self.items / p50 if p50 > 0 else None,
            "unit": self.unit,
            "peak_memory_mb": self.peak_memory_mb,
            "flops": self.flops,
            "bytes": self.bytes,
            "exclusive": self.exclusive,
            "disturbed": self.disturbed,
            "micro_batch": self.micro_batch,
            "halved": self.halved if self.batch_size else None,
            "noise_floor": self.noise_floor if self.calm else None,
            "reference": self.reference_name,
            "to_reference": to_reference if self.calm else None,
            "mfu": self.reached("flops"),
            "bandwidth_share": self.reached("bytes"),
            "limits": "; ".join(self._limits()),
            "energy_j": self.energy_j,
            "energy_method": self.energy_method,
            "device_memory_mb": self.device_memory_mb,
            "model_mb": self.model_mb,
            "foreign_load": self.conditions.get("foreign_load"),
            "clock_mhz": self.conditions.get("clock_mhz"),
            "throttled": self.conditions.get("throttled"),
            "bottleneck": self.extra.get("bottleneck"),
            "foreign_gpu_load": self.conditions.get("foreign_gpu_load"),
            "core_to_core_ns": latency,
        }
