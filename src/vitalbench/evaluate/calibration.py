"""Calibration: maps of probabilities fitted on the validation records, and what is left of the error on the test records.

`temperature` divides all logits by one number (Guo et al. 2017, arXiv 1706.04599); `platt` has a slope and a shift for each class
(Platt 1999), which also undoes the shift that weighted positives leave. Both are fitted by the mean log loss.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, logit

from vitalbench.evaluate.metrics import ECE_BINS
from vitalbench.evaluate.operating import CHOSEN_ON, SPLIT, both
from vitalbench.evaluate.predictions import Predictions
from vitalbench.evaluate.resampled import Resampled
from vitalbench.evaluate.value import told_columns

Array = NDArray[np.float64]
_EDGE = 1e-7  # probabilities nearer to 0 or 1 have the logit of this one
_WIDEST = 4.0  # slopes from e^-4 to e^4: beyond, validation is split by a line, or ranked no better than chance
FITTED, LOWEST, STEEPEST, UNFITTED = "fitted", "lowest-slope", "highest-slope", "unfitted"


@dataclass(frozen=True)
class Line:
    """What a class's logits are mapped by.

    Attributes:
        fit: how it was found: `fitted`; `lowest-slope`, where validation ranks the class no better than chance, so that the map
            says its share and hardly anything of the record; `highest-slope`, where a line splits it; `unfitted`, as it stands,
            where validation lacks a truth; empty where no map is asked for.
    """

    slope: float
    shift: float
    fit: str

    @classmethod
    def found(cls, slope: float, shift: float = 0.0) -> "Line":
        """As a fit left it.

        >>> Line.found(np.exp(-4)).fit, Line.found(0.5).fit
        ('lowest-slope', 'fitted')
        """
        at = float(np.log(slope))
        near = abs(at) > _WIDEST - 1e-3  # a bounded search stops short of its bounds
        return cls(slope, shift, (STEEPEST if at > 0 else LOWEST) if near else FITTED)


def logits(p: Array) -> Array:
    """Of probabilities, all finite."""
    found: Array = logit(np.clip(p, _EDGE, 1 - _EDGE))
    return found


def log_loss(y: Array, z: Array) -> Array:
    """Of each logit, in nats."""
    found: Array = -(y * log_expit(z) + (1 - y) * log_expit(-z))
    return found


def fit_temperature(y: Array, z: Array, w: Array) -> float:
    """The number that logits are divided by, of the least weighted log loss; within e^-4 to e^4.

    Args:
        y, z, w: (labels,) truth, logit and weight, of all classes together.
    """
    best = minimize_scalar(
        lambda slope: float(np.average(log_loss(y, z * np.exp(slope)), weights=w)),
        bounds=(-_WIDEST, _WIDEST),
        method="bounded",
    )
    return float(np.exp(-best.x))


def fit_platt(y: Array, z: Array, w: Array) -> tuple[float, float]:
    """Slope and shift of a class's logits, of the least weighted log loss; the slope within e^-4 to e^4."""

    def loss(at: Array) -> float:
        return float(np.average(log_loss(y, z * np.exp(at[0]) + at[1]), weights=w))

    best = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-_WIDEST, _WIDEST), (-50, 50)])
    return float(np.exp(best.x[0])), float(best.x[1])


def calibrated(predictions: Predictions) -> dict[str, tuple[Array, list[Line]]]:
    """By method, probabilities (records, classes) of all records, and what each class's logits are mapped by.

    A class whose validation records lack a truth keeps its probabilities under `platt`.
    """
    val = predictions.take(predictions.split == CHOSEN_ON)
    z, classes = logits(predictions.p), range(len(predictions.classes))
    same, unfitted = ([Line(1.0, 0.0, fit) for _ in classes] for fit in ("", UNFITTED))
    maps = {"raw": same, "temperature": unfitted, "platt": unfitted}
    usable = [both(val.y[:, k]) for k in classes]
    if any(rows.any() for rows in usable):
        truth, pooled = (
            np.concatenate([part[rows, k] for k, rows in enumerate(usable)]) for part in (val.y, logits(val.p))
        )
        weight = np.concatenate([val.weights[rows] for rows in usable])
        maps["temperature"] = [Line.found(1 / fit_temperature(truth, pooled, weight))] * len(same)
        maps["platt"] = [
            Line.found(*fit_platt(val.y[rows, k], logits(val.p[rows, k]), val.weights[rows]))
            if rows.any()
            else unfitted[k]
            for k, rows in enumerate(usable)
        ]
    found = {}
    for method, lines in maps.items():
        slope, shift = np.array([(line.slope, line.shift) for line in lines]).T
        found[method] = (predictions.p if method == "raw" else expit(z * slope + shift), lines)
    return found


def calibration_rows(predictions: Predictions, resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    """A row a method and class of the test records: slope and shift, ECE (15 equal-width bins), Brier score, log loss."""
    tested = predictions.split == SPLIT
    test = predictions.take(tested)
    over = Resampled(test, resamples, seed, SPLIT)
    for method, (p, lines) in calibrated(predictions).items():
        for k, name in enumerate(predictions.classes):
            known = ~np.isnan(test.y[:, k])
            if not known.any():
                continue
            y, mine = np.where(known, test.y[:, k], 0.0), p[tested, k]
            gaps = np.zeros((len(y), ECE_BINS))
            bin_of = np.minimum((mine * ECE_BINS).astype(np.intp), ECE_BINS - 1)
            gaps[np.arange(len(y)), bin_of] = (mine - y) * known
            columns = np.column_stack([known, np.square(mine - y) * known, log_loss(y, logits(mine)) * known, gaps])
            sums, on = over.sums(columns), over.support(test.y[:, k])
            yield {
                "label": name,
                "method": method,
                "slope": lines[k].slope,
                "shift": lines[k].shift,
                "fit": lines[k].fit,
                **told_columns(
                    {
                        "ece": over.ratio(np.abs(sums[:, 3:]).sum(axis=1), sums[:, 0], on.thin),
                        "brier": over.ratio(sums[:, 1], sums[:, 0], on.thin),
                        "log_loss": over.ratio(sums[:, 2], sums[:, 0], on.thin),
                    }
                ),
                "n_patients": on.patients,
            }
