"""Disparities: a subgroup beside everybody else, on the same resamples of the patients, corrected for how many are looked at."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO
from vitalbench.evaluate.compare import holm, two_sided_p
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.subset import FEW_PATIENTS
from vitalbench.evaluate.thresholds import choose_thresholds
from vitalbench.evaluate.value import told_columns

Array = NDArray[np.float64]
_SPLIT = "test"
_NOT_KNOWN = (None, "unknown")  # no group is told, or a release states none: neither a subgroup nor among the rest
METRICS = ("auroc", "sensitivity", "specificity")


def _supported(over: Resampled, y: Array, rows: NDArray[np.bool_]) -> bool:
    """Whether a class has patients enough on both sides among some records."""
    return all(over.holders(rows & (y == truth)) >= FEW_PATIENTS for truth in (0, 1))


def _of(over: Resampled, y: Array, p: Array, decided: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, Array]:
    """(1 + resamples,) of each metric among some records; NaN where a resample has lost a truth."""
    truths = [rows & (y == truth) for truth in (1, 0)]
    sums = over.sums(np.column_stack([*truths, truths[0] & decided, truths[1] & ~decided]).astype(float))
    rates = [
        np.divide(sums[:, part], sums[:, whole], out=np.full(len(sums), np.nan), where=sums[:, whole] > 0)
        for whole, part in enumerate((2, 3))
    ]
    return dict(zip(METRICS, [over.auroc(y, p, rows), *rates], strict=True))


def disparity_rows(predictions: Predictions, resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a subgroup, metric and class, then their mean: the subgroup, the rest, and their difference with its interval.

    Thresholds are those of the best F1 on the validation records. A class is compared where it has five positive and five negative
    patients on either side; a subgroup without such a class, and a grouping of which fewer than two values are known, has one row
    that says so. p is how rarely resamples put the difference
    on the other side of 0, corrected by Holm over the subgroups, all groupings together, of a metric and class.
    """
    chosen = choose_thresholds(
        predictions, "multilabel"
    ).value  # a class against the rest, where they exclude each other too
    test = predictions.take(predictions.split == _SPLIT)
    over = Resampled(test, resamples, seed, _SPLIT)
    rows: list[dict[str, Any]] = []
    for grouping in test.groups.columns:
        column = test.groups[grouping].to_numpy(dtype=object)
        values = sorted({value for value in column if value not in _NOT_KNOWN})
        if len(values) < 2:
            rows.append(_alone(over, grouping, column, values))
        if len(values) < 3:  # of two, the one beside the other says it all
            values = values[: len(values) - 1]
        for value in values:
            mine, others = (
                np.asarray(column == value),
                np.asarray([other not in (*_NOT_KNOWN, value) for other in column]),
            )
            rows += _compared(over, chosen, f"{grouping}={value}", mine, others)
    for metric, label in {(row["metric"], row["label"]): None for row in rows}:
        family = [
            row for row in rows if (row["metric"], row["label"]) == (metric, label) and row["p_value"] is not None
        ]
        for row, p in zip(family, holm([row["p_value"] for row in family]), strict=True):
            row["p_corrected"] = p
    yield from rows


def _not_compared(on: dict[str, Any], why: str) -> dict[str, Any]:
    """The one row of a subgroup that is not compared."""
    nothing = dict.fromkeys(
        ("value", "rest", "difference", "difference_low", "difference_high", "p_value", "p_corrected")
    )
    return {**on, "metric": METRICS[0], "label": MACRO, **nothing, "n_labels": 0, "reason": why}


def _alone(over: Resampled, grouping: str, column: NDArray[np.object_], values: list[str]) -> dict[str, Any]:
    """The row of a grouping with nobody to compare: a value that all have who tell one, or none that is told."""
    of = values[0] if values else _NOT_KNOWN[-1]
    mine = np.asarray([value == of or (not values and value in _NOT_KNOWN) for value in column])
    why = "nobody else's is another and known" if values else "no test record tells it"
    return _not_compared({"subgroup": f"{grouping}={of}", "n_patients": over.holders(mine), "n_rest": 0}, why)


def _compared(
    over: Resampled, chosen: Array, subgroup: str, mine: NDArray[np.bool_], others: NDArray[np.bool_]
) -> Iterator[dict[str, Any]]:
    test = over.data
    kept: dict[str, list[tuple[Array, Array]]] = {metric: [] for metric in METRICS}
    on = {"subgroup": subgroup, "n_patients": over.holders(mine), "n_rest": over.holders(others)}
    for k, name in enumerate(test.classes):
        y, p = test.y[:, k], test.p[:, k]
        if not (_supported(over, y, mine) and _supported(over, y, others)):
            continue
        decided = np.asarray(p >= chosen[k])
        here, there = (_of(over, y, p, decided, side) for side in (mine, others))
        for metric in METRICS:
            kept[metric].append((here[metric], there[metric]))
            yield {**on, "metric": metric, "label": name, **_row(over, here[metric], there[metric])}
    if not any(kept.values()):
        few = f"no class has {FEW_PATIENTS} positive and {FEW_PATIENTS} negative patients on both sides"
        yield _not_compared(on, few)
    for metric, pairs in kept.items():
        if pairs:
            here_mean, there_mean = (np.mean([pair[side] for pair in pairs], axis=0) for side in (0, 1))
            yield {**on, "metric": metric, "label": MACRO, "n_labels": len(pairs), **_row(over, here_mean, there_mean)}


def _row(over: Resampled, here: Array, there: Array) -> dict[str, Any]:
    difference = here - there
    known = difference[1:][~np.isnan(difference[1:])]
    p = two_sided_p(known) if len(known) else None
    return {
        "value": float(here[0]),
        "rest": float(there[0]),
        **told_columns({"difference": over.told(difference)}),
        "p_value": p,
        "p_corrected": None,
    }
