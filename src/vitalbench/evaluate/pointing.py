"""Pointing: whether a class's map has its peak where the class's finding is known to be (the pointing game, Zhang et al. 2016)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled

Map = NDArray[np.float32]


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


def pointed(found: Map, boxes: list[Box]) -> dict[str, float]:
    """What a map, (height, width), says of some boxes of one class.

    `hit`: its peak lies in one of them (0 where the map is empty); `inside`: the share of its light in them; `area`: their share of
    the image, which is what a peak drawn at random hits.
    """
    mask = np.any([box.mask(found.shape) for box in boxes], axis=0)
    light = float(found.sum())
    hit = light > 0 and bool(mask[np.unravel_index(int(found.argmax()), found.shape)])
    return {"hit": float(hit), "inside": float(found[mask].sum()) / light if light else 0.0, "area": float(mask.mean())}


def pointing_rows(told: pd.DataFrame, resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a class, then all of them: the share of maps whose peak lies in the class's box, beside chance, with intervals.

    Args:
        told: a row a record and class that it has a box of: record_id, patient_id, label, hit, inside, area.
    """
    groups = [(str(label), rows) for label, rows in told.groupby("label", sort=False)]
    for label, rows in [*groups, (MACRO, told)]:
        over = Resampled(_records(rows), resamples, seed, "test")
        ones = np.ones((len(rows), 1))
        sums = over.sums(np.hstack([ones, rows[["hit", "inside", "area"]].to_numpy(dtype=float)]))
        yield {
            "label": label,
            "n_records": len(rows),
            "n_patients": over.patients,
            **over.ratio(sums[:, 1], sums[:, 0]).named("accuracy"),
            "chance": float(rows["area"].mean()),
            **over.ratio(sums[:, 1] - sums[:, 3], sums[:, 0]).named("gain"),
            **over.ratio(sums[:, 2], sums[:, 0]).named("inside"),
        }


def _records(rows: pd.DataFrame) -> Predictions:
    """Records for resampling: of them only the patients are looked at."""
    n = len(rows)
    records, patients = (rows[name].to_numpy(dtype=object) for name in ("record_id", "patient_id"))
    none = np.zeros((n, 1))
    split = np.full(n, "test", dtype=object)
    return Predictions([""], records, patients, split, none, none, pd.DataFrame(index=range(n)), None)
