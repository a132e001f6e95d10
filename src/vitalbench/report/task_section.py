"""The section of one task on one data set and target: the answer, the table, the figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.evaluate.score import ALL, MACRO
from vitalbench.report import figures
from vitalbench.report.curves import reliability, roc
from vitalbench.report.figures import Panel
from vitalbench.report.pick import Pick, pick
from vitalbench.results import CellResult, Results
from vitalbench.tables import number, read_table

_MOST_ROC = 6
_NAMES = {"auroc": "AUROC", "auprc": "AUPRC", "f1": "F1", "fmax": "F-max", "brier": "Brier score", "ece": "ECE", "kl": "KL divergence"}
Row = dict[str, str]


def count(value: int) -> str:
    """12,345."""
    return f"{value:,}"


def percent_free(value: float) -> str:
    """A number as a person writes it: no trailing zeros, thousands apart."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}" if abs(value) >= 100 else f"{value:.4g}"


def seconds(value: float | None) -> str:
    """Seconds in the unit that leaves few zeros."""
    if value is None:
        return ""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 120 else f"{value / 60:.1f} min"


def score(mean: float | None, low: float | None, high: float | None, digits: int = 3) -> Markup | str:
    """A value with its interval."""
    if mean is None:
        return "none"
    text = Markup("{}").format(f"{mean:.{digits}f}")
    if low is None or high is None:
        return text + Markup(' <span class="range">no interval</span>')
    return text + Markup(' <span class="range">{} to {}</span>').format(f"{low:.{digits}f}", f"{high:.{digits}f}")


def _mean(rows: list[Row], column: str) -> float | None:
    values = [value for value in (number(row[column]) for row in rows) if value is not None]
    return float(np.mean(values)) if values else None


@dataclass
class TaskSection:
    """Everything the template shows of one task."""

    title: str
    description: str
    split: str
    metric_name: str
    margin: str
    pick: Pick
    head: list[str]
    rows: list[dict[str, Any]]
    note: str
    pairs: list[list[Any]]
    class_head: list[str]
    class_rows: list[list[Any]]
    group_head: list[str]
    group_rows: list[list[Any]]
    main_panels: list[Panel]
    roc_panels: list[Panel]
    more_panels: list[Panel]

    @property
    def panels(self) -> list[Panel]:
        """Every figure of the section."""
        return [*self.main_panels, *self.roc_panels, *self.more_panels]

    @classmethod
    def of(cls, results: Results, dataset: str, task: str, target: str) -> "TaskSection":
        """Gather the section from the tables and the runs."""
        return _Gather(results, dataset, task, target).section()


