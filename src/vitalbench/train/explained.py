"""What a trained run looked at in some records: a map a record, of one class each."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vitalbench.config.schema import Kind
from vitalbench.train.attribution import gradcam
from vitalbench.train.batches import Batches
from vitalbench.train.losses import probabilities

Map = NDArray[np.float32]


def _each_window(
    model: nn.Module, batches: Batches, rows: NDArray[np.intp], classes: list[int], kind: Kind
) -> Iterator[tuple[int, int, float, Map]]:
    """Of every window of every record: the record, where the window begins, its class's probability and map."""
    starts = batches.starts
    for number, (x, some) in enumerate(batches.windows(rows)):
        asked = classes[some]
        each = sorted(set(asked))
        maps = gradcam(model, x, each)
        with torch.no_grad():
            p = probabilities(model(x), kind)
        for at, k in enumerate(asked):
            yield some.start + at, starts[number % len(starts)], float(p[at, k]), maps[at, each.index(k)]


def maps_of(model: nn.Module, batches: Batches, rows: NDArray[np.intp], classes: list[int], kind: Kind) -> Map:
    """Grad-CAM of one class of each record: (records, *space), each from 0 to 1.

    Of a design that scores windows, as it aggregates them: where the highest probability counts, the map of the window that has it,
    and nothing elsewhere; where the mean counts, every window's map times its probability, the mean where windows overlap.

    Args:
        batches: records, standardised as the run saw them.
        rows: of the store, a record each.
        classes: as many.

    Raises:
        InputError: the model draws no sequence together.
    """
    windows: list[list[tuple[int, float, Map]]] = [[] for _ in rows]
    for record, start, p, found in _each_window(model, batches, rows, classes, kind):
        windows[record].append((start, p, found))
    if batches.window is None:
        return np.stack([found for ((_, _, found),) in windows])
    most = batches.window.aggregate == "max"
    return np.stack([_together(some, batches.store.samples, most) for some in windows])


def _together(windows: list[tuple[int, float, Map]], samples: int, most: bool) -> Map:
    """A record's map, (samples,), from those of its windows."""
    light, covered = np.zeros(samples), np.zeros(samples)
    for start, p, found in [max(windows, key=lambda window: window[1])] if most else windows:
        light[start : start + len(found)] += found if most else p * found
        covered[start : start + len(found)] += 1
    mean = np.divide(light, covered, out=np.zeros(samples), where=covered > 0)
    whole: Map = (mean / max(float(mean.max()), 1e-12)).astype(np.float32)
    return whole
