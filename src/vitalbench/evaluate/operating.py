"""Operating points: thresholds chosen on the validation records by a rule, and what they give on the test records."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.metrics import best_f1_threshold
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.value import told_columns

Array = NDArray[np.float64]
SPLIT, CHOSEN_ON = "test", "val"
_AT_LEAST = 0.9


def _rates(y: Array, p: Array, w: Array) -> tuple[Array, Array, Array]:
    """Thresholds from the highest, and sensitivity and specificity of deciding for what reaches each."""
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits, alarms = np.cumsum((w * y)[order])[ends], np.cumsum((w * (1 - y))[order])[ends]
    return p[order][ends], hits / (w * y).sum(), 1 - alarms / (w * (1 - y)).sum()


def youden(y: Array, p: Array, w: Array) -> float:
    """The threshold of the largest sum of sensitivity and specificity (Youden 1950); the highest where several tie.

    >>> youden(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), np.ones(4))
    0.8
    """
    threshold, sensitivity, specificity = _rates(y, p, w)
    return float(threshold[(sensitivity + specificity).argmax()])


def sensitive(y: Array, p: Array, w: Array) -> float:
    """The highest threshold of a sensitivity of nine tenths or more."""
    threshold, sensitivity, _ = _rates(y, p, w)
    return float(threshold[int((sensitivity >= _AT_LEAST - 1e-12).argmax())])


def specific(y: Array, p: Array, w: Array) -> float:
    """The lowest threshold of a specificity of nine tenths or more; above every probability where none has."""
    threshold, _, specificity = _rates(y, p, w)
    good = np.flatnonzero(specificity >= _AT_LEAST - 1e-12)
    return float(threshold[good[-1]]) if len(good) else float(np.nextafter(1.0, 2.0))


RULES: dict[str, Callable[[Array, Array, Array], float]] = {
    "f1": best_f1_threshold,
    "youden": youden,
    "sensitivity-90": sensitive,
    "specificity-90": specific,
}


SHOWN_RULE = "youden"  # what a page counts decisions by, and calls failures


def both(y: Array) -> NDArray[np.bool_]:
    """Which records are labelled, if both truths are among them; else none."""
    known = ~np.isnan(y)
    return known if (y[known] > 0).any() and (y[known] == 0).any() else np.zeros(len(y), dtype=bool)


def threshold(val: Predictions, k: int, rule: str) -> tuple[float, str]:
    """At which probability a rule decides for a class, and on what it was chosen.

    Returns:
        The threshold and `val`, or 0.5 and `fixed` where the validation records lack a truth.
    """
    rows = both(val.y[:, k])
    if not rows.any():
        return 0.5, "fixed"
    return RULES[rule](val.y[rows, k], val.p[rows, k], val.weights[rows]), CHOSEN_ON


def operating_points(predictions: Predictions, resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a class and rule: the threshold, the confusion matrix of the test records, and its rates with intervals.

    A class without both truths among the validation records is decided at 0.5, and says so.
    """
    val, test = (predictions.take(predictions.split == split) for split in (CHOSEN_ON, SPLIT))
    over = Resampled(test, resamples, seed, SPLIT)
    for k, name in enumerate(predictions.classes):
        y, p, known = test.y[:, k], test.p[:, k], ~np.isnan(test.y[:, k])
        if not known.any():
            continue
        truth, on = np.where(known, y, 0.0), over.support(y)
        for rule in RULES:
            at, chosen_on = threshold(val, k, rule)
            decided = (p >= at) & known
            columns = np.column_stack(
                [truth * decided, (1 - truth) * decided, truth * ~decided, (known - truth) * ~decided]
            )
            tp, fp, fn, tn = over.sums(columns).T
            yield {
                "label": name,
                "rule": rule,
                "threshold": at,
                "chosen_on": chosen_on,
                **dict(zip(("tp", "fp", "fn", "tn"), (float(sums[0]) for sums in (tp, fp, fn, tn)), strict=True)),
                **told_columns(
                    {
                        "sensitivity": over.rate(tp, tp + fn, y > 0, "positive {}"),
                        "specificity": over.rate(tn, tn + fp, y == 0, "negative {}"),
                        "ppv": over.rate(tp, tp + fp, decided, "{} decided for"),
                        "npv": over.rate(tn, tn + fn, known & ~decided, "{} decided against"),
                    }
                ),
                "n_patients": on.patients,
                "positive_patients": on.positive_patients,
            }
