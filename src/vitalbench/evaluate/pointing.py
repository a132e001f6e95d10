"""Pointing: whether a class's map has its peak where the class's finding is known to be (the pointing game, Zhang et al. 2016)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from vitalbench.config.schema import MACRO
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.value import Value, told_columns

Map = NDArray[np.float32]
Point = tuple[float, float]  # row and column; a pixel's middle is its whole number
_ALIKE = 1e-5  # of the highest: interpolation rounds what is flat
_EDGE = 1e-9
_NOWHERE = "no value: no test record tells its place"


@dataclass(frozen=True)
class Box:
    """Where a finding of a class is, in shares of the image's sides."""

    label: str
    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, text: str) -> "Box":
        """As a store tells it.

        >>> Box.of("Mass 0.25 0.5 0.1 0.2").height
        0.2
        """
        label, *sizes = text.split()
        return cls(label, *(float(size) for size in sizes))

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which pixels' middles are in it; the nearest one where it is smaller than a pixel."""
        rows, columns = ((np.arange(size) + 0.5) / size for size in shape)
        down = (rows >= self.y) & (rows <= self.y + self.height)
        across = (columns >= self.x) & (columns <= self.x + self.width)
        if not down.any():
            down[np.abs(rows - self.y - self.height / 2).argmin()] = True
        if not across.any():
            across[np.abs(columns - self.x - self.width / 2).argmin()] = True
        inside: NDArray[np.bool_] = down[:, None] & across[None, :]
        return inside

    def holds(self, point: Point, shape: tuple[int, ...]) -> bool:
        """Whether a point, in pixels, lies in it; a box smaller than a pixel is taken as large as one."""
        sides = (self.y, self.height), (self.x, self.width)
        return all(
            abs((at + 0.5) / size - start - length / 2) <= max(length, 1 / size) / 2 + _EDGE
            for at, size, (start, length) in zip(point, shape, sides, strict=True)
        )


def peaks(found: Map) -> list[Point]:
    """Where a map, (height, width), is highest, in pixels: the middle of what is as high; none where it is empty.

    A map drawn out from few cells is flat from a border's cell to the border: several pixels are highest, and the first of them
    would lie further to the left than its mirror image to the right. Several peaks where it is as high in places apart.
    """
    top = float(found.max(initial=0.0))
    if top <= 0:
        return []
    plateaus, count = ndimage.label(found >= top * (1 - _ALIKE), np.ones((3, 3)))
    middles = ndimage.center_of_mass(plateaus > 0, plateaus, range(1, count + 1))
    return [(float(down), float(across)) for down, across in middles]


def pointed(found: Map, boxes: list[Box]) -> dict[str, float]:
    """What a map, (height, width), says of some boxes of one class.

    `hit`: its peak, all of them where it has several, lies in one of them (0 where the map is empty); `inside`: the share of its
    light in them; `area`: their share of the image, which is what a peak drawn at random hits.
    """
    mask = np.any([box.mask(found.shape) for box in boxes], axis=0)
    light, points = float(found.sum()), peaks(found)
    hit = bool(points) and all(any(box.holds(point, found.shape) for box in boxes) for point in points)
    return {"hit": float(hit), "inside": float(found[mask].sum()) / light if light else 0.0, "area": float(mask.mean())}


def pointing_rows(
    told: pd.DataFrame, resamples: int, seed: int, classes: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """A row a class, then all of them: the share of maps whose peak lies in the class's box, beside chance, with intervals.

    Args:
        told: a row a record and class that it has a box of: record_id, patient_id, label, hit, inside, area.
        classes: that are asked for; one without a box has a row that says so.
    """
    for label in [*dict.fromkeys([*classes, *told["label"]]), MACRO]:
        rows = told if label == MACRO else told[told["label"] == label]
        if rows.empty:
            yield {"label": label, "n_records": 0, "n_patients": 0, "reason": _NOWHERE}
            continue
        over = Resampled(_records(rows), resamples, seed, "test")
        ones = np.ones((len(rows), 1))
        sums = over.sums(np.hstack([ones, rows[["hit", "inside", "area"]].to_numpy(dtype=float)]))
        accuracy = over.rate(sums[:, 1], sums[:, 0], np.ones(len(rows), dtype=bool))
        chance = float(rows["area"].mean())
        yield {
            "label": label,
            "n_records": len(rows),
            "n_patients": over.patients,
            "chance": chance,
            **told_columns(
                {
                    "accuracy": accuracy,
                    "gain": _gain(accuracy, chance, over.ratio(sums[:, 1] - sums[:, 3], sums[:, 0])),
                    "inside": over.ratio(sums[:, 2], sums[:, 0]),
                }
            ),
        }


def _gain(accuracy: Value, chance: float, resampled: Value) -> Value:
    """Accuracy less chance: where all maps hit or none does, resamples vary the boxes alone, so the interval is accuracy's."""
    if accuracy.exact and accuracy.low is not None and accuracy.high is not None:
        return Value(resampled.value, accuracy.low - chance, accuracy.high - chance, exact=True)
    return resampled if accuracy.low is not None else Value(resampled.value, why=accuracy.why)


def _records(rows: pd.DataFrame) -> Predictions:
    """Records for resampling: of them only the patients are looked at."""
    n = len(rows)
    records, patients = (rows[name].to_numpy(dtype=object) for name in ("record_id", "patient_id"))
    none = np.zeros((n, 1))
    split = np.full(n, "test", dtype=object)
    return Predictions([""], records, patients, split, none, none, pd.DataFrame(index=range(n)), None)
