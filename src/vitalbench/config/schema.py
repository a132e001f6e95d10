"""What each configuration file may say. The field names are the keys; docs/CONFIGURATION.md explains them to users."""

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.publisher import Download
from vitalbench.config.strict import Strict
from vitalbench.errors import choices

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]

Kind = Literal["multilabel", "multiclass", "softlabel", "binary"]
Source = Literal["generated", "local", "download"]
Size = Literal["small", "full"]
Codec = Literal["none", "gzip", "zstd"]


def each_once(values: list[T]) -> list[T]:
    """A validator: refuse a list that names something twice."""
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("twice", "names {value} twice", {"value": str(value)})
    return values


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


class Signal(Strict):
    """The shape every record of a data set has once standardised: (leads, rate_hz x seconds)."""

    leads: Annotated[list[str], Field(min_length=1), AfterValidator(each_once)]
    rate_hz: Count
    seconds: Positive

    @property
    def samples(self) -> int:
        """Samples a lead."""
        return round(self.rate_hz * self.seconds)


SampleCheck = Literal["invalid-sample", "missing-lead", "flat-lead", "clipping", "powerline", "amplitude"]


class Quality(Strict):
    """When the samples of a readable record are questioned, and for which findings it is quarantined (data/quality.py)."""

    flat_seconds: Positive = 5.0
    clipping_seconds: Positive = 0.05
    clipping_mv: Positive = 3.0
    powerline_share: Fraction = 0.3
    max_abs_mv: Positive = 30.0
    quarantine: list[SampleCheck] = ["invalid-sample", "missing-lead"]

    @model_validator(mode="after")
    def _nothing_invalid_is_stored(self) -> Self:
        if "invalid-sample" not in self.quarantine:
            raise PydanticCustomError(
                "quarantine",
                "quarantine must hold 'invalid-sample': a store has no mark for samples that were not recorded",
            )
        return self


class StandIn(Strict):
    """How generated records are made in the release's own layout (data/synthetic)."""

    patients: Count
    seed: int = 0
    repeat_share: Fraction = 0.15
    separation: Positive = 3.0
    noise_mv: Annotated[float, Field(ge=0)] = 0.03


class Expected(Strict):
    """What the publisher's release holds when it is whole, with the source of these counts."""

    source: str
    records: Count
    patients: Count
    split: dict[str, Count] = {}
    labels: dict[str, dict[str, int]] = {}
    unlabelled: dict[str, int] = {}


class DatasetBuild(Strict):
    """What a data set's store depends on."""

    module: Name
    release: Name
    version: str
    index_files: Annotated[list[str], Field(min_length=1)]
    carry: list[str] = []
    signal: Signal
    parts: Annotated[int, Field(ge=1, le=1024)] = 8
    codec: Codec = "none"
    encrypt: bool = False
    quality: Quality = Quality()
    standin: StandIn | None = None
    download: Download | None = None
    expected: Expected | None = None

    @model_validator(mode="after")
    def _either_sealed_or_packed(self) -> Self:
        if self.encrypt and self.codec != "none":
            raise PydanticCustomError(
                "encrypt",
                "encrypt: true needs codec 'none', not '{codec}': rows are sealed one by one",
                {"codec": self.codec},
            )
        return self


class Dataset(DatasetBuild):
    """configs/datasets/<name>.yaml: a release, where it comes from and what it must hold."""

    title: str
    licence: str
    access: Literal["open", "registration", "credentialed"]
    citation: str
    homepage: str
    published: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    groups: list[str] = []
    fitted_on: str | None = None

    @model_validator(mode="after")
    def _open_download(self) -> Self:
        if self.download and self.access != "open":
            raise PydanticCustomError(
                "download",
                "a release of access '{access}' is never downloaded; leave out 'download'",
                {"access": self.access},
            )
        return self


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
