"""What a search maximises or minimises: the task's primary metric on the validation records, by the code that scores runs."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO, TaskData
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.score import ALL, score
from vitalbench.train.context import TrainingFailure

_SPLIT = "val"


def objective(
    records: pd.DataFrame, labels: NDArray[np.float32], probabilities: NDArray[np.float64], task: TaskData, metric: str
) -> float:
    """A metric over validation records: the mean over classes, or the one class of a binary task.

    Args:
        records: the validation records.
        labels, probabilities: theirs, (records, classes).

    Raises:
        TrainingFailure: it is not defined there.
    """
    ids = (records[name].astype(str).to_numpy(dtype=object) for name in ("record_id", "patient_id"))
    record_id, patient_id = ids
    predictions = Predictions(
        task.classes, record_id, patient_id, np.full(len(records), _SPLIT, dtype=object),
        labels.astype(np.float64), probabilities, pd.DataFrame(index=pd.RangeIndex(len(records))), None,
    )  # fmt: skip
    rows = [row for row in score(predictions, task.kind, resamples=0, seed=0).rows if row["metric"] == metric]
    rows = [row for row in rows if row["subgroup"] == ALL]
    found = next((row for row in rows if row["label"] == MACRO), rows[0] if len(rows) == 1 else None)
    if found is None or found["value"] is None or not np.isfinite(found["value"]):
        raise TrainingFailure(f"{metric} is not defined on the {len(records)} validation records")
    return float(found["value"])
