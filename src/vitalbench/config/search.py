"""What a design may say of a search for its hyperparameters: where to look, how long, and how the next values are chosen."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, each_once

Number = Annotated[int | float, Field(allow_inf_nan=False)]


class Dimension(Strict):
    """The values that one key of a design may take: `choice`, or from `low` to `high`, both included.

    Attributes:
        step: between `low` and `high`; without it every number (of a key that takes whole numbers: every whole number).
        log: drawn evenly on a logarithmic scale.
    """

    choice: list[Any] | None = None
    low: Number | None = None
    high: Number | None = None
    step: Number | None = None
    log: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        bounds = {"low": self.low, "high": self.high}
        if self.choice is not None:
            said = [name for name, value in (bounds | {"step": self.step}).items() if value is not None]
            said += ["log"] if self.log else []
            if said:
                raise PydanticCustomError(
                    "kinds",
                    "has `choice` and `{other}`; it takes `choice` alone, or `low` and `high`",
                    {"other": said[0]},
                )
            if len(each_once(self.choice)) < 2:
                raise PydanticCustomError("choice", "has a choice of one: there is nothing to search; name two or more")
            return self
        if self.low is None or self.high is None:
            missing = " and ".join(f"`{name}`" for name, value in bounds.items() if value is None)
            raise PydanticCustomError("range", "needs {missing}, or `choice`", {"missing": missing})
        if not self.low < self.high:
            raise PydanticCustomError(
                "range", "low is {low} and high is {high}: low must lie below", {"low": self.low, "high": self.high}
            )
        self._check_scale(self.low, self.high)
        return self

    def _check_scale(self, low: float, high: float) -> None:
        if self.log and low <= 0:
            raise PydanticCustomError("log", "low is {low}: on a logarithmic scale it must be above 0", {"low": low})
        if self.step is None:
            return
        if self.log:
            raise PydanticCustomError("log", "has `step` and `log`; it takes one of them")
        if self.step <= 0:
            raise PydanticCustomError("step", "step is {step}: it must be above 0", {"step": self.step})
        span, step = Decimal(str(high)) - Decimal(str(low)), Decimal(str(self.step))
        if span % step:
            nearest = Decimal(str(low)) + span // step * step
            raise PydanticCustomError(
                "step",
                "no number of steps of {step} leads from low, {low}, to high, {high}; the last below is {nearest}",
                {"step": self.step, "low": low, "high": high, "nearest": str(nearest)},
            )

    @property
    def ends(self) -> list[Any]:
        """Every choice, or the two ends of the range."""
        return list(self.choice) if self.choice is not None else [self.low, self.high]


class Search(Strict):
    """A search for the best values of a design's keys, by the task's primary metric on the validation records.

    Attributes:
        space: by dotted key of the design (`train.learning_rate`); an empty value takes a key out again at the small size.
        trials: trainings in all.
        round: trials that are asked for together; those of a round know the results of the rounds before, so neither the DAG nor
            a result depends on how many jobs run at once.
        startup: of `tpe`, measured trials whose values are drawn at random before it models them.
        seed: of the draws, and of every trial's training.
        epochs: of a trial, where it is to be shorter than the design's training.
    """

    space: dict[str, Dimension]
    trials: Count
    round: Count = 4
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    startup: Count = 10
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Count | None = None

    @field_validator("space", mode="before")
    @classmethod
    def _taken_out(cls, space: Any) -> Any:
        return {key: value for key, value in space.items() if value is not None} if isinstance(space, dict) else space

    @model_validator(mode="after")
    def _something_to_tune(self) -> Self:
        if not self.space:
            raise PydanticCustomError("space", "space is empty: a search needs a key to tune")
        for key in self.space:
            inner = next((other for other in self.space if other.startswith(f"{key}.")), None)
            if inner:
                raise PydanticCustomError(
                    "space", "space has '{key}' and '{inner}', which lies within it", {"key": key, "inner": inner}
                )
        if self.epochs is not None and "train.epochs" in self.space:
            raise PydanticCustomError("epochs", "epochs is given, and 'train.epochs' is in the space; leave one out")
        return self

    @model_validator(mode="after")
    def _sampler_has_room(self) -> Self:
        if self.sampler == "tpe" and self.trials <= max(self.startup, self.round):
            raise PydanticCustomError(
                "sampler",
                "trials is {trials}: sampler 'tpe' learns from earlier trials, so it needs more than startup ({startup}) and round "
                "({round}); with fewer, say sampler: random",
                {"trials": self.trials, "startup": self.startup, "round": self.round},
            )
        return self

    def first_of_round(self, trial: int) -> int:
        """The number of the first trial that is asked for together with this one: it knows all before.

        >>> Search(space={"a": {"choice": [1, 2]}}, trials=9, round=4, sampler="random").first_of_round(6)
        4
        """
        return trial // self.round * self.round
