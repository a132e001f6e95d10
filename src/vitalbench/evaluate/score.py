"""Score a predictions file: every metric of a task's kind, by class and macro, by subgroup, with patient-clustered intervals."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vitalbench.config.schema import METRICS, Kind
from vitalbench.evaluate import metrics
from vitalbench.evaluate.bootstrap import interval, patient_index, redraw, resample
from vitalbench.evaluate.predictions import Predictions
from vitalbench.measure.device import cpu_count

FEW_PATIENTS = 5
ALL = "all"
MACRO = "macro"
_DECISION = ("f1", "accuracy", "sensitivity", "specificity", "ppv", "npv")
_BLOCK = 64  # resamples a thread works on at once
_ELEMENTS = 8_000_000  # of the matrix a group of classes is multiplied as: with _BLOCK it bounds memory
Array = NDArray[np.float64]


@dataclass
class Scores:
    """Rows of metrics.csv (without a run's keys), and the bootstrap replicates behind their intervals.

    Attributes:
        replicates: (resamples,) by (split, subgroup, metric, label); the same patients and seed give the same resamples,
            so that two designs' replicates can be subtracted.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    replicates: dict[tuple[str, str, str, str], Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Thresholds:
    """Where a class is decided for, and how the place was chosen."""

    value: Array
    chosen_on: list[str]


def choose_thresholds(predictions: Predictions, kind: Kind) -> Thresholds:
    """The threshold of best F1 on the `val` rows, a class each; 0.5 where they do not hold both truths."""
    val = predictions.take(predictions.split == "val")
    values, chosen = np.full(len(predictions.classes), 0.5), []
    for k in range(len(predictions.classes)):
        y = val.y[:, k]
        known = ~np.isnan(y)
        if kind in ("multilabel", "binary") and (y[known] > 0).any() and (y[known] == 0).any():
            values[k] = metrics.best_f1_threshold(y[known], val.p[known, k])
            chosen.append("val")
        else:
            chosen.append("fixed")
    return Thresholds(values, chosen)


@dataclass(frozen=True)
class _Scorer:
    """Something to score under any weights: a class by its sums and ranking, or whole records by their sums."""

    label: str
    sums: metrics.Sums
    ranking: metrics.Ranking | None = None
    own: NDArray[np.int32] | None = None  # the resamples of a class that loses a truth in the common ones
    keep: tuple[str, ...] | None = None

    def finish(self, w: Array, sums: Array) -> dict[tuple[str, str], Array]:
        """(weightings,) by metric and label."""
        found = self.sums.finish(sums)
        if self.ranking is not None:
            found["auroc"], found["auprc"] = self.ranking.auroc_auprc(w)
        return {(name, self.label): value for name, value in found.items() if self.keep is None or name in self.keep}


class _Subset:
    """Some records of one split, all or a subgroup, with their resamples."""

    def __init__(self, data: Predictions, kind: Kind, thresholds: Thresholds, resamples: int, seed: list[int]) -> None:
        self.data, self.kind, self.seed = data, kind, seed
        self.index, self.patients = patient_index(data.patient_id)
        self.drawn = resample(self.index, self.patients, resamples, np.random.default_rng(seed))
        self.weight = np.ones(len(data)) if data.weight is None else data.weight
        self.redrawn: dict[int, float] = {}
        self.empty: dict[int, str] = {}
        self.scorers: list[_Scorer] = []
        for k in range(len(data.classes)) if kind != "softlabel" else ():
            self._add_class(k, thresholds)
        if kind != "binary":
            self._add_whole_records()

    @property
    def scored(self) -> list[int]:
        """The classes that have a value."""
        return list(self.redrawn)

    def _add_class(self, k: int, thresholds: Thresholds) -> None:
        y, p = self.data.y[:, k], self.data.p[:, k]
        lacking = [name for name, there in (("positive", (y > 0).any()), ("negative", (y == 0).any())) if not there]
        if lacking:
            self.empty[k] = f"no {' and no '.join(lacking)} patient"
            return
        known = ~np.isnan(y)
        predicted = self.data.p.argmax(axis=1) == k if self.kind == "multiclass" else p >= thresholds.value[k]
        weights, self.redrawn[k] = redraw(self.drawn, y, self.index, self.patients, [*self.seed, k])
        self.scorers.append(
            _Scorer(
                self.data.classes[k],
                metrics.label_sums(y, p, predicted, known),
                metrics.Ranking.of(y[known], p[known], np.flatnonzero(known)),
                None if weights is self.drawn else weights,
            )
        )

    def _add_whole_records(self) -> None:
        y, p = self.data.y, self.data.p
        known: NDArray[np.bool_] = np.asarray(~np.isnan(y).any(axis=1))
        if self.kind == "multilabel":
            self.scorers.append(_Scorer(MACRO, metrics.fmax_sums(y, p, known)))
        else:
            keep = ("accuracy",) if self.kind == "multiclass" else ("kl", "accuracy", "brier")
            self.scorers.append(_Scorer(MACRO, metrics.record_sums(y, p, known), keep=keep))

    def _groups(self) -> Iterator[list[_Scorer]]:
        """Scorers that share one matrix product: as many as keep it within bounds."""
        group: list[_Scorer] = []
        width = 0
        for scorer in self.scorers:
            columns = scorer.sums.columns.shape[1]
            if group and (scorer.own is not None or (width + columns) * len(self.data) > _ELEMENTS):
                yield group
                group, width = [], 0
            group.append(scorer)
            width += columns
            if scorer.own is not None:
                yield group
                group, width = [], 0
        if group:
            yield group

    def score(self) -> dict[tuple[str, str], Array]:
        """(1 + resamples,) by metric and label: the value, then its replicates."""
        found: dict[tuple[str, str], Array] = {}
        with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
            for group in self._groups():
                drawn = self.drawn if group[0].own is None else group[0].own
                columns = np.hstack([scorer.sums.columns for scorer in group])
                edges = np.cumsum([scorer.sums.columns.shape[1] for scorer in group])[:-1]
                block = partial(self._block, group, columns, edges, drawn)
                parts = list(pool.map(block, [-1, *range(0, len(drawn), _BLOCK)]))
                found |= {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        whole_only = {"accuracy"} if self.kind == "multiclass" else set()
        for metric in METRICS[self.kind] if self.scored else ():
            by_class = [
                found[metric, self.data.classes[k]] for k in self.scored if (metric, self.data.classes[k]) in found
            ]
            if by_class and metric not in whole_only:
                found[metric, MACRO] = _mean_of_known(np.array(by_class))
        return found

    def _block(
        self, group: list[_Scorer], columns: Array, edges: NDArray[np.intp], drawn: NDArray[np.int32], start: int
    ) -> dict[tuple[str, str], Array]:
        """Score a group under the weights as they are (start -1) or under a block of resamples."""
        w = self.weight[None, :] if start < 0 else drawn[start : start + _BLOCK] * self.weight
        found: dict[tuple[str, str], Array] = {}
        for scorer, sums in zip(group, np.split(w @ columns, edges, axis=1), strict=True):
            found |= scorer.finish(w, sums)
        return found

    def positives(self, k: int) -> tuple[int, int]:
        """Records and patients of a class."""
        rows = self.data.y[:, k] > 0
        return int(rows.sum()), len(np.unique(self.index[rows]))


def _mean_of_known(stack: Array) -> Array:
    known = ~np.isnan(stack)
    count = known.sum(axis=0)
    mean: Array = np.divide(
        np.where(known, stack, 0).sum(axis=0), count, out=np.full(stack.shape[1], np.nan), where=count > 0
    )
    return mean


def _rows(subset: _Subset, kind: Kind, thresholds: Thresholds, out: Scores, split: str, subgroup: str) -> None:
    found = subset.score()
    data = subset.data
    size = {"n_records": len(data), "n_patients": subset.patients}
    counts = {k: subset.positives(k) for k in range(len(data.classes))}

    def add(metric: str, label: str, reason: list[str], with_interval: bool, **more: Any) -> None:
        series = found.get((metric, label), np.array([np.nan]))
        value = series[0]
        row: dict[str, Any] = {
            "split": split,
            "subgroup": subgroup,
            "metric": metric,
            "label": label,
            "value": None,
            "ci_low": None,
            "ci_high": None,
        }
        if not np.isnan(value):
            drawn = series[1:]
            row["value"] = float(value)
            out.replicates[split, subgroup, metric, label] = drawn
            if with_interval and not np.isnan(drawn).all():
                row["ci_low"], row["ci_high"] = interval(drawn)
        elif not reason:
            reason = ["nothing was predicted for it" if metric == "ppv" else "undefined here"]
        out.rows.append(row | size | more | {"reason": "; ".join(reason)})

    for metric in METRICS[kind]:
        by_class = kind != "softlabel" and metric != "fmax" and not (kind == "multiclass" and metric == "accuracy")
        for k, name in enumerate(data.classes if by_class else []):
            records, patients = counts[k]
            reason = [subset.empty[k]] if k in subset.empty else []
            few = k not in subset.empty and patients < FEW_PATIENTS
            if few:
                reason.append(f"no interval: {patients} positive patients, fewer than {FEW_PATIENTS}")
            more: dict[str, Any] = {
                "n_labels": int(k in subset.scored),
                "n_positive": records,
                "redrawn": subset.redrawn.get(k),
                "n_supported": int(k in subset.scored and not few),
            }
            if metric in _DECISION and k in subset.scored and kind != "multiclass":
                more["threshold"] = thresholds.value[k]
                if thresholds.chosen_on[k] == "fixed":
                    reason.append("threshold 0.5: no val rows with both truths")
            add(metric, name, reason, not few, **more)
        if kind == "binary":
            continue
        left_out = [f"{data.classes[k]} ({why})" for k, why in subset.empty.items()] if by_class else []
        reason = ["without " + ", ".join(left_out)] if left_out else []
        enough = not by_class or any(counts[k][1] >= FEW_PATIENTS for k in subset.scored)
        if by_class and not subset.scored:
            reason = ["no class has a positive and a negative patient"]
        elif not enough:
            reason.append(f"no interval: no class has {FEW_PATIENTS} positive patients")
        supported = sum(counts[k][1] >= FEW_PATIENTS for k in subset.scored)
        if enough and by_class and supported < len(subset.scored):
            thin = len(subset.scored) - supported
            reason.append(
                f"the interval leaves out what {thin} classes with fewer than {FEW_PATIENTS} positive patients vary"
            )
        add(
            metric,
            MACRO,
            reason,
            enough,
            n_labels=len(subset.scored) if by_class else len(data.classes),
            n_supported=supported if by_class else None,
            redrawn=max(subset.redrawn.values(), default=None) if by_class else None,
        )


def score(predictions: Predictions, kind: Kind, resamples: int, seed: int) -> Scores:
    """Score every split of a predictions file, whole and by subgroup.

    Args:
        predictions: as `read_predictions` returns them.
        kind: the task's kind, which decides the metrics.
        resamples: of the bootstrap over patients.
        seed: of the resamples; they depend on it, the split, the subgroup and the patients alone.
    """
    thresholds = choose_thresholds(predictions, kind)
    out = Scores()
    splits = [name for name in ("train", "val", "test", "pretrain") if (predictions.split == name).any()]
    for at, split in enumerate(splits):
        chosen = predictions.take(predictions.split == split)
        subsets = [(ALL, np.ones(len(chosen), dtype=bool))]
        for group in chosen.groups.columns:
            column = chosen.groups[group].to_numpy(dtype=object)
            subsets += [(f"{group}={value}", column == value) for value in sorted(set(column))]
        for number, (subgroup, rows) in enumerate(subsets):
            subset = _Subset(chosen.take(rows), kind, thresholds, resamples, [seed, at, number])
            _rows(subset, kind, thresholds, out, split, subgroup)
    return out
