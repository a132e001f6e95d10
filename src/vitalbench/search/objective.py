"""What a search maximises or minimises: the task's primary metric on the validation records, by the code that scores runs."""

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.schema import TaskData
from vitalbench.evaluate.judge import metric_of
from vitalbench.train.context import TrainingFailure


def objective(labels: NDArray[np.float32], probabilities: NDArray[np.float64], task: TaskData, metric: str) -> float:
    """A metric over validation records: the mean over classes, or the one class of a binary task.

    Args:
        labels, probabilities: of the validation records, (records, classes).

    Raises:
        TrainingFailure: it is not defined there.
    """
    value = metric_of(labels, probabilities, task, metric)
    if value is None:
        raise TrainingFailure(f"{metric} is not defined on the {len(labels)} validation records")
    return value
