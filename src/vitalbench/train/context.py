"""What a recipe gets, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.schema import TaskData
from vitalbench.config.target import Target
from vitalbench.data.store import Signals
from vitalbench.measure.phases import Phase
from vitalbench.train.keeper import Unkept
from vitalbench.train.observer import Unobserved

TRAINED_ON = ("train",)
SCORED = ("val", "test")


class TrainingFailure(Exception):
    """Training cannot go on; the message becomes the cell's reason."""


class NotAllowed(Exception):
    """Training must not begin: what it needs is known to be more than the target has. The message is the arithmetic."""


@dataclass(frozen=True)
class Judge:
    """What the validation records are judged by after each epoch, to be told; no course of a training depends on it.

    Attributes:
        name: of the metric.
        value: of labels and probabilities, (records, classes) both; None where it is not defined there.
    """

    name: str
    value: Callable[[NDArray[np.float32], NDArray[np.float64]], float | None]


@dataclass(frozen=True)
class Context:
    """Everything a recipe may use.

    Attributes:
        records: the records table joined with `split`, in store order.
        labels: (records, classes), 0 or 1.
        say: a line for whoever watches.
        keeper: what a recipe that trains hands to the engine, so that the run is saved and gone on with.
        observer: what it hands to the engine too, so that whoever watches is told.
        start: the encoder's weights by name that the design starts from; none where it starts from nothing.
        stored_bytes: of the data set's store on the disk.
        judge: what it hands to the engine where a model is asked the task's classes.
    """

    dataset: DatasetBuild
    task: TaskData
    design: Design
    target: Target
    store: Signals
    records: pd.DataFrame
    labels: NDArray[np.float32]
    seed: int
    say: Callable[[str], None]
    keeper: Unkept = field(default_factory=Unkept)
    observer: Unobserved = field(default_factory=Unobserved)
    start: Callable[[], dict[str, Any]] | None = None
    stored_bytes: int = 0
    judge: Judge | None = None

    def positions(self, *splits: str) -> NDArray[np.intp]:
        """Positions, in `records` and `labels`, of the records of some splits."""
        return np.flatnonzero(self.records["split"].isin(splits))


@dataclass
class Outcome:
    """What a recipe leaves.

    Attributes:
        probabilities: (scored records, classes), in the order of `Context.positions(*SCORED)`; None of pre-training, which is asked
            nothing of the task's classes.
        n_votes: windows aggregated into one record's probability.
        history: a row an epoch.
        weights: tensors by name; None for a recipe without any.
        phases: what it timed.
        facts: further findings for provenance.json (parameters, steps, ...).
        fitted_on: rows of the store that statistics (a scale, a prevalence) were fitted on; None where there are none.
    """

    probabilities: NDArray[np.float64] | None
    n_votes: int = 1
    history: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Any] | None = None
    phases: list[Phase] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    fitted_on: NDArray[np.intp] | None = None
