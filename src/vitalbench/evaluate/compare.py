"""Designs held against one another on the same patients, paired, corrected for how many pairs there are."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.cell_result import CellResult
from vitalbench.config.schema import LOWER_IS_BETTER, MACRO
from vitalbench.errors import InputError
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.folds import Folds, over_folds
from vitalbench.evaluate.power import Errors, errors, would_decide
from vitalbench.evaluate.run import Key, read_replicates
from vitalbench.evaluate.score import ALL
from vitalbench.evaluate.subset import FEW_PATIENTS
from vitalbench.evaluate.time_ratio import Spent, spent_by_design, time_ratio
from vitalbench.results import Results

_ALPHA = 0.05
Array = NDArray[np.float64]


def two_sided_p(differences: Array) -> float:
    """How rarely the bootstrap puts the difference on the other side of zero, two-sided; never below 2 / (resamples + 1)."""
    count = len(differences) + 1
    below, above = (differences <= 0).sum() + 1, (differences >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / count))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction (Scand J Stat 6, 65, 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return [float(value) for value in corrected]


def verdict(
    difference: float, low: float | None, high: float | None, p: float | None, margin: float | None, metric: str
) -> str:
    """Of a against b: `equivalent` if the interval lies within the margin, else better or worse if the corrected p says so."""
    if low is None or high is None or p is None:
        return "no-verdict"
    if margin is not None and -margin < low and high < margin:
        return "equivalent"
    if p >= _ALPHA or low <= 0 <= high:
        return "no-verdict"
    return "better" if (difference > 0) != (metric in LOWER_IS_BETTER) else "worse"


def too_few_resamples(p: float, resamples: int, tests: int) -> str:
    """What would decide on a difference that no resample takes back, where so few resamples tell none of so many tests apart.

    >>> too_few_resamples(2 / 1001, 1000, 28)
    '1,120 resamples, `bootstrap` of the suite: of 1,000 no difference among 28 can pass'
    >>> too_few_resamples(2 / 1001, 1000, 24), too_few_resamples(0.004, 1000, 28)
    ('', '')
    """
    least = 2 / (resamples + 1)
    if p > least or tests * least < _ALPHA:
        return ""
    enough = math.ceil(2 * tests / _ALPHA)
    return f"{enough:,} resamples, `bootstrap` of the suite: of {resamples:,} no difference among {tests} can pass"


def _pooled(results: Results, designs: dict[str, list[CellResult]]) -> dict[str, Folds]:
    """The folds of each design taken together; empty where one has a single fold, or folds that cannot be."""
    found = {}
    for name, runs in designs.items():
        try:
            folds = over_folds(results, runs)
        except InputError:  # the table `pooled` says why
            return {}
        if folds is None or folds.without:
            return {}
        found[name] = folds
    return found


def _by_seed(runs: list[CellResult], folds: Folds | None) -> dict[Key, Array]:
    """(seeds, resamples) replicates, seeds in order, for the keys every run kept; of folds that cannot be pooled the mean."""
    if folds is not None:
        each = [scores for _, scores in sorted(folds.by_seed.items())]
        sure = [{_key(row) for row in scores.rows if row["ci_low"] is not None} for scores in each]
        return {key: np.array([scores.replicates[key] for scores in each]) for key in set.intersection(*sure)}
    kept: dict[int, list[dict[Key, NDArray[np.float32]]]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.cell.seed):
        kept[run.cell.seed].append(read_replicates(run.folder))
    everyone = [one for of_seed in kept.values() for one in of_seed]
    keys = [key for key in everyone[0] if all(key in one for one in everyone)]
    return {
        key: np.array([np.mean([one[key] for one in of_seed], axis=0, dtype=float) for of_seed in kept.values()])
        for key in keys
    }


@dataclass(frozen=True)
class _Value:
    """A metric averaged over a design's runs, and on whom it rests."""

    mean: float
    patients: int
    labels: int
    supported: int | None


def _key(row: dict[str, Any]) -> Key:
    return row["split"], row["subgroup"], row["metric"], row["label"]


def _values(runs: list[CellResult], folds: Folds | None) -> dict[Key, _Value]:
    """By key; only what every run has, or every seed of folds that are pooled."""
    found: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    patients: dict[Key, dict[int, int]] = defaultdict(dict)  # a fold has its own, which its seeds share
    told = (
        [(run.cell.fold, run.read("metrics.json")["rows"]) for run in runs]
        if folds is None
        else [(0, scores.rows) for scores in folds.by_seed.values()]
    )
    for fold, rows in told:
        for row in rows:
            if row["value"] is not None:
                found[_key(row)].append(row)
                patients[_key(row)][fold] = row["n_patients"]
    return {
        key: _Value(
            float(np.mean([row["value"] for row in rows])),
            sum(patients[key].values()),
            rows[0]["n_labels"],
            rows[0].get("n_supported"),
        )
        for key, rows in found.items()
        if len(rows) == len(told)
    }


def _too_thin(value: _Value) -> str:
    """Why a macro difference gets no verdict: its interval cannot show what classes of a few patients vary."""
    if value.supported is None or 2 * value.supported >= value.labels:
        return ""
    few = FEW_PATIENTS
    return f"only {value.supported} of {value.labels} classes have {few} positive and {few} negative patients or more"