class _Gather:
    """Reads the tables once for one task."""

    def __init__(self, results: Results, dataset: str, task: str, target: str) -> None:
        self.results, self.dataset, self.name, self.target = results, dataset, task, target
        self.task = results.task(task)
        self.runs = [
            run for run in results.measured if (run.cell.dataset, run.cell.task, run.cell.target) == (dataset, task, target)
        ]
        self.designs = list(dict.fromkeys(run.cell.design for run in self.runs))
        self.control = {name: results.suite["designs"][name]["role"] == "control" for name in self.designs}
        self.metric = _NAMES.get(self.task.primary, self.task.primary)
        self.slug = f"{dataset}-{task}-{target}"
        self.summary = self._rows("summary")
        self.comparison = self._rows("comparison")
        self.timing = [row for row in self._rows("timing") if row["exclusive"] == "true"]
        self.cost = self._rows("cost")
        self.matrix = self._rows("matrix")

    def _rows(self, table: str) -> list[Row]:
        wanted = {"dataset": self.dataset, "task": self.name, "target": self.target}
        rows = read_table(table, self.results.table(table))
        return [row for row in rows if all(row[key] == value for key, value in wanted.items())]

    def _summary(self, design: str, metric: str, label: str = MACRO, subgroup: str = ALL, split: str = "test") -> Row | None:
        wanted = {"design": design, "metric": metric, "label": label, "subgroup": subgroup, "split": split}
        return next((row for row in self.summary if all(row[key] == value for key, value in wanted.items())), None)

    def _value(self, design: str, metric: str, label: str = MACRO, subgroup: str = ALL) -> Markup | str:
        row = self._summary(design, metric, label, subgroup)
        return score(*(number(row[name]) for name in ("mean", "ci_low", "ci_high"))) if row else "none"

    def _hours(self) -> dict[str, float]:
        found = {}
        for design in self.designs:
            rows = [row for row in self.cost if row["design"] == design and row["phase"] == "train"]
            mean = _mean(rows, "hours")
            if mean is not None:
                found[design] = mean
        return found

    def _usd(self, design: str, phase: str) -> float | None:
        rows = [row for row in self.cost if row["design"] == design and row["phase"] == phase]
        first = [row for row in rows if row["sku"] == rows[0]["sku"]]
        return _mean(first, "usd")

    def _latency(self, design: str) -> float | None:
        rows = [r for r in self.timing if r["design"] == design and r["phase"] == "inference" and r["batch_size"] == "1"]
        return _mean(rows, "median_s")

    def _main_table(self) -> tuple[list[str], list[dict[str, Any]]]:
        second = next(m for m in ("fmax", "auprc", "accuracy", "brier") if m != self.task.primary and self._summary(self.designs[0], m))
        head = [
            "Design", f"#{self.metric}, 95 % interval", "#between seeds", f"#{_NAMES.get(second, second)}", "#ECE", "#parameters",
            "#training", "#USD", "#one record",
        ]  # fmt: skip
        hours = self._hours()
        rows = []
        ordered = sorted(self.designs, key=lambda name: -(self._mean_primary(name) or 0) * (1 if self.task.direction == "higher" else -1))
        for design in ordered:
            row = self._summary(design, self.task.primary)
            other, ece = self._summary(design, second), self._summary(design, "ece")
            parameters = next((r["parameters"] for r in self.matrix if r["design"] == design and r["parameters"]), "")
            usd, latency = self._usd_or_none(design), self._latency(design)
            sd = number(row["sd_seeds"]) if row else None
            cells = [
                design,
                self._value(design, self.task.primary),
                "" if sd is None else f"±{sd:.3f}",
                "" if other is None else f"{float(other['mean']):.3f}",
                "" if ece is None else f"{float(ece['mean']):.3f}",
                count(int(parameters)) if parameters else "",
                seconds(hours[design] * 3600) if design in hours else "",
                "" if usd is None else f"{usd:.5f}",
                seconds(latency),
            ]
            rows.append({"cells": cells, "control": self.control[design]})
        return head, rows

    def _usd_or_none(self, design: str) -> float | None:
        return self._usd(design, "train") if any(row["design"] == design for row in self.cost) else None

    def _mean_primary(self, design: str) -> float | None:
        row = self._summary(design, self.task.primary)
        return float(row["mean"]) if row else None

    def _pick(self) -> Pick:
        rows = [r for r in self.comparison if (r["metric"], r["label"], r["subgroup"]) == (self.task.primary, MACRO, ALL)]
        scores = {d: value for d in self.designs if not self.control[d] and (value := self._mean_primary(d)) is not None}
        lower = [d for d in self.designs if self.control[d] and self.results.suite["designs"][d]["recipe"] != "ideal-observer"]
        return pick(
            rows, scores, lower, self._hours(), higher=self.task.direction == "higher", metric=f"macro {self.metric}", patients=self._patients()
        )

    def _patients(self) -> int:
        rows = self.runs[0].read("metrics.json")["rows"]
        return next((row["n_patients"] for row in rows if row["split"] == "test" and row["subgroup"] == ALL), 0)

    def _pairs(self) -> list[list[Any]]:
        rows = [r for r in self.comparison if (r["metric"], r["label"], r["subgroup"]) == (self.task.primary, MACRO, ALL)]
        shown = []
        for row in rows:
            low, high, p, ratio = (number(row[name]) for name in ("ci_low", "ci_high", "p_corrected", "time_ratio"))
            shown.append(
                [
                    row["design_a"],
                    row["design_b"],
                    f"{float(row['difference']):+.3f}",
                    "" if low is None or high is None else f"{low:+.3f} to {high:+.3f}",
                    "" if p is None else f"{p:.3f}",
                    "" if ratio is None else f"{ratio:.2f}",
                    Markup('<span class="{0}">{0}</span>').format(row["verdict"]),
                ]
            )
        return shown

    def _by_class(self) -> tuple[list[str], list[list[Any]]]:
        head = ["Class", "#positives", *(f"#{design}" for design in self.designs)]
        metrics = self.runs[0].read("metrics.json")["rows"]
        positives = {
            row["label"]: row.get("n_positive")
            for row in metrics
            if row["split"] == "test" and row["subgroup"] == ALL and row["metric"] == self.task.primary
        }
        labels = [label for label in positives if label != MACRO]
        rows = [
            [label, positives[label], *(self._value(design, self.task.primary, label) for design in self.designs)] for label in labels
        ]
        return head, rows

    def _by_group(self) -> tuple[list[str], list[list[Any]]]:
        head = ["Subgroup", "#records", *(f"#{design}" for design in self.designs)]
        metrics = self.runs[0].read("metrics.json")["rows"]
        sizes = {row["subgroup"]: row["n_records"] for row in metrics if row["split"] == "test"}
        rows = [
            [group.replace("=", ": "), size, *(self._value(design, self.task.primary, subgroup=group) for design in self.designs)]
            for group, size in sizes.items()
        ]
        return head, rows

    def _predictions(self) -> list[tuple[CellResult, Predictions]]:
        found = []
        for run in self.runs:
            predictions = read_predictions(run.folder / "predictions.parquet", self.task.kind)
            found.append((run, predictions.take(predictions.split == "test")))
        return found

    def _main_panels(self) -> list[Panel]:
        rows = [(design, self._summary(design, self.task.primary)) for design in self.designs]
        data = pd.DataFrame(
            [
                {"design": design, **{name: number(row[name]) for name in ("mean", "ci_low", "ci_high")}}
                for design, row in rows
                if row is not None
            ]
        )
        chance = 0.5 if self.task.primary == "auroc" else None
        axis = f"macro {self.metric}, test"
        panels = [figures.forest(f"scores-{self.slug}", f"Macro {self.metric} with 95 % intervals over patients.", data, self.designs, axis, chance)]
        hours = self._hours()
        trained = data[data["design"].isin(hours)].copy()
        if len(trained):
            trained["train_seconds"] = [hours[design] * 3600 for design in trained["design"]]
            trained["usd"] = [self._usd(design, "train") for design in trained["design"]]
            panels.append(
                figures.trade_off(
                    f"time-{self.slug}", f"{self.metric} against measured training time.", trained, self.designs, "train_seconds",
                    "training, s (measured step x steps)", axis,
                )
            )  # fmt: skip
            sku = next(row["sku"] for row in self.cost)
            panels.append(
                figures.trade_off(
                    f"cost-{self.slug}", f"{self.metric} against the cost of training, {sku}.", trained, self.designs, "usd", "training, USD", axis
                )
            )
        return panels

    def _roc_panels(self, predictions: list[tuple[CellResult, Predictions]]) -> list[Panel]:
        panels = []
        y = predictions[0][1].y
        order = np.argsort(-np.nansum(y, axis=0), kind="stable")[:_MOST_ROC]
        for k in order:
            label = predictions[0][1].classes[k]
            curves = []
            for run, found in predictions:
                curve = roc(found.y[:, k], found.p[:, k])
                if curve is not None:
                    curves.append(curve.assign(design=run.cell.design, seed=run.cell.seed, fold=run.cell.fold))
            if curves:
                name = "".join(c if c.isalnum() else "_" for c in label)
                caption = f"ROC, {label}, test patients; a line a seed."
                panels.append(figures.roc_panel(f"roc-{self.slug}-{name}", caption, pd.concat(curves), self.designs))
        return panels

    def _more_panels(self, predictions: list[tuple[CellResult, Predictions]]) -> list[Panel]:
        panels = []
        points = []
        for design in self.designs:
            of_design = [found for run, found in predictions if run.cell.design == design]
            y, p = (np.concatenate([getattr(found, name).ravel() for found in of_design]) for name in ("y", "p"))
            points.append(reliability(y, p).assign(design=design))
        caption = "Reliability: all classes and seeds pooled, ten bins of probability."
        panels.append(figures.reliability_panel(f"calibration-{self.slug}", caption, pd.concat(points), self.designs))
        histories = []
        for run in self.runs:
            path = run.folder / "history.csv"
            if path.stat().st_size > 1:
                histories.append(pd.read_csv(path).assign(design=run.cell.design, seed=run.cell.seed, fold=run.cell.fold))
        if histories:
            caption = "Loss by epoch, a line a seed."
            panels.append(figures.history_panel(f"history-{self.slug}", caption, pd.concat(histories), self.designs))
        return panels

    def _split_line(self) -> str:
        sizes = []
        for split in ("val", "test"):
            row = next((r for r in self.runs[0].read("metrics.json")["rows"] if r["split"] == split and r["subgroup"] == ALL), None)
            if row:
                sizes.append(f"{split} {count(row['n_records'])} records of {count(row['n_patients'])} patients")
        rule = "dropped, as the published benchmark does" if self.task.unlabelled == "drop" else "kept with no class"
        split = self.task.split
        how = f"official folds ({split.column})" if split.method == "official" else "patients drawn by a hash of their id"
        return f"Split by {how}: {', '.join(sizes)}; records without a label are {rule}."

    def _note(self) -> str:
        note = (
            f"Test patients only; macro is the mean over {len(self.task.classes)} classes. Grey rows are controls: the lower ones have to be "
            "beaten. The interval is over patients, ± over seeds. Training time is measured step x steps; one record is a batch of one."
        )
        facts = [run.read("provenance.json")["facts"] for run in self.runs]
        ceiling = next((f["attainable_auroc"] for f in facts if "attainable_auroc" in f), None)
        if ceiling:
            known = {name: value for name, value in ceiling.items() if value is not None}
            classes = ", ".join(f"{name} {value:.3f}" for name, value in list(known.items())[:8])
            mean = np.mean(list(known.values()))
            note += (
                f" The generator's parameters put the attainable macro AUROC at {mean:.3f} ({classes}); "
                "ideal-observer is that optimum on these very patients."
            )
        return note

    def section(self) -> TaskSection:
        """Put it together."""
        head, rows = self._main_table()
        class_head, class_rows = self._by_class()
        group_head, group_rows = self._by_group()
        predictions = self._predictions()
        title = self.results.suite["datasets"][self.dataset]["title"]
        several = len(self.results.suite["targets"]) > 1
        return TaskSection(
            title=f"{title}: {self.name}" + (f" on {self.target}" if several else ""),
            description=self.task.description.rstrip("."),
            split=self._split_line(),
            metric_name=self.metric,
            margin=f"{self.task.margin:g}",
            pick=self._pick(),
            head=head,
            rows=rows,
            note=self._note(),
            pairs=self._pairs(),
            class_head=class_head,
            class_rows=class_rows,
            group_head=group_head,
            group_rows=group_rows,
            main_panels=self._main_panels(),
            roc_panels=self._roc_panels(predictions),
            more_panels=self._more_panels(predictions),
        )
