"""A task's metric of validation records from labels and probabilities alone, by the code that scores runs."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO, TaskData
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.score import ALL, score
from vitalbench.train.context import Judge

_SPLIT = "val"


def metric_of(
    labels: NDArray[np.float32], probabilities: NDArray[np.float64], task: TaskData, metric: str
) -> float | None:
    """A metric over records: the mean over classes, or the one class of a binary task; None where it is not defined.

    Args:
        labels, probabilities: (records, classes).
    """
    if not np.isfinite(probabilities).all():
        return None
    each = (
        np.arange(len(labels)).astype(str).astype(object)
    )  # no interval is asked for, so whose a record is says nothing
    predictions = Predictions(
        task.classes, each, each, np.full(len(labels), _SPLIT, dtype=object),
        labels.astype(np.float64), probabilities, pd.DataFrame(index=pd.RangeIndex(len(labels))), None,
    )  # fmt: skip
    rows = [row for row in score(predictions, task.kind, resamples=0, seed=0).rows if row["metric"] == metric]
    rows = [row for row in rows if row["subgroup"] == ALL]
    found = next((row for row in rows if row["label"] == MACRO), rows[0] if len(rows) == 1 else None)
    value = None if found is None else found["value"]
    return float(value) if value is not None and np.isfinite(value) else None


def judge_of(task: TaskData, metric: str) -> Judge:
    """A metric of a task, for whoever watches a training."""
    return Judge(metric, lambda labels, probabilities: metric_of(labels, probabilities, task, metric))
