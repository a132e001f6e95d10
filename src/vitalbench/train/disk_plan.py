"""The disk a training takes at its fullest, by arithmetic, before it runs.

The data set's store, and of the run the checkpoints that lie there at once: the best, the last, and the one that is being written.
The release it was made from may lie elsewhere and is left out, like tables, logs and features: the sum is a lower bound.
"""

from dataclasses import dataclass

from vitalbench.config.design import Train
from vitalbench.config.target import Target
from vitalbench.train.memory_plan import FLOAT, STATES

_AT_ONCE = 3  # the best, the last, and one being written
_GB = 1e9


@dataclass(frozen=True)
class DiskPlan:
    """Bytes on the disk, and what its target has.

    Attributes:
        store: of the data set, as it is here.
        checkpoint: weights, and of those that are trained the optimiser's states.
    """

    store: float
    checkpoint: float
    available: float | None

    @property
    def needed(self) -> float:
        """Bytes at once."""
        return self.store + _AT_ONCE * self.checkpoint

    @property
    def fits(self) -> bool:
        """Whether nothing is known against it: no disk is declared, or it suffices."""
        return self.available is None or self.needed <= self.available

    def line(self) -> str:
        """The arithmetic in one line."""
        has = "no disk_gb declared" if self.available is None else f"{self.available / _GB:g} GB declared"
        terms = f"store {self.store / _GB:.4g} + {_AT_ONCE} checkpoints x {self.checkpoint / _GB:.4g}"
        return f"disk: {terms} = {self.needed / _GB:.4g} GB of {has}"


def plan_disk(store: int, parameters: int, settings: Train, target: Target, frozen: int = 0) -> DiskPlan:
    """The disk plan of a design on a target.

    Args:
        store: bytes of the data set's store.
        parameters: that are trained.
        frozen: parameters that are only read.
    """
    checkpoint = FLOAT * (parameters + frozen) + STATES[settings.optimizer] * parameters
    return DiskPlan(store, checkpoint, None if target.disk_gb is None else target.disk_gb * _GB)
