"""How a run is watched, and what it may cost: nothing that a result depends on."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vitalbench.config.strict import Strict
from vitalbench.config.values import each_once

Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Watching(Strict):
    """Knobs of watching. TensorBoard's event files are always written.

    Attributes:
        trackers: who is told beside it.
        budget_usd, budget_hours: the most that a cell may take; a run that would take more is stopped, and can be gone on with.
        budget_suite_usd: the same for the training jobs of all the suite's cells together.
    """

    trackers: Annotated[list[Literal["wandb", "mlflow"]], AfterValidator(each_once)] = Field(default_factory=list)
    budget_usd: Amount | None = None
    budget_hours: Amount | None = None
    budget_suite_usd: Amount | None = None


class Rate(Strict):
    """What an hour of a target costs: the first of the prices it names."""

    key: str
    usd_per_hour: Amount
    price_date: str


class Watch(Watching):
    """What a run reads of all this: the knobs, and the price of each target that names one."""

    prices: dict[str, Rate] = Field(default_factory=dict)

    def usd_per_hour(self, target: str) -> float | None:
        """What an hour of a target costs; None where it names no price."""
        return self.prices[target].usd_per_hour if target in self.prices else None
