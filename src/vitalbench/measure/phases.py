"""A timed phase with its raw samples, and the row of timing.csv it becomes."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass
class Phase:
    """One phase, measured once or more under one protocol.

    Attributes:
        name: import, build, load, train_step, epoch, inference ...
        seconds: every repeat, in order; warm-ups are not among them.
        items: how many of `unit` one repeat handles.
        exclusive: the job had the machine for itself.
        disturbed: foreign work took a share of the processors while it ran; None where that cannot be seen.
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
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For timing.json: everything, raw samples included."""
        return asdict(self)

    def row(self) -> dict[str, Any]:
        """For timing.csv: median and spread of the samples."""
        q25, p50, q75, p95, p99 = (float(value) for value in np.percentile(self.seconds, [25, 50, 75, 95, 99]))
        several = len(self.seconds) > 1
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
        }
