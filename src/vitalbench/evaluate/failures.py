"""Failures to look at: of each class the test records that were most surely wrong, misses and false alarms."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vitalbench.evaluate.operating import CHOSEN_ON, SHOWN_RULE, SPLIT, threshold
from vitalbench.evaluate.predictions import Predictions

FEW = 5


def failure_rows(predictions: Predictions, each: int = FEW) -> Iterator[dict[str, Any]]:
    """A row a record and class, the worst first: positives of the lowest probability, then negatives of the highest.

    Wrong is what falls on the wrong side of the threshold that the validation records chose (Youden's), so a class that is always
    decided rightly has no row. One record a patient and kind, so that a patient with many does not fill the list.

    Args:
        each: records of a class and kind.
    """
    val, test = (predictions.take(predictions.split == split) for split in (CHOSEN_ON, SPLIT))
    for k, name in enumerate(test.classes):
        limit, _ = threshold(val, k, SHOWN_RULE)
        decided = test.p[:, k] >= limit
        for kind, truth, order in (("miss", 1, test.p[:, k]), ("false-alarm", 0, -test.p[:, k])):
            at = np.flatnonzero(test.y[:, k] == truth)
            wrong = np.flatnonzero((test.y[:, k] == truth) & (decided != truth))
            seen: set[str] = set()
            for row in wrong[np.argsort(order[wrong], kind="stable")]:
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
                    "threshold": limit,
                    "share_at_or_above": above,
                }
                if len(seen) == each:
                    break
