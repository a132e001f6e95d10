"""Score a predictions file: every metric of a task's kind, by class and macro, by subgroup, with patient-clustered intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO, METRICS, Kind
from vitalbench.errors import InputError
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.predictions import SCORED, Predictions, together
from vitalbench.evaluate.subset import FEW_PATIENTS, Subset, Support, no_interval
from vitalbench.evaluate.thresholds import Thresholds, choose_thresholds

ALL = "all"
_DECISION = ("f1", "accuracy", "sensitivity", "specificity", "ppv", "npv")
_UNDEFINED = {
    "ppv": "nothing was predicted for it",
    "npv": "nothing was predicted against it",
    **dict.fromkeys(("auroc", "auprc"), "no fold holds both truths"),
}
Array = NDArray[np.float64]
Row = dict[str, Any]


@dataclass
class Scores:
    """Rows of metrics.csv (without a run's keys), and the bootstrap replicates behind their intervals.

    Attributes:
        replicates: (resamples,) by (split, subgroup, metric, label); the same patients and seed give the same resamples,
            so that two designs' replicates can be subtracted.
    """

    rows: list[Row] = field(default_factory=list)
    replicates: dict[tuple[str, str, str, str], Array] = field(default_factory=dict)

    def add(self, subset: Subset, thresholds: Thresholds, split: str, subgroup: str) -> None:
        """Add what one subset of the records comes to."""
        table = _Table(subset, thresholds, split, subgroup)
        self.rows += table.rows()
        self.replicates |= table.replicates


class _Table:
    """The rows of one subset."""

    def __init__(self, subset: Subset, thresholds: Thresholds, split: str, subgroup: str) -> None:
        self.subset, self.thresholds, self.place = subset, thresholds, (split, subgroup)
        self.classes, self.found = subset.data.classes, subset.score()
        self.replicates: dict[tuple[str, str, str, str], Array] = {}

    def rows(self) -> Iterator[Row]:
        """A row a metric and class, then the metric's macro row: of a binary task that of its one class, as tables ask for it."""
        kind = self.subset.kind
        for metric in METRICS[kind]:
            if kind == "softlabel" or metric == "fmax" or (kind == "multiclass" and metric == "accuracy"):
                yield self._of_whole_records(metric)
                continue
            for k in range(len(self.classes)):
                yield self._of_class(metric, k)
            yield self._of_mean(metric)

    def _row(self, metric: str, label: str, on: Support, reasons: list[str], thin: bool, **more: Any) -> Row:
        """A value on its records; its interval too, unless its patients are too few to show how it varies."""
        series = self.found.get((metric, label), np.array([np.nan]))
        low = high = None
        if not np.isnan(series[0]):
            self.replicates[*self.place, metric, label] = series[1:]
            if not thin and not np.isnan(series[1:]).all():
                low, high = interval(series[1:])
        return {
            **dict(zip(("split", "subgroup"), self.place, strict=True)),
            "metric": metric,
            "label": label,
            "value": None if np.isnan(series[0]) else float(series[0]),
            "ci_low": low,
            "ci_high": high,
            "n_records": on.records,
            "n_patients": on.patients,
            **more,
            "reason": "; ".join(reasons),
        }

    def _without_value(self, metric: str, k: int) -> str:
        """Why a class has no value; empty where it has one."""
        if self.subset.support[k].lacking:
            return self.subset.support[k].lacking
        return _UNDEFINED[metric] if np.isnan(self.found[metric, self.classes[k]][0]) else ""

    def _of_class(self, metric: str, k: int) -> Row:
        on, missing = self.subset.support[k], self._without_value(metric, k)
        reasons = [missing] if missing else []
        if on.thin and not missing:
            reasons.append(no_interval(on.thin))
        more: Row = {
            "n_labels": int(not missing),
            "n_positive": on.positive_records,
            "redrawn": self.subset.redrawn.get(k),
            "n_supported": int(not missing and not on.thin),
        }
        if metric in _DECISION and not on.lacking and self.subset.kind != "multiclass":
            if self.thresholds.value.ndim == 1:
                more["threshold"] = self.thresholds.value[k]
            if self.thresholds.chosen_on[k] == "fixed":
                reasons.append("threshold 0.5: no val rows with both truths")
        return self._row(metric, self.classes[k], on, reasons, bool(on.thin), **more)

    def _of_mean(self, metric: str) -> Row:
        """The mean over the classes that have a value."""
        why = {k: self._without_value(metric, k) for k in range(len(self.classes))}
        entered = [k for k in why if not why[k]]
        supported = [k for k in entered if not self.subset.support[k].thin]
        reasons = []
        if all(on.lacking for on in self.subset.support):
            reasons.append("no class has a positive and a negative patient")
        elif len(entered) < len(why):
            named = ", ".join(f"{self.classes[k]} ({why[k]})" for k in why if why[k])
            reasons.append(f"{len(why) - len(entered)} of {len(why)} classes left out: {named}")
        if entered and not supported:
            reasons.append(f"no interval: no class has {FEW_PATIENTS} positive and {FEW_PATIENTS} negative patients")
        elif len(supported) < len(entered):
            reasons.append(
                f"the interval leaves out what {len(entered) - len(supported)} classes with fewer than {FEW_PATIENTS} "
                f"positive patients or {FEW_PATIENTS} negative ones vary"
            )
        return self._row(
            metric,
            MACRO,
            self.subset.labelled_for(entered),
            reasons,
            not supported,
            n_labels=len(entered),
            n_supported=len(supported),
            redrawn=max((self.subset.redrawn[k] for k in entered), default=None),
        )

    def _of_whole_records(self, metric: str) -> Row:
        """One number for the records that are labelled for all classes."""
        on, reasons = self.subset.whole, []
        there = not np.isnan(self.found[metric, MACRO][0])
        if not on.records:
            reasons.append("no record is labelled for all classes")
        elif not there:
            reasons.append("no record that is labelled for all classes has one")
        elif on.patients < FEW_PATIENTS:
            reasons.append(
                f"no interval: {on.patients} patient{'s' if on.patients != 1 else ''}, fewer than {FEW_PATIENTS}"
            )
        labels = len(self.classes) if there else 0
        return self._row(metric, MACRO, on, reasons, on.patients < FEW_PATIENTS, n_labels=labels)


def _subgroups(data: Predictions) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """All records, then every subgroup that has one."""
    yield ALL, np.ones(len(data), dtype=bool)
    for name in data.groups.columns:
        column = data.groups[name].to_numpy(dtype=object)
        for value in sorted({value for value in column if value is not None}):
            yield f"{name}={value}", np.asarray(column == value, dtype=bool)


def score(predictions: Predictions, kind: Kind, resamples: int, seed: int) -> Scores:
    """Score every split of a predictions file, whole and by subgroup. A record of weight 0 is none.

    Args:
        predictions: as `read_predictions` returns them.
        kind: the task's kind, which decides the metrics.
        resamples: of the bootstrap over patients.
        seed: of the resamples; they depend on it, on the names of split and subgroup, and on the patients alone (those redrawn
            for a class on its name and truth too).
    """
    predictions = predictions.take(predictions.weights > 0)
    thresholds = choose_thresholds(predictions, kind)
    out = Scores()
    for split in SCORED:
        chosen = predictions.take(predictions.split == split)
        for subgroup, rows in _subgroups(chosen) if len(chosen) else ():
            subset = Subset(chosen.take(rows), kind, thresholds, resamples, seed, (split, subgroup))
            out.add(subset, thresholds, split, subgroup)
    return out


def score_folds(folds: Sequence[Predictions], kind: Kind, resamples: int, seed: int) -> Scores:
    """Score the test records of several folds together, each by its own fold's model: cross-validation over all their patients.

    A decision is taken at the threshold that its fold chose on its own validation records, and scores are ranked within their
    fold (`RankedApart`). Resamples are of all the folds' patients.

    Args:
        folds: of one data set, task and design, one a fold.

    Raises:
        InputError: a patient is tested in two folds, so that the patients are no sample of patients.
    """
    tests = [one.take((one.split == "test") & (one.weights > 0)) for one in folds]
    patients = pd.Series(np.concatenate([pd.unique(one.patient_id) for one in tests]))
    if patients.duplicated().any():
        raise InputError(f"{patients.duplicated().sum():,} patients are tested in more than one fold")
    chosen = [choose_thresholds(one.take(one.weights > 0), kind) for one in folds]
    values = np.concatenate(
        [np.broadcast_to(its.value, (len(one), len(its.value))) for its, one in zip(chosen, tests, strict=True)]
    )
    how = ["val" if all(its.chosen_on[k] == "val" for its in chosen) else "fixed" for k in range(values.shape[1])]
    fold = np.repeat(np.arange(len(tests)), [len(one) for one in tests])
    whole, out = together(tests), Scores()
    for subgroup, rows in _subgroups(whole) if len(whole) else ():
        thresholds = Thresholds(values[rows], how)
        names = ("test", subgroup)
        out.add(Subset(whole.take(rows), kind, thresholds, resamples, seed, names, fold[rows]), thresholds, *names)
    return out
