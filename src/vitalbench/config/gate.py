"""What a suite's regression gate tolerates, in its file under `gate`."""

from typing import Annotated, Any

from pydantic import Field

from vitalbench.config.strict import Strict

Margin = Annotated[float, Field(gt=0, lt=1)]  # one of 1 or more would let anything pass


class Gate(Strict):
    """Margins within which a metric counts as unchanged, and by how much a phase may take longer, or as a ratio shorter.

    Metrics that are not named are not gated; the primary metric of a task is, within the task's own margin, unless it is named.
    """

    metrics: dict[str, Margin] = {}
    speed: Margin = 0.08

    def margin(self, metric: str, task: dict[str, Any] | None) -> float | None:
        """Of a metric of a task; None where it is not gated."""
        if metric in self.metrics:
            return self.metrics[metric]
        return float(task["margin"]) if task and task["primary"] == metric else None
