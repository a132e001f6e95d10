"""Failures to look at: which ones, and a picture of each: the record, and beside or behind it what the run looked at."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from vitalbench.config.dataset import Image, Signal
from vitalbench.evaluate.failures import failure_rows
from vitalbench.evaluate.pointing import Box
from vitalbench.evaluate.predictions import Predictions
from vitalbench.report.figures import STYLE
from vitalbench.report.record_figure import draw_leads

SHOWN = 6  # of each kind
_DPI = 90
_BOX = "#56B4E9"
Map = NDArray[np.float32]


def worst(predictions: Predictions, shown: int = SHOWN) -> list[dict[str, Any]]:
    """Of each class the record that was most surely wrong, misses and false alarms; of those the surest of either kind."""
    rows = list(failure_rows(predictions, 1))
    missed, alarms = (
        sorted((row for row in rows if row["kind"] == kind), key=lambda row: sign * row["probability"])[:shown]
        for kind, sign in (("miss", 1), ("false-alarm", -1))
    )
    return [*missed, *alarms]


def picture(record: Map, found: Map | None, boxes: Sequence[Box], shape: Image | Signal) -> bytes:
    """A small PNG of a record.

    An image stands beside itself with the map in red and the places that are told in blue; behind a signal the map is red.

    Args:
        record: (channels, *space), in shares of full scale, or in millivolt.
        found: (*space,), from 0 to 1; None where there is no map.
        boxes: where the class is known to be.
    """
    with mpl.rc_context(STYLE):
        out = io.BytesIO()
        figure = _image(record, found, boxes) if record.ndim == 3 else _signal(record, found, shape)
        figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def _image(record: Map, found: Map | None, boxes: Sequence[Box]) -> Figure:
    height, width = record.shape[1:]
    figure = Figure(figsize=(3.2, 1.6 * height / width))
    panels = [figure.add_axes((at / 2 + 0.005, 0.01, 0.49, 0.98)) for at in range(2)]
    for axes in panels:
        axes.imshow(record[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
    if found is not None:
        panels[1].imshow(found, cmap="Reds", alpha=0.6 * found, vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    for box in boxes:
        corner = box.x * width - 0.5, box.y * height - 0.5
        sides = box.width * width, box.height * height
        panels[1].add_patch(Rectangle(corner, *sides, fill=False, edgecolor=_BOX, linewidth=1.5))
    return figure


def _signal(record: Map, found: Map | None, shape: Image | Signal) -> Figure:
    figure = Figure(figsize=(4.6, max(1.4, 0.26 * len(record) + 0.6)), layout="constrained")
    axes = figure.add_subplot()
    draw_leads(axes, record, shape.names, shape.rate_hz)
    if found is not None:
        _behind(axes, found, record.shape[1] / shape.rate_hz)
    return figure


def _behind(axes: Axes, found: Map, seconds: float) -> None:
    low, high = axes.get_ylim()
    extent = (0.0, seconds, low, high)
    axes.imshow(
        found[None], cmap="Reds", alpha=0.6 * found[None], vmin=0, vmax=1, extent=extent, aspect="auto", zorder=0
    )
    axes.set_ylim(low, high)
