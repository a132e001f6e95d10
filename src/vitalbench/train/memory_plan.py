"""The memory a training needs on each process, by arithmetic, before it runs (Rajbhandari et al. 2020, ZeRO, arXiv 1910.02054).

With P parameters, N processes and S bytes of optimiser state a parameter (Adam 8, SGD with momentum 4), weights being fp32 at
every precision:

| strategy | weights | gradients | optimiser |
|---|---|---|---|
| ddp | 4P | 4P | SP |
| zero1 | 4P | 4P | (S + 4)P / N |
| zero2 | 4P | 4P / N | (S + 4)P / N |
| zero3 | 4P / N | 4P / N | (S + 4)P / N |

ZeRO's optimiser holds a copy of its part of the weights, hence S + 4; its buckets hold what is on its way between processes. What a
device's own libraries take is left out, so the sum is a lower bound: what exceeds the memory by it cannot fit.
"""

from dataclasses import asdict, dataclass
from typing import Any

from vitalbench.config.design import Train
from vitalbench.config.target import Target
from vitalbench.train.activations import Activations
from vitalbench.train.shares import micro_batches
from vitalbench.train.strategy import BUCKET

FLOAT = 4  # bytes
STATES = {"adam": 8, "adamw": 8, "sgd": 4}  # two moments, or momentum
_MB, _GB = 1e6, 1e9


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes on one process, and what its target has.

    Attributes:
        activations: measured on a few records and drawn out to `records`, those in memory at once.
        on_host: weights and optimiser states that are kept in the host's memory instead.
        processes: how many share `available`; 1 where each has a device of its own.
    """

    strategy: str
    parameters: float
    gradients: float
    optimiser: float
    buckets: float
    activations: float
    records: int
    on_host: float
    processes: int
    available: float | None

    @property
    def needed(self) -> float:
        """Bytes on the device: of all the processes that share it."""
        one = self.parameters + self.gradients + self.optimiser + self.buckets + self.activations
        return one * self.processes

    @property
    def fits(self) -> bool:
        """Whether nothing is known against it: no memory is declared, or it suffices."""
        return self.available is None or self.needed <= self.available

    def to_json(self) -> dict[str, Any]:
        """For provenance.json."""
        return asdict(self) | {"needed": self.needed}

    def line(self) -> str:
        """The arithmetic in one line."""
        parts = {
            "parameters": self.parameters,
            "gradients": self.gradients,
            "optimiser": self.optimiser,
            "buckets": self.buckets,
            f"activations of {self.records} records": self.activations,
        }
        terms = " + ".join(f"{name} {size / _MB:.4g}" for name, size in parts.items() if size)
        shared = f" x {self.processes} processes" if self.processes > 1 else ""
        has = "no memory_gb declared" if self.available is None else f"{self.available / _GB:g} GB declared"
        host = f"; {self.on_host / _MB:.4g} MB on the host" if self.on_host else ""
        return f"memory ({self.strategy}): ({terms}) MB{shared} = {self.needed / _GB:.4g} GB of {has}{host}"


def plan_memory(
    parameters: int, activations: Activations, settings: Train, target: Target, frozen: int = 0
) -> MemoryPlan:
    """The memory plan of a design on a target.

    Args:
        parameters: that are trained.
        activations: what the model keeps from a batch.
        frozen: parameters that are only read, whole on every process.
    """
    weights, n, stage = FLOAT * parameters, target.processes, target.zero_stage
    states = STATES[settings.optimizer] * parameters
    shared = weights / n if stage == 3 else weights
    optimiser = (states + weights) / n if stage else float(states)
    pieces = micro_batches(settings.batch_size, n, 0, settings.micro_batch)
    records = max(piece.stop - piece.start for piece in pieces)
    offloaded = (optimiser + (shared if stage == 3 else 0)) if target.offload and target.device != "cpu" else 0.0
    return MemoryPlan(
        strategy=target.strategy if n > 1 or stage else "one process",
        parameters=(0.0 if offloaded and stage == 3 else shared) + FLOAT * frozen,
        gradients=weights / n if stage >= 2 else weights,
        optimiser=0.0 if offloaded else optimiser,
        buckets=FLOAT * min(BUCKET, parameters) if stage else 0.0,
        activations=activations.of(records),
        records=records,
        on_host=offloaded,
        processes=n if target.device == "cpu" else 1,
        available=None if target.memory_gb is None else target.memory_gb * _GB,
    )
