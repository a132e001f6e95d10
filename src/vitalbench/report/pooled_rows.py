"""What a design scores on all the patients that its folds tested, each by the fold's model that never saw them: pooled.csv."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from vitalbench.config.schema import MACRO
from vitalbench.errors import InputError
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.folds import over_folds
from vitalbench.evaluate.run import Key
from vitalbench.evaluate.score import ALL, Scores
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Row = dict[str, Any]
_SHOWN = ("sensitivity", "specificity")  # on the page, beside the primary metric


def pooled_rows(results: Results) -> Iterator[Row]:
    """A row a metric, class and subgroup of every design that ran in several folds; one with a reason where they do not pool."""
    for (dataset, task, design, target), runs in results.scored_groups.items():
        asked = results.task(task)
        place: Row = {"dataset": dataset, "task": task, "design": design, "target": target}
        place |= {"of_folds": asked.split.rounds}
        try:
            found = over_folds(results, runs)
        except InputError as error:
            yield place | {"metric": asked.primary, "label": MACRO, "subgroup": ALL, "reason": f"not pooled: {error}"}
            continue
        if found is None:
            continue
        less = f"without seed {', '.join(map(str, found.without))}, which lacks a fold" if found.without else ""
        for row in _over_seeds(list(found.by_seed.values())):
            reason = "; ".join(filter(None, (row["reason"], less)))
            yield place | row | {"n_folds": found.folds, "reason": reason}


def _over_seeds(scores: list[Scores]) -> Iterator[Row]:
    """Means over seeds: each was tested on the same patients, so that their resamples are the same."""
    rows: dict[Key, list[Row]] = defaultdict(list)
    for one in scores:
        for row in one.rows:
            rows[row["split"], row["subgroup"], row["metric"], row["label"]].append(row)
    for key, found in rows.items():
        values = [row["value"] for row in found if row["value"] is not None]
        low = high = None
        if len(values) == len(scores) and all(row["ci_low"] is not None for row in found):
            low, high = interval(np.mean([one.replicates[key] for one in scores], axis=0))
        yield {
            **{name: found[0][name] for name in ("subgroup", "metric", "label", "n_records", "n_patients", "n_labels")},
            "value": float(np.mean(values)) if values else None,
            "sd_seeds": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "n_seeds": len(values),
            "ci_low": low,
            "ci_high": high,
            "reason": next((row["reason"] for row in found if row["reason"]), ""),
        }


def shown_rows(results: Results) -> list[list[str]]:
    """The macro rows of all patients for the page: a task's primary metric, and how many were found and spared."""
    rows = []
    for row in read_table("pooled", results.table("pooled")):
        primary = results.task(row["task"]).primary
        if (row["label"], row["subgroup"]) != (MACRO, ALL) or row["metric"] not in (primary, *_SHOWN):
            continue
        value, low, high = (number(row[name]) for name in ("value", "ci_low", "ci_high"))
        span = row["reason"] if low is None or high is None else f"{low:.3f} to {high:.3f}"
        named = [row["dataset"], row["task"], row["design"], row["metric"]]
        told = "" if value is None else f"{value:.3f}"
        rows.append([*named, told, span, row["n_patients"], f"{row['n_folds']} of {row['of_folds']}", row["n_seeds"]])
    return rows