def _unlike(a: dict[Key, _Value], b: dict[Key, _Value], key: Key) -> str:
    """Why a macro difference gets no verdict: the metric is undefined for a class of one design, so the means differ in kind."""
    if key[3] != MACRO:
        return ""
    entered = [{other[3] for other in values if other[:3] == key[:3]} for values in (a, b)]
    alone = sorted(entered[0] ^ entered[1])
    return f"the means are over different classes: {', '.join(alone)} has a value for one design alone" if alone else ""


def paired_difference(a: Array, b: Array, rng: np.random.Generator, same_seeds: bool = False) -> Array:
    """Replicates of a - b, (resamples,): the same patients in both, seeds drawn anew for each resample.

    Args:
        a, b: (seeds, resamples).
        same_seeds: row by row both were trained with the same seed, so that what it made of both alike (the order of batches,
            a head's first weights) is no difference: then the seeds drawn are the same too.
    """
    resamples = a.shape[1]

    def drawn(series: Array) -> Array:
        seeds = rng.integers(0, len(series), (len(series), resamples))
        mean: Array = np.take_along_axis(series, seeds, axis=0).mean(axis=0)
        return mean

    return drawn(a - b) if same_seeds else drawn(a) - drawn(b)


def both_defined(a: Array, b: Array) -> tuple[Array, Array]:
    """Of two designs' replicates, (seeds, resamples), the resamples in which every run has a value.

    A share of those that a design calls positive has none where it calls nobody so, and F-max none where nobody is.
    """
    known = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    return a[:, known], b[:, known]


def _wanted(key: Key, primary: str) -> bool:
    """The test split: macro metrics of all patients, and for the primary metric classes and subgroups too."""
    split, subgroup, metric, label = key
    return split == "test" and ((subgroup == ALL and label == MACRO) or metric == primary)


def _times(a: Spent | None, b: Spent | None) -> dict[str, Any]:
    """The columns of a pair that are about training time."""
    if a is None or b is None:
        without = [name for name, one in (("design_a", a), ("design_b", b)) if one is None]
        return {"time_reason": f"no training time of {' and '.join(without)} in cost.csv"}
    found = time_ratio(a, b)
    if found is None:
        return {}
    told = {"time_ratio": found.ratio, "cost_ratio": found.cost_ratio, "time_floor": found.floor}
    return {**told, "time_verdict": found.verdict, "time_reason": found.why}


def comparison_rows(results: Results) -> Iterator[dict[str, Any]]:
    """A row a pair of designs, metric, label and subgroup."""
    spent = spent_by_design(results)
    by_place: dict[tuple[str, str, str], dict[str, list[CellResult]]] = defaultdict(dict)
    for (dataset, task, design, target), runs in results.scored_groups.items():
        by_place[dataset, task, target][design] = runs
    for (dataset, task, target), designs in by_place.items():
        described = results.suite["tasks"][task]
        pooled = _pooled(results, designs)
        values = {design: _values(runs, pooled.get(design)) for design, runs in designs.items()}
        series = {design: _by_seed(runs, pooled.get(design)) for design, runs in designs.items()}
        seeds = {design: sorted({run.cell.seed for run in runs}) for design, runs in designs.items()}
        families: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        told: dict[int, Errors] = {}
        for number_of_pair, (a, b) in enumerate(combinations(designs, 2)):
            for key in values[a]:
                if key not in values[b] or not _wanted(key, described["primary"]):
                    continue
                split, subgroup, metric, label = key
                row: dict[str, Any] = {
                    "dataset": dataset, "task": task, "target": target, "split": split, "subgroup": subgroup,
                    "design_a": a, "design_b": b, "metric": metric, "label": label,
                    "difference": values[a][key].mean - values[b][key].mean,
                    "margin": described["margin"] if metric == described["primary"] else None,
                    "n_patients": values[a][key].patients,
                    "reason": _too_thin(values[a][key])
                    or _too_thin(values[b][key])
                    or _unlike(values[a], values[b], key),
                    "n_seeds": min(len(seeds[a]), len(seeds[b])),
                }  # fmt: skip
                if key in series[a] and key in series[b]:
                    rng = np.random.default_rng([results.suite["bootstrap_seed"], number_of_pair])
                    both = both_defined(series[a][key], series[b][key])
                    if both[0].size:
                        drawn = paired_difference(*both, rng, same_seeds=seeds[a] == seeds[b])
                        row["ci_low"], row["ci_high"] = interval(drawn)
                        row["p_value"] = two_sided_p(drawn)
                        told[id(row)] = errors(*both, same_seeds=seeds[a] == seeds[b])
                    else:
                        row["reason"] = row["reason"] or "no resample in which both designs have a value"
                row |= _times(*(spent.get((dataset, task, name, target)) for name in (a, b)))
                families[key].append(row)
        for key, family in families.items():
            tested = [row for row in family if "p_value" in row]
            for row, p in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
                row["p_corrected"] = p
            for row in family:
                row["verdict"] = (
                    "no-verdict"
                    if row["reason"]
                    else verdict(
                        row["difference"],
                        row.get("ci_low"),
                        row.get("ci_high"),
                        row.get("p_corrected"),
                        row["margin"],
                        key[2],
                    )
                )
                if row["verdict"] == "no-verdict" and id(row) in told:
                    asked = row["difference"], row["margin"], row["n_patients"], row["n_seeds"]
                    few = too_few_resamples(row["p_value"], results.suite["bootstrap"], len(tested))
                    row["would_decide"] = few or would_decide(told[id(row)], *asked)
                if id(row) in told:
                    row["detectable"] = told[id(row)].detectable
                yield row
