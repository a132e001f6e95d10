"""What the files of suites and tasks may say. The field names are the keys; docs/CONFIGURATION.md explains them to users."""

import math
from collections.abc import Container
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.gate import Gate
from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, DatasetName, Name, Positive, TaskName
from vitalbench.errors import choices

Kind = Literal["multilabel", "multiclass", "softlabel", "binary"]
Size = Literal["small", "full"]
Once = Literal["process", "load", "rebuild", "epoch", "checkpoint", "evaluation"]  # what a run goes through once


class Grid(Strict):
    """Cells as a product: every task of every data set with every design, seed and fold."""

    datasets: Annotated[list[DatasetName], Field(min_length=1)]
    tasks: Annotated[list[TaskName], Field(min_length=1)]
    designs: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]


class Protocol(Strict):
    """How long a phase is timed: warm-ups apart, then at least `repeats` and at least `seconds` (docs/METHODS.md)."""

    warmup: Count = 2
    repeats: Count = 22  # eleven pairs, the fewest that can tell anything from noise (measure/noise.py)
    seconds: Positive = 2.0
    inference_batches: Annotated[list[Count | Literal["max"]], Field(min_length=1)] = [1, 32, "max"]
    own_batch: bool = True  # inference of the batch that a design is trained with, too
    once: list[Once] = []  # phases of a run that a measuring job repeats, of designs that have them

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if len(set(self.inference_batches)) < len(self.inference_batches):
            raise PydanticCustomError("inference_batches", "a batch is named twice in 'inference_batches'")
        if len(set(self.once)) < len(self.once):
            raise PydanticCustomError("once", "a phase is named twice in 'once'")
        return self


class Suite(Strict):
    """configs/suites/<name>.yaml: which data sets x designs x targets x seeds x folds."""

    description: str
    source: Literal["generated", "records"]
    size: Size
    grids: Annotated[list[Grid], Field(min_length=1)]
    targets: Annotated[list[Name], Field(min_length=1)] = ["cpu"]
    projected: list[Name] = []  # targets that nothing is run on: what is measured is projected to them
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    bootstrap_seed: int = 0
    protocol: Protocol = Protocol()
    efficiency: list[Name] = []  # designs that are laid out side by side, in this order, trained or not
    examine: list[Name] = []  # designs whose predictions are examined as a clinic would, all seeds of a cell together
    gate: Gate = Gate()

    @model_validator(mode="after")
    def _gated_metrics_exist(self) -> Self:
        known = {name for names in METRICS.values() for name in names}
        for name in self.gate.metrics:
            if name not in known:
                raise PydanticCustomError(
                    "metric",
                    "gate: metric '{metric}' is not known; {hint}",
                    {"metric": name, "hint": choices(name, known)},
                )
        return self


class Split(Strict):
    """Who may be trained on.

    `official` reads the release's own folds; `patient-hash` draws patients by a hash of their id, but of a data set that has
    `folds_column` reads that, so that one task may be asked of data sets with and without folds; `patient-dealt` deals them in the
    hash's order, one a fold, round and round, so that of few patients no fold is left without; `named` reads from a column which
    split a record is in, of a release that states its own and has no others; `external` draws as `patient-hash` does among the
    records of one source, `train_on`, or takes them by its official folds, where `folds_column` has them, and adds all of those in
    `test_on` to the test split, so that both are scored apart.
    """

    method: Literal["official", "patient-hash", "patient-dealt", "named", "external"]
    column: str | None = None
    train_on: str | None = None
    test_on: list[str] = []
    folds_column: str | None = None
    folds: Annotated[int, Field(ge=3)] = 10
    val: Annotated[list[Count], Field(min_length=1)] = [9]
    test: Annotated[list[Count], Field(min_length=1)] = [10]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.method.startswith("patient-") and self.column is None:
            raise PydanticCustomError(
                "split_column",
                "method '{method}' needs the key 'column', a column of the records table",
                {"method": self.method},
            )
        if self.train_on is not None and self.train_on in self.test_on:
            raise PydanticCustomError(
                "split_external",
                "test_on names '{source}', which is trained on: its own test patients are scored anyway; name others",
                {"source": self.train_on},
            )
        if len(set(self.test_on)) < len(self.test_on):
            raise PydanticCustomError("split_external", "test_on names a source twice")
        if (self.method == "external") != bool(self.train_on and self.test_on):
            raise PydanticCustomError(
                "split_external",
                "method 'external', and no other, needs 'train_on', a source, and 'test_on', a list of others",
            )
        if self.folds_column is not None and self.method not in ("external", "patient-hash"):
            raise PydanticCustomError(
                "split_folds",
                "folds_column is of the methods 'external' and 'patient-hash': official folds in the place of drawn ones",
            )
        if set(self.val) & set(self.test):
            raise PydanticCustomError("split_overlap", "val and test share a fold; they must be disjoint")
        outside = {*self.val, *self.test} - set(range(1, self.folds + 1))
        if outside or len({*self.val, *self.test}) >= self.folds:
            raise PydanticCustomError(
                "split_range",
                "val and test must name folds of 1..{folds} and leave some to train on",
                {"folds": self.folds},
            )
        return self

    @property
    def rounds(self) -> int:
        """How many folds there are to train on: a split that is named has itself alone."""
        return 1 if self.method == "named" else self.folds

    def official_in(self, columns: Container[str]) -> str | None:
        """The column of a release's own folds or splits that a split reads of these columns; None where patients are drawn.

        >>> asked = Split(method="patient-hash", folds_column="strat_fold")
        >>> asked.official_in(["record_id", "strat_fold"]), asked.official_in(["record_id"])
        ('strat_fold', None)
        """
        if self.method in ("official", "named"):
            return self.column
        return self.folds_column if self.folds_column is not None and self.folds_column in columns else None


