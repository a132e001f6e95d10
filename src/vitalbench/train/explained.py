"""What a trained run looked at in some records: a map a record, of one class each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from vitalbench.train.attribution import gradcam


def maps_of(model: nn.Module, batches: Any, rows: NDArray[np.intp], classes: list[int]) -> NDArray[np.float32]:
    """Grad-CAM of one class of each record: (records, *space), each from 0 to 1.

    Args:
        batches: whole records, standardised as the run saw them (train/batches.py).
        rows: of the store, a record each.
        classes: as many.

    Raises:
        InputError: the model draws no sequence together.
    """
    found = []
    for x, some in batches.windows(rows):
        asked = classes[some]
        each = sorted(set(asked))
        maps = gradcam(model, x, each)
        found += [maps[at, each.index(k)] for at, k in enumerate(asked)]
    return np.stack(found)
