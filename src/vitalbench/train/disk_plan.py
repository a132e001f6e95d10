"""The disk a training takes at its fullest, by arithmetic, before it runs.

The data set's store, and of the run the checkpoints that lie there at once: the two newest, the best, and the one that is being
written, or one an epoch of fewer. What else lies there (release, older builds, tables, logs, features) is left out: the sum is a
lower bound.
"""

from dataclasses import asdict, dataclass
from typing import Any

from vitalbench.config.design import Train
from vitalbench.config.target import Target
from vitalbench.train.memory_plan import FLOAT, STATES

_AT_ONCE = 4  # the two newest, the best, and one being written
_GB = 1e9


@dataclass(frozen=True)
class DiskPlan:
    """Bytes on the disk, and what its target has.

    Attributes:
        store: of the data set, as it is here.
        checkpoint: weights, and of those that are trained the optimiser's states and, under early stopping, the best so far.
        checkpoints: at once.
    """

    store: float
    checkpoint: float
    checkpoints: int
    available: float | None

    @property
    def needed(self) -> float:
        """Bytes at once."""
        return self.store + self.checkpoints * self.checkpoint

    @property
    def fits(self) -> bool:
        """Whether nothing is known against it: no disk is declared, or it suffices."""
        return self.available is None or self.needed <= self.available

    def to_json(self) -> dict[str, Any]:
        """For provenance.json."""
        return asdict(self) | {"needed": self.needed}

    def line(self) -> str:
        """The arithmetic in one line."""
        has = "no disk_gb declared" if self.available is None else f"{self.available / _GB:g} GB declared"
        terms = f"store {self.store / _GB:.4g} + {self.checkpoints} x checkpoint {self.checkpoint / _GB:.4g}"
        return f"disk: {terms} = {self.needed / _GB:.4g} GB of {has}"


def plan_disk(store: int, parameters: int, settings: Train, target: Target, frozen: int = 0) -> DiskPlan:
    """The disk plan of a design on a target.

    Args:
        store: bytes of the data set's store.
        parameters: that are trained.
        frozen: parameters that are only read.
    """
    best = FLOAT * parameters if settings.early_stopping else 0
    checkpoint = FLOAT * (parameters + frozen) + STATES[settings.optimizer] * parameters + best
    available = None if target.disk_gb is None else target.disk_gb * _GB
    return DiskPlan(store, checkpoint, min(settings.epochs, _AT_ONCE), available)
