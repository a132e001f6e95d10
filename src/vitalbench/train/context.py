"""What a recipe gets, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.schema import Design, Target, TaskData
from vitalbench.data.store import Store
from vitalbench.measure.phases import Phase

TRAINED_ON = ("train",)
SCORED = ("val", "test")


class TrainingFailure(Exception):
    """Training cannot go on; the message becomes the cell's reason."""


@dataclass(frozen=True)
class Context:
    """Everything a recipe may use.

    Attributes:
        records: the records table joined with `split`, in store order.
        labels: (records, classes), 0 or 1.
        say: a line for whoever watches.
    """

    dataset: DatasetBuild
    task: TaskData
    design: Design
    target: Target
    store: Store
    records: pd.DataFrame
    labels: NDArray[np.float32]
    seed: int
    say: Callable[[str], None]

    def positions(self, *splits: str) -> NDArray[np.intp]:
        """Positions, in `records` and `labels`, of the records of some splits."""
        return np.flatnonzero(self.records["split"].isin(splits))


@dataclass
class Outcome:
    """What a recipe leaves.

    Attributes:
        probabilities: (scored records, classes), in the order of `Context.positions(*SCORED)`.
        n_votes: windows aggregated into one record's probability.
        history: a row an epoch.
        weights: tensors by name; None for a recipe without any.
        phases: what it timed.
        facts: further findings for provenance.json (parameters, steps, ...).
        fitted_on: rows of the store that statistics (a scale, a prevalence) were fitted on; None where there are none.
    """

    probabilities: NDArray[np.float64]
    n_votes: int = 1
    history: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Any] | None = None
    phases: list[Phase] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    fitted_on: NDArray[np.intp] | None = None
