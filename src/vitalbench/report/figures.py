"""The figures of the page: small panels, each an SVG that stays readable on a phone, with the table it was drawn from."""

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

# Okabe and Ito's palette: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_WIDTH, _HEIGHT = 3.7, 2.9
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": "#374151",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class Panel:
    """One figure: its file name, caption, drawing and data."""

    name: str
    caption: str
    svg: str
    data: pd.DataFrame


def colour(designs: list[str], name: str) -> str:
    """A design's colour, the same in every figure of a page."""
    return _COLOURS[designs.index(name) % len(_COLOURS)]


def panel(name: str, caption: str, data: pd.DataFrame, draw: Callable[[Axes], None], height: float = _HEIGHT) -> Panel:
    """Draw one panel. The same data gives the same bytes: no date, and ids salted with the panel's name."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    # A page holds many panels, and an id stands for one thing in it.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", out.getvalue())
    return Panel(name, caption, svg, data)


def forest(name: str, caption: str, data: pd.DataFrame, designs: list[str], axis: str, chance: float | None) -> Panel:
    """Designs with their intervals, best on top. `data` has design, mean, ci_low, ci_high."""
    ordered = data.sort_values("mean").reset_index(drop=True)

    def draw(axes: Axes) -> None:
        for at, row in enumerate(ordered.to_dict("records")):
            tint = colour(designs, row["design"])
            if pd.notna(row["ci_low"]):
                axes.plot([row["ci_low"], row["ci_high"]], [at, at], color=tint, linewidth=2.5, solid_capstyle="butt")
            axes.plot(row["mean"], at, "o", color=tint, markersize=6)
        if chance is not None:
            axes.axvline(chance, color="#9ca3af", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(ordered)), ordered["design"])
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        axes.set_xlabel(axis)
        axes.grid(axis="y", visible=False)

    return panel(name, caption, data, draw, height=0.9 + 0.36 * len(ordered))


def roc_panel(name: str, caption: str, data: pd.DataFrame, designs: list[str]) -> Panel:
    """ROC curves of one class. `data` has design, seed, fold, false_positive_rate, true_positive_rate."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle=":")
        for (design, _, _), curve in data.groupby(["design", "seed", "fold"], sort=False):
            first = design not in axes.get_legend_handles_labels()[1]
            axes.plot(
                curve["false_positive_rate"], curve["true_positive_rate"], color=colour(designs, str(design)),
                linewidth=1.2, alpha=0.8, label=str(design) if first else None,
            )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="1 - specificity", ylabel="sensitivity")
        axes.legend(loc="lower right", handlelength=1.2)

    return panel(name, caption, data, draw)


def reliability_panel(name: str, caption: str, data: pd.DataFrame, designs: list[str]) -> Panel:
    """Reliability diagram. `data` has design, mean_probability, share_positive, labels."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle=":")
        for design, points in data.groupby("design", sort=False):
            axes.plot(
                points["mean_probability"], points["share_positive"], "o-", color=colour(designs, str(design)),
                linewidth=1.2, markersize=3.5, label=str(design),
            )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="mean predicted probability", ylabel="share of positives")
        axes.legend(loc="upper left", handlelength=1.2)

    return panel(name, caption, data, draw)


def log_ticks(low: float, high: float) -> list[float]:
    """Two to five round numbers on a logarithmic axis, the closer together the narrower it is: labels do not run into one another.

    >>> [float(f"{tick:.1g}") for tick in log_ticks(0.00022, 0.00099)]
    [0.0003, 0.0005, 0.0007]
    """
    steps = (1, 2, 3, 5, 7) if high / low < 8 else (1, 2, 5) if high / low < 50 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
    return ticks[:: max(1, math.ceil(len(ticks) / 5))]


def trade_off(
    name: str, caption: str, data: pd.DataFrame, designs: list[str], x: str, x_label: str, y_label: str
) -> Panel:
    """A score against what it takes. `data` has design, mean, ci_low, ci_high and the column `x`."""

    def draw(axes: Axes) -> None:
        for _, row in data.iterrows():
            tint = colour(designs, row["design"])
            if pd.notna(row["ci_low"]):
                axes.plot([row[x], row[x]], [row["ci_low"], row["ci_high"]], color=tint, linewidth=1.5, alpha=0.6)
            axes.plot(row[x], row["mean"], "o", color=tint, label=row["design"], markersize=6)
        axes.set_xscale("log")
        low, high = data[x].min() / 1.6, data[x].max() * 1.6
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator(log_ticks(low, high)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.legend(loc="best", handlelength=0.8)

    return panel(name, caption, data, draw)


def history_panel(name: str, caption: str, data: pd.DataFrame, designs: list[str]) -> Panel:
    """Losses by epoch. `data` has design, seed, fold, epoch, train_loss, val_loss."""

    def draw(axes: Axes) -> None:
        for (design, _, _), run in data.groupby(["design", "seed", "fold"], sort=False):
            tint = colour(designs, str(design))
            first = str(design) not in axes.get_legend_handles_labels()[1]
            axes.plot(run["epoch"], run["val_loss"], color=tint, linewidth=1.4, label=str(design) if first else None)
            axes.plot(run["epoch"], run["train_loss"], color=tint, linewidth=1, linestyle=":")
        axes.set(xlabel="epoch", ylabel="loss (validation; dotted: training)")
        losses = data[["train_loss", "val_loss"]]
        if losses.max().max() > 20 * losses.min().min():
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="best", handlelength=1.2)

    return panel(name, caption, data, draw)