METRICS = {
    "multilabel": [
        "auroc",
        "auprc",
        "f1",
        "fmax",
        "accuracy",
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "brier",
        "ece",
    ],
    "binary": ["auroc", "auprc", "f1", "accuracy", "sensitivity", "specificity", "ppv", "npv", "brier", "ece"],
    "multiclass": ["auroc", "auprc", "f1", "accuracy", "sensitivity", "specificity", "ppv", "npv", "brier", "ece"],
    "softlabel": ["kl", "accuracy", "brier"],
}
EXAMINED = ("multilabel", "binary", "multiclass")  # kinds of tasks whose predictions can be examined, class by class
UNBOUNDED = {"kl"}  # every other metric lies between 0 and 1
LOWER_IS_BETTER = {"brier", "ece", "kl"}
MACRO = "macro"  # the label of a mean over classes, so no class has this name


def highest(metric: str) -> float:
    """The most that a metric can be; the least is 0.

    >>> highest("auroc"), highest("kl")
    (1.0, inf)
    """
    return math.inf if metric in UNBOUNDED else 1.0


class TaskData(Strict):
    """What a split and a training depend on."""

    kind: Kind
    unit: Literal["record", "window"]
    labels: str
    classes: Annotated[list[str], Field(min_length=1)]
    # Asks only the classes that a smaller share of the training patients carries.
    rare_below: Annotated[float, Field(gt=0, lt=1)] | None = None
    # So many of the training patients; the others are unused, val and test stay as they are.
    train_patients: Count | None = None
    unlabelled: Literal["drop", "keep"] = "drop"
    subgroups: list[str] = []
    split: Split

    @model_validator(mode="after")
    def _as_many_classes_as_its_kind(self) -> Self:
        if self.kind == "binary" and len(self.classes) != 1:
            raise PydanticCustomError(
                "classes",
                "a binary task has one class, this one has {count}; of several, kind is multilabel or multiclass",
                {"count": len(self.classes)},
            )
        if self.kind in ("multiclass", "softlabel") and len(self.classes) < 2:
            raise PydanticCustomError(
                "classes",
                "a {kind} task has two classes or more, this one has one; of one, kind is binary",
                {"kind": self.kind},
            )
        return self

    @model_validator(mode="after")
    def _rare_among_several(self) -> Self:
        if self.rare_below is not None and self.kind != "multilabel":
            raise PydanticCustomError(
                "rare_below",
                "rare_below chooses among the classes of a multilabel task, not of a {kind} one",
                {"kind": self.kind},
            )
        return self

    @model_validator(mode="after")
    def _sources_are_scored_apart(self) -> Self:
        column = self.split.column or ""
        if self.split.method == "external" and column.removeprefix("group:") not in self.subgroups:
            raise PydanticCustomError(
                "split_external",
                "method 'external' needs a 'column' that is a subgroup of the task, as group:<name>; '{column}' is none",
                {"column": column},
            )
        return self


class Task(TaskData):
    """configs/tasks/<name>.yaml: what is asked of a data set."""

    description: str
    primary: str
    direction: Literal["higher", "lower"]
    margin: Positive
    reach: list[Annotated[float, Field(gt=0, lt=1)]] = []  # levels of the primary metric that time and cost are told to

    @model_validator(mode="after")
    def _metric_exists(self) -> Self:
        allowed = METRICS[self.kind]
        if self.primary not in allowed:
            raise PydanticCustomError(
                "metric",
                "primary metric '{metric}' is not defined for a {kind} task; {hint}",
                {"metric": self.primary, "kind": self.kind, "hint": choices(self.primary, allowed)},
            )
        better = "lower" if self.primary in LOWER_IS_BETTER else "higher"
        if self.direction != better:
            raise PydanticCustomError("direction", "direction of '{m}' is {d}", {"m": self.primary, "d": better})
        if len(set(self.classes)) < len(self.classes):
            raise PydanticCustomError("classes", "a class is named twice")
        if self.reach and self.primary in LOWER_IS_BETTER:
            raise PydanticCustomError(
                "reach",
                "reach names levels to come up to; lower is better for '{m}'",
                {"m": self.primary},
            )
        if MACRO in self.classes:
            raise PydanticCustomError("classes", "no class may be named 'macro', the label of the mean over classes")
        return self
