"""Images with what a run looked at laid over them, and the boxes of what is there."""

import io
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from vitalbench.evaluate.pointing import Box, peaks
from vitalbench.report.figures import STYLE

_COLUMNS = 4
_BOX, _HIT, _MISS = "#56B4E9", "#009E73", "#D55E00"


@dataclass(frozen=True)
class Overlay:
    """One image and a class of it.

    Attributes:
        image: (channels, height, width) in shares of full scale; the first channel is drawn.
        found: (height, width) from 0 to 1.
        hit: the map's peak lies in a box.
    """

    image: NDArray[np.float32]
    found: NDArray[np.float32]
    boxes: list[Box]
    label: str
    record_id: str
    probability: float
    hit: bool


def overlay_figure(overlays: list[Overlay], run_id: str) -> bytes:
    """Draw images in rows of four as PNG: the map in red, its peak a cross (green in a box, orange outside), boxes in blue."""
    rows = max(-(-len(overlays) // _COLUMNS), 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * _COLUMNS, 2.7 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, overlay in zip(panels, overlays, strict=False):
            height, width = overlay.found.shape
            axes.imshow(overlay.image[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.imshow(overlay.found, cmap="Reds", alpha=0.5 * overlay.found, vmin=0, vmax=1, interpolation="nearest")
            for box in overlay.boxes:
                corner = box.x * width - 0.5, box.y * height - 0.5
                axes.add_patch(Rectangle(corner, box.width * width, box.height * height, fill=False, edgecolor=_BOX))
            for down, across in peaks(overlay.found):
                axes.plot(across, down, "x", color=_HIT if overlay.hit else _MISS, markersize=7, markeredgewidth=2)
            axes.set_title(f"{overlay.label} {overlay.probability:.2f}\n{overlay.record_id}", fontsize=7)
        for axes in panels:
            axes.set_axis_off()
        figure.suptitle(f"Run {run_id}. A research result, not a diagnosis.", fontsize=8, x=0.01, ha="left")
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()
