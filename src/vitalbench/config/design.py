"""What a design's file may say: model, recipe and training, nothing about where it runs (docs/CONFIGURATION.md)."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.augmentation import Augment
from vitalbench.config.fast import Fast
from vitalbench.config.pretext import Contrastive, Masked, Order
from vitalbench.config.search import Search
from vitalbench.config.strict import Strict
from vitalbench.config.target import Needs
from vitalbench.config.values import Count, Name, Positive


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
    augment: Augment | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    micro_batch: Count | None = None
    positive_weight: Literal["balanced"] | None = None

    @model_validator(mode="after")
    def _micro_batch_is_a_part(self) -> Self:
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise PydanticCustomError(
                "micro_batch",
                "micro_batch is {micro}, more than batch_size, which is {batch}; it is how many of a batch are in memory at once",
                {"micro": self.micro_batch, "batch": self.batch_size},
            )
        return self


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


# Recipes that train an encoder on records without their labels, for other designs; and the section of each.
PRETRAINING = ("masked-modelling", "contrastive", "temporal-order")
PRETEXTS = ("masked", "contrastive", "order")
TRAINING = ("supervised", "frozen-features", *PRETRAINING)  # recipes that train a model


class Design(Strict):
    """configs/designs/<name>.yaml: model and recipe; nothing about where it runs."""

    description: str = ""
    role: Literal["design", "control"] = "design"
    recipe: Literal[
        "supervised",
        "frozen-features",
        "masked-modelling",
        "contrastive",
        "temporal-order",
        "prevalence",
        "ideal-observer",
    ]
    stochastic: bool = True
    leads: Annotated[list[str], Field(min_length=1)] | None = None
    model: Model | None = None
    window: Window | None = None
    train: Train | None = None
    fast: Fast | None = None
    pretrained: Name | None = None
    masked: Masked | None = None
    contrastive: Contrastive | None = None
    order: Order | None = None
    published: Published | None = None
    scheduler: Needs | None = None
    search: Search | None = None

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.recipe in TRAINING and (self.model is None or self.train is None):
            raise PydanticCustomError(
                "recipe", "recipe '{recipe}' needs the keys 'model' and 'train'", {"recipe": self.recipe}
            )
        if self.leads is not None and len(set(self.leads)) < len(self.leads):
            raise PydanticCustomError("leads", "a lead is named twice in 'leads'")
        if self.search is not None and (self.train is None or self.recipe in PRETRAINING):
            raise PydanticCustomError(
                "search", "recipe '{recipe}' trains nothing to search for", {"recipe": self.recipe}
            )
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.recipe not in PRETRAINING or self.train is None:
            return self
        if self.train.shuffle_labels:
            raise PydanticCustomError(
                "shuffle_labels", "recipe '{recipe}' looks at no labels that could be shuffled", {"recipe": self.recipe}
            )
        whole = self.recipe == "contrastive"
        if whole and (self.train.micro_batch is not None or self.train.batch_size < 2):
            raise PydanticCustomError(
                "whole_batch",
                "recipe 'contrastive' tells the records of a batch apart: it takes no 'train.micro_batch', "
                "and a 'train.batch_size' of 2 or more",
            )
        return self

    @model_validator(mode="after")
    def _frozen(self) -> Self:
        if self.recipe != "frozen-features":
            if self.fast is not None:
                raise PydanticCustomError(
                    "fast", "'fast' is about a frozen encoder: it needs 'recipe: frozen-features'"
                )
            return self
        changing = self.train is not None and self.train.augment is not None
        if self.computed.features and (self.window is not None or changing):
            raise PydanticCustomError(
                "features",
                "features are of whole records: leave out 'window' and 'train.augment', or write 'features: false' under 'fast'",
            )
        return self

    @model_validator(mode="after")
    def _started_from(self) -> Self:
        if self.pretrained is not None and self.search is not None:
            raise PydanticCustomError(
                "search", "a design that starts from pre-training is not searched; search the other"
            )
        if self.pretrained is not None and self.recipe not in ("supervised", "frozen-features"):
            raise PydanticCustomError(
                "pretrained",
                "'pretrained' needs 'recipe: supervised' (fine-tuning) or 'recipe: frozen-features' (a probe)",
            )
        for key, recipe in zip(PRETEXTS, PRETRAINING, strict=True):
            if getattr(self, key) is not None and self.recipe != recipe:
                raise PydanticCustomError("pretext", "'{key}' needs 'recipe: {recipe}'", {"key": key, "recipe": recipe})
        return self

    @property
    def encoder_apart(self) -> bool:
        """Whether the model has to have an encoder apart from its head."""
        return self.recipe in ("frozen-features", *PRETRAINING) or self.pretrained is not None

    @property
    def computed(self) -> Fast:
        """How a frozen encoder is computed, defaults filled in."""
        return self.fast or Fast()


class DesignFile(Design):
    """A design's file: the full size, and under `small` the keys that differ when a suite asks for the small size."""

    small: dict[str, Any] = {}
