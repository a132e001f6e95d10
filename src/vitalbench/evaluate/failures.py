"""Failures to look at: of each class the test records that were most surely wrong, misses and false alarms."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vitalbench.evaluate.operating import SPLIT
from vitalbench.evaluate.predictions import Predictions

FEW = 5


def failure_rows(predictions: Predictions, each: int = FEW) -> Iterator[dict[str, Any]]:
    """A row a record and class, the worst first: positives of the lowest probability, then negatives of the highest.

    One record a patient and kind, so that a patient with many does not fill the list.

    Args:
        each: records of a class and kind.
    """
    test = predictions.take(predictions.split == SPLIT)
    for k, name in enumerate(test.classes):
        for kind, truth, order in (("miss", 1, test.p[:, k]), ("false-alarm", 0, -test.p[:, k])):
            at = np.flatnonzero(test.y[:, k] == truth)
            seen: set[str] = set()
            for row in at[np.argsort(order[at], kind="stable")]:
                if test.patient_id[row] in seen:
                    continue
                seen.add(test.patient_id[row])
                above = float(np.mean(test.p[at, k] >= test.p[row, k]))
                yield {
                    "label": name,
                    "kind": kind,
                    "rank": len(seen),
                    "record_id": test.record_id[row],
                    "patient_id": test.patient_id[row],
                    "probability": float(test.p[row, k]),
                    "share_at_or_above": above,
                }
                if len(seen) == each:
                    break
