"""The figures of a task's section."""

import numpy as np
import pandas as pd

from vitalbench.cell_result import CellResult
from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.report import figures
from vitalbench.report.curves import reliability, roc
from vitalbench.report.figures import Panel
from vitalbench.report.task_data import TaskData
from vitalbench.report.wording import metric_name
from vitalbench.tables import number

_MOST_ROC = 6  # classes drawn, the most frequent first; the tables have all
Scored = list[tuple[CellResult, Predictions]]


def test_predictions(data: TaskData) -> Scored:
    """Every run with its predictions on the test split."""
    found = []
    for run in data.runs:
        predictions = read_predictions(run.folder / "predictions.parquet", data.task.kind)
        found.append((run, predictions.take(predictions.split == "test")))
    return found


def score_panels(data: TaskData) -> list[Panel]:
    """Scores with intervals; scores against training time and against cost."""
    metric = metric_name(data.task.primary)
    axis = f"macro {metric}, test"
    rows = [(design, data.score(design, data.task.primary)) for design in data.designs]
    scores = pd.DataFrame(
        [
            {"design": design, **{name: number(row[name]) for name in ("mean", "ci_low", "ci_high")}}
            for design, row in rows
            if row is not None
        ]
    )
    if scores.empty:
        return []
    chance = 0.5 if data.task.primary == "auroc" else None
    caption = f"Macro {metric} with 95 % intervals over patients."
    panels = [figures.forest(f"scores-{data.slug}", caption, scores, data.designs, axis, chance)]
    trained = scores[scores["design"].isin(data.hours)]
    if trained.empty:
        return panels
    trained = trained.assign(
        train_seconds=[data.hours[design] * 3600 for design in trained["design"]],
        usd=trained["design"].map(data.usd),
    )
    for name, column, what in (
        ("time", "train_seconds", "training, s (measured step x steps)"),
        ("cost", "usd", f"training, USD ({data.first_sku})"),
    ):
        caption = f"Macro {metric} against {'measured training time' if name == 'time' else 'the cost of training'}."
        panels.append(figures.trade_off(f"{name}-{data.slug}", caption, trained, data.designs, column, what, axis))
    return panels


def roc_panels(data: TaskData, scored: Scored) -> list[Panel]:
    """ROC curves of the most frequent classes, a line a run."""
    first = scored[0][1]
    panels = []
    for k in np.argsort(-np.nansum(first.y, axis=0), kind="stable")[:_MOST_ROC]:
        curves = []
        for run, found in scored:
            curve = roc(found.y[:, k], found.p[:, k])
            if curve is not None:
                curves.append(curve.assign(design=run.cell.design, seed=run.cell.seed, fold=run.cell.fold))
        if curves:
            label = first.classes[k]
            name = "".join(letter if letter.isalnum() else "_" for letter in label)
            caption = f"ROC, {label}, test patients; a line a seed and fold."
            panels.append(figures.roc_panel(f"roc-{data.slug}-{name}", caption, pd.concat(curves), data.designs))
    return panels


def more_panels(data: TaskData, scored: Scored) -> list[Panel]:
    """Reliability and learning curves."""
    points = []
    for design in data.designs:
        of_design = [found for run, found in scored if run.cell.design == design]
        y, p = (np.concatenate([getattr(found, name).ravel() for found in of_design]) for name in ("y", "p"))
        points.append(reliability(y, p).assign(design=design))
    caption = "Reliability: all classes and seeds pooled, ten bins of probability."
    panels = [figures.reliability_panel(f"calibration-{data.slug}", caption, pd.concat(points), data.designs)]
    histories = [
        pd.read_csv(run.folder / "history.csv").assign(design=run.cell.design, seed=run.cell.seed, fold=run.cell.fold)
        for run in data.runs
        if (run.folder / "history.csv").stat().st_size > 1
    ]
    if histories:
        caption = "Loss by epoch, a line a seed and fold."
        panels.append(figures.history_panel(f"history-{data.slug}", caption, pd.concat(histories), data.designs))
    return panels
