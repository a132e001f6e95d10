"""What each configuration file may say. The field names are the keys; docs/CONFIGURATION.md explains them to users."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, Name, Positive
from vitalbench.errors import choices

Kind = Literal["multilabel", "multiclass", "softlabel", "binary"]
Size = Literal["small", "full"]


class Grid(Strict):
    """Cells as a product: every task of every data set with every design, seed and fold."""

    datasets: Annotated[list[Name], Field(min_length=1)]
    tasks: Annotated[list[Name], Field(min_length=1)]
    designs: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]


class Protocol(Strict):
    """How long a phase is timed: warm-ups apart, then at least `repeats` and at least `seconds` (docs/METHODS.md)."""

    warmup: Count = 2
    repeats: Count = 10
    seconds: Positive = 2.0
    inference_batches: Annotated[list[Count], Field(min_length=1)] = [1, 32]


class Suite(Strict):
    """configs/suites/<name>.yaml: which data sets x designs x targets x seeds x folds."""

    description: str
    source: Literal["generated", "records"]
    size: Size
    grids: Annotated[list[Grid], Field(min_length=1)]
    targets: Annotated[list[Name], Field(min_length=1)] = ["cpu"]
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    bootstrap_seed: int = 0
    protocol: Protocol = Protocol()


class Split(Strict):
    """Who may be trained on. `official` reads the release's own folds; `patient-hash` draws patients by a hash of their id."""

    method: Literal["official", "patient-hash"]
    column: str | None = None
    folds: Annotated[int, Field(ge=3)] = 10
    val: Annotated[list[Count], Field(min_length=1)] = [9]
    test: Annotated[list[Count], Field(min_length=1)] = [10]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method == "official" and self.column is None:
            raise PydanticCustomError(
                "split_column", "method 'official' needs the key 'column', a column of the records table"
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
LOWER_IS_BETTER = {"brier", "ece", "kl"}
MACRO = "macro"  # the label of a mean over classes, so no class has this name


class TaskData(Strict):
    """What a split and a training depend on."""

    kind: Kind
    unit: Literal["record"]
    labels: str
    classes: Annotated[list[str], Field(min_length=1)]
    unlabelled: Literal["drop", "keep"] = "drop"
    subgroups: list[str] = []
    split: Split


class Task(TaskData):
    """configs/tasks/<name>.yaml: what is asked of a data set."""

    description: str
    primary: str
    direction: Literal["higher", "lower"]
    margin: Positive

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
        if MACRO in self.classes:
            raise PydanticCustomError("classes", "no class may be named 'macro', the label of the mean over classes")
        return self


class Window(Strict):
    """How much of a record a model sees: a random crop in training; all windows of this length, aggregated, afterwards."""

    seconds: Positive
    stride_seconds: Positive
    aggregate: Literal["max", "mean"]


class EarlyStopping(Strict):
    """Stop when the validation loss has not improved for `patience` epochs; the best weights are kept in any case."""

    patience: Count


class Train(Strict):
    """How a design is trained: everything its weights depend on beside the model and the data."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    drop_last: bool = False
    schedule: Literal["constant", "one-cycle", "cosine"] = "constant"
    clip_norm: Positive | None = 1.0
    early_stopping: EarlyStopping | None = None
    shuffle_labels: bool = False


class Model(Strict):
    """An architecture by name (models/<name>.py) and its options, which are checked against that file."""

    name: Name
    options: dict[str, Any] = {}


class Published(Strict):
    """The parameter count a design's source states, and for which input it states it; a test rebuilds it."""

    parameters: Count
    leads: Count
    classes: Count
    source: str


class Design(Strict):
    """configs/designs/<name>.yaml: model and recipe; nothing about where it runs."""

    description: str = ""
    role: Literal["design", "control"] = "design"
    recipe: Literal["supervised", "prevalence", "ideal-observer"]
    stochastic: bool = True
    model: Model | None = None
    window: Window | None = None
    train: Train | None = None
    published: Published | None = None

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.recipe == "supervised" and (self.model is None or self.train is None):
            raise PydanticCustomError("recipe", "recipe 'supervised' needs the keys 'model' and 'train'")
        return self


class DesignFile(Design):
    """A design's file: the full size, and under `small` the keys that differ when a suite asks for the small size."""

    small: dict[str, Any] = {}


class Scheduler(Strict):
    """What a job asks of a scheduler; profiles/ turn it into that scheduler's words."""

    mem_mb: Count
    runtime_min: Count
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_model: str | None = None


class Target(Strict):
    """configs/targets/<name>.yaml: declared hardware. Rates are the vendor's, dense; empty where none is stated."""

    description: str = ""
    device: Literal["cpu", "cuda"]
    match: str | None = None
    threads: Count
    memory_gb: Positive | None = None
    bandwidth_gb_s: Positive | None = None
    power_w: Positive | None = None
    peak_tflops: dict[Literal["fp32", "tf32", "bf16"], Positive] = {}
    prices: list[str] = []
    scheduler: Scheduler
    source: str | None = None

    @model_validator(mode="after")
    def _match_is_a_pattern(self) -> Self:
        try:
            re.compile(self.match or "")
        except re.error as error:
            raise PydanticCustomError(
                "match",
                "match is {match}, which is no regular expression: {why}",
                {"match": repr(self.match), "why": str(error)},
            ) from None
        return self
