"""Probabilities of records from those of their windows, and how well they rank: what a validation leaves beside its loss."""

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from vitalbench.config.schema import Kind
from vitalbench.train.batches import Batches
from vitalbench.train.strategy import over_processes


class WindowScores:
    """Takes the windows' probabilities as they come, and puts each record's together as the design says.

    Args:
        records: how many there are.
    """

    def __init__(self, batches: Batches, records: int) -> None:
        self._max = batches.window is not None and batches.window.aggregate == "max"
        self._windows, self._records = len(batches.starts), records
        self._found: Tensor | None = None

    def add(self, p: Tensor, some: slice) -> None:
        """Probabilities of one window of each of some records, (records of `some`, classes)."""
        p = p.double().cpu()
        if self._found is None:
            self._found = torch.zeros(self._records, p.shape[1], dtype=torch.float64)
        found = self._found
        found[some] = torch.maximum(found[some], p) if self._max else found[some] + p / self._windows

    def whole(self, accelerator: Accelerator, kind: Kind) -> NDArray[np.float64] | None:
        """Of all processes, (records, classes); None where nothing came."""
        if self._found is None:
            return None
        found = over_processes(accelerator, self._found)
        if kind in ("multiclass", "softlabel"):
            found = found / found.sum(dim=1, keepdim=True)
        scored: NDArray[np.float64] = found.clamp(0, 1).numpy()
        return scored


def macro_auroc(labels: NDArray[np.float32], p: NDArray[np.float64]) -> float | None:
    """The mean area under the ROC curve of the classes that have a positive and a negative record; None where none has.

    A tie counts half (docs/METRICS.md); records without a label of a class are left out for it.

    >>> macro_auroc(np.array([[0.0], [0.0], [1.0], [1.0]], np.float32), np.array([[0.1], [0.4], [0.4], [0.8]]))
    0.875
    """
    found = []
    for y, scores in zip(labels.T, p.T, strict=True):
        known = np.isfinite(y)
        positive = y[known] > 0
        positives, negatives = int(positive.sum()), int((~positive).sum())
        if not positives or not negatives:
            continue
        _, place, counts = np.unique(scores[known], return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # from 1, those of equal scores their mean
        found.append((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
    return float(np.mean(found)) if found else None
