"""One record as it was recorded, and beside it what a run says of it."""

import io
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitalbench.report.figures import STYLE

_LARGEST_POINTS = 4000  # of a lead; more than a page can show
_TITLE_LETTERS = (
    130  # of a line of the title; more run off the page, and what is written there is what the record is worth
)
_INK, _POINT, _RANGE = "#111827", "#0072B2", "#9ca3af"


def draw_leads(axes: Axes, signal: NDArray[np.float32], names: Sequence[str], rate_hz: float) -> None:
    """Leads below one another, each at its own height, so far apart that all but a lone spike stays clear of the others."""
    step = -(-signal.shape[1] // _LARGEST_POINTS)
    # A QRS complex is a hundredth of a record: what leaves that out draws the peaks of one lead over the next.
    low, high = np.percentile(signal, [0.1, 99.9], axis=1) - np.median(signal, axis=1)
    apart = max(1.1 * float((high[1:] - low[:-1]).max(initial=0.0)), 0.5)
    at = np.arange(signal.shape[1])[::step] / rate_hz
    for place, (name, lead) in enumerate(zip(names, signal, strict=True)):
        axes.plot(at, lead[::step] - np.median(lead) - place * apart, color=_INK, linewidth=0.6)
        axes.text(
            -0.01, -place * apart, name, ha="right", va="center", transform=axes.get_yaxis_transform(), fontsize=8
        )
    axes.plot([at[-1] * 1.01] * 2, [-apart / 2, 1 - apart / 2], color=_INK, linewidth=1.5, clip_on=False)
    axes.text(at[-1] * 1.02, 0.5 - apart / 2, "1 mV", fontsize=7, va="center", rotation=90)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, at[-1])
    axes.set_xlabel("seconds")
    axes.grid(axis="y", visible=False)


def _image(axes: Axes, image: NDArray[np.float32], names: Sequence[str]) -> None:
    """An image's channels side by side, as grey as they are."""
    axes.imshow(np.hstack(list(image)), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([(at + 0.5) * image.shape[2] for at in range(len(names))], names)
    axes.set_yticks([])
    axes.grid(visible=False)


def _probabilities(axes: Axes, found: pd.DataFrame) -> None:
    for place, row in enumerate(found.to_dict("records")):
        if pd.notna(row["low"]):
            axes.plot([row["low"], row["high"]], [place, place], color=_RANGE, linewidth=7, solid_capstyle="butt")
            axes.plot(row["calibrated"], place, "|", color=_POINT, markersize=10)
        axes.plot(row["probability"], place, "o", color=_POINT, markersize=6)
        if pd.notna(row["threshold"]):
            axes.plot([row["threshold"]] * 2, [place - 0.3, place + 0.3], color="#D55E00", linewidth=1.5)
    axes.set_yticks(range(len(found)), found["class"])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("probability\nmodel: point; calibrated: mark, interval: grey;\nthreshold: orange")
    axes.grid(axis="y", visible=False)


def record_figure(
    signal: NDArray[np.float32], leads: Sequence[str], rate_hz: float, found: pd.DataFrame, title: str, form: str
) -> bytes:
    """Draw a record and its probabilities.

    Args:
        signal: (leads, samples) in millivolt, or an image, (channels, height, width), in shares of full scale.
        leads: their names.
        rate_hz: samples a second; of no use to an image.
        found: class, probability, calibrated, low, high, threshold; the last four may be empty.
        title: above both.
        form: png | svg | pdf.
    """
    with mpl.rc_context(STYLE | {"svg.hashsalt": "record"}):
        rows = len(leads) if signal.ndim == 2 else len(found) / 2
        figure = Figure(figsize=(11, max(3.0, 0.55 * rows + 1.2)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
        if signal.ndim == 2:
            draw_leads(left, signal, leads, rate_hz)
        else:
            _image(left, signal, leads)
        _probabilities(right, found)
        figure.suptitle(textwrap.fill(title, _TITLE_LETTERS), fontsize=9, x=0.01, ha="left")
        out = io.BytesIO()
        date = {"Date": None} if form == "svg" else {"CreationDate": None} if form == "pdf" else {}
        figure.savefig(out, format=form, dpi=150, metadata=date)
    return out.getvalue()
