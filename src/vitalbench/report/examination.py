"""What an examination tells of predictions: the tables of `vitalbench examine`, by their names."""

from collections.abc import Iterable, Iterator
from typing import Any

from vitalbench.config.schema import MACRO
from vitalbench.evaluate.calibration import calibrated, calibration_rows
from vitalbench.evaluate.conformal import conformal_rows
from vitalbench.evaluate.disparity import disparity_rows
from vitalbench.evaluate.ensemble import ensemble_rows, together
from vitalbench.evaluate.failures import failure_rows
from vitalbench.evaluate.operating import SPLIT, operating_points
from vitalbench.evaluate.predictions import Predictions
from vitalbench.report.curves import precision_recall, reliability, roc

LEVEL = 0.9  # coverage that conformal sets are to have
TABLES = ("operating", "calibration", "conformal", "disparity", "curves", "failures", "ensemble")


def _curve_rows(predictions: Predictions) -> Iterator[dict[str, Any]]:
    test = predictions.take(predictions.split == SPLIT)
    for k, name in enumerate(test.classes):
        for curve, points in (
            ("roc", roc(test.y[:, k], test.p[:, k])),
            ("pr", precision_recall(test.y[:, k], test.p[:, k])),
        ):
            for x, y in points.itertuples(index=False) if points is not None else ():
                yield {"label": name, "curve": curve, "x": x, "y": y}
    tested = predictions.split == SPLIT
    for method, (p, _) in calibrated(predictions).items():
        bins = reliability(test.y.ravel(), p[tested].ravel())
        for x, y in zip(bins["mean_probability"], bins["share_positive"], strict=True):
            yield {"label": MACRO, "curve": f"reliability-{method}", "x": x, "y": y}


def examined(
    members: list[Predictions], level: float, resamples: int, seed: int, each: int
) -> dict[str, Iterable[dict[str, Any]]]:
    """The rows of every table, each class against the rest, of the members' mean; `ensemble` has none of one member.

    Args:
        members: of the same records, in one order, with validation and test rows.
        level: coverage that conformal sets are to have.
        each: failures of a class and kind.
    """
    counted = members[0].weights > 0  # a record of weight 0 is none
    members = [member.take(counted) for member in members]
    found = members[0] if len(members) == 1 else together(members)
    drawn = resamples, seed
    return {
        "operating": operating_points(found, *drawn),
        "calibration": calibration_rows(found, *drawn),
        "conformal": conformal_rows(found, level, *drawn),
        "disparity": disparity_rows(found, *drawn),
        "curves": _curve_rows(found),
        "failures": failure_rows(found, each),
        "ensemble": ensemble_rows(members, *drawn) if len(members) > 1 else [],
    }
