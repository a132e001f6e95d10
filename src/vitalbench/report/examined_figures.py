"""The figures of an examined design: precision and recall, and reliability before and after calibration."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from vitalbench.report import figures
from vitalbench.report.figures import Panel, colour

_MOST = 6  # classes drawn, the most frequent first; curves.csv has all
_RELIABILITY = "reliability-"


def examined_panels(slug: str, curves: pd.DataFrame, methods: dict[str, str]) -> list[Panel]:
    """Both panels, those for which there are points.

    Args:
        slug: what the panels are called by.
        curves: curves.csv.
        methods: the maps that reliability is drawn of, by what they are called there.
    """
    panels = []
    recalled = curves[curves["curve"] == "pr"]
    if len(recalled):
        # Where everything is recalled, precision is how frequent the class is.
        frequent = recalled.groupby("label")["y"].last().sort_values(ascending=False, kind="stable")
        names = list(frequent.index[:_MOST])
        data = recalled[recalled["label"].isin(names)].rename(columns={"x": "recall", "y": "precision"})
        caption = "Precision and recall, test records; a line a class, the most frequent ones."
        panels.append(_recalled(f"precision-{slug}", caption, data[["label", "recall", "precision"]], names))
    points = curves[curves["curve"].isin([_RELIABILITY + method for method in methods])]
    if len(points):
        data = pd.DataFrame(
            {
                "design": points["curve"].str.removeprefix(_RELIABILITY).map(methods),
                "mean_probability": points["x"],
                "share_positive": points["y"],
            }
        )
        caption = (
            "Reliability on test records before and after calibration, all classes pooled, ten bins of probability."
        )
        panels.append(figures.reliability_panel(f"reliability-{slug}", caption, data, list(methods.values())))
    return panels


def _recalled(name: str, caption: str, data: pd.DataFrame, names: list[str]) -> Panel:
    def draw(axes: Axes) -> None:
        for label in names:
            mine = data[data["label"] == label]
            # Average precision is the area: a point's precision counts for the recall that it adds, the first one's from 0 on.
            recall, precision = np.append(0, mine["recall"]), np.append(mine["precision"].iloc[:1], mine["precision"])
            axes.step(recall, precision, where="pre", color=colour(names, label), linewidth=1.2, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="recall (sensitivity)", ylabel="precision (PPV)")
        axes.legend(loc="upper right", handlelength=1.2, fontsize=7)

    return figures.panel(name, caption, data, draw)
