"""What a suite's regression gate tolerates, in its file under `gate`."""

from typing import Annotated, Any

from pydantic import Field

from vitalbench.config.strict import Strict

Margin = Annotated[float, Field(gt=0, lt=1)]  # one of 1 or more would let anything pass


class Gate(Strict):
    """Margins within which a metric counts as unchanged, and by how much a phase may take longer, or as a ratio shorter.

    Metrics that are not named are not gated; the primary metric of a task is, within the task's own margin, unless it is named.

    Attributes:
        further_seeds: of a metric that a first look leaves open, how many of the baseline's seeds that the results lack are trained
            at most; without a number all of them, with 0 none.
    """

    metrics: dict[str, Margin] = {}
    speed: Margin = 0.08
    further_seeds: Annotated[int, Field(ge=0)] | None = None

    def margin(self, metric: str, task: dict[str, Any] | None) -> float | None:
        """Of a metric of a task; None where it is not gated."""
        if metric in self.metrics:
            return self.metrics[metric]
        return float(task["margin"]) if task and task["primary"] == metric else None
