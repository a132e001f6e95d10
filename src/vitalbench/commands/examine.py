"""Examine predictions as a clinic would: operating points, calibration, conformal sets, subgroup gaps, failures.

FILE (.parquet or .csv) is what `vitalbench evaluate` scores. Several are taken together: their mean is examined, and they are held
against it. Thresholds and maps are chosen on its `val` rows, all that is told is of its `test` rows.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitalbench.errors import ConfigError, InputError, choices
from vitalbench.evaluate.calibration import calibration_rows
from vitalbench.evaluate.conformal import conformal_rows
from vitalbench.evaluate.disparity import disparity_rows
from vitalbench.evaluate.ensemble import aligned, ensemble_rows, together
from vitalbench.evaluate.failures import FEW, failure_rows
from vitalbench.evaluate.operating import CHOSEN_ON, SPLIT, operating_points
from vitalbench.evaluate.predictions import Predictions, read_predictions
from vitalbench.progress import say
from vitalbench.report.curves import precision_recall, roc
from vitalbench.tables import write_table

_KINDS = ("multilabel", "binary")
_LEVEL = 0.9


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="predictions; several are taken together")
    parser.add_argument("--task", required=True, metavar="KIND", help=f"the task's kind: {', '.join(_KINDS)}")
    parser.add_argument(
        "--level", type=float, default=_LEVEL, help=f"coverage that sets are to have (default {_LEVEL})"
    )
    parser.add_argument("--failures", type=int, default=FEW, metavar="N", help=f"of a class and kind (default {FEW})")
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples of the patients (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="the folder that the tables go to")


def _curve_rows(predictions: Predictions) -> Iterator[dict[str, Any]]:
    test = predictions.take(predictions.split == SPLIT)
    for k, name in enumerate(test.classes):
        for curve, points in (
            ("roc", roc(test.y[:, k], test.p[:, k])),
            ("pr", precision_recall(test.y[:, k], test.p[:, k])),
        ):
            for x, y in points.itertuples(index=False) if points is not None else ():
                yield {"label": name, "curve": curve, "x": x, "y": y}


def run(args: argparse.Namespace) -> None:
    """Examine."""
    if args.task not in _KINDS:
        raise ConfigError(f"--task is {args.task!r}; {choices(args.task, _KINDS)}")
    if not 0 < args.level < 1:
        raise ConfigError(f"--level is {args.level:g}; it must lie between 0 and 1")
    if args.bootstrap < 1 or args.seed < 0 or args.failures < 1:
        raise ConfigError("--bootstrap and --failures must be 1 or more, --seed 0 or more")
    members = aligned({path: read_predictions(path, args.task) for path in args.files})
    found = members[0] if len(members) == 1 else together(members)
    for split in (CHOSEN_ON, SPLIT):
        if not (found.split == split).any():
            raise InputError(
                f"{args.files[0]}: no row is in the split '{split}': there is nothing to choose or tell on"
            )
    drawn = args.bootstrap, args.seed
    tables = {
        "operating": operating_points(found, *drawn),
        "calibration": calibration_rows(found, *drawn),
        "conformal": conformal_rows(found, args.level, *drawn),
        "disparity": disparity_rows(found, args.task, *drawn),
        "curves": _curve_rows(found),
        "failures": failure_rows(found, args.failures),
    }
    if len(members) > 1:
        tables["ensemble"] = ensemble_rows(members, *drawn)
    for name, rows in tables.items():
        write_table(name, rows, args.out / f"{name}.csv")
    say(f"{args.out}: {', '.join(f'{name}.csv' for name in tables)}")
