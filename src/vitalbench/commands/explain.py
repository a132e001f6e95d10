"""Draw where a run's decisions come from (Grad-CAM), and measure how often the findings are known to be there.

Of the test records that the data set tells the place of a finding of: pointing.csv, and overlays.png of some of them, those that
the run was surest of and least sure of.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from vitalbench.commands.passes import rows_of
from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.store import Store, read_records
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.pointing import Box, pointed, pointing_rows
from vitalbench.files import atomic
from vitalbench.progress import say
from vitalbench.report.overlay_figure import Overlay, overlay_figure
from vitalbench.results import find_run
from vitalbench.tables import write_table
from vitalbench.train.applied import AppliedRun

_CPU = {"device": "cpu", "threads": 1, "scheduler": {"mem_mb": 4000, "runtime_min": 60}}
_BATCH, _SHOWN = 16, 12


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its run_id (the first digits will do)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where run_ids are looked up (default results)"
    )
    parser.add_argument("--overlays", type=int, default=_SHOWN, metavar="N", help=f"images drawn (default {_SHOWN})")
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples of the patients (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="the folder that pointing.csv and overlays.png go to")


def _boxed(run: AppliedRun, predictions: pd.DataFrame, store: Path) -> pd.DataFrame:
    """The test records with a box of one of the task's classes: their predictions, and `boxes`, a list a record."""
    column = f"boxes:{run.task.labels}"
    records = read_records(store)
    if column not in records.columns:
        raise InputError(f"{store}: its records do not tell where findings are: there is no column '{column}'")
    told = records.set_index("record_id")[column].map(lambda texts: [Box.of(text) for text in texts])
    known = set(run.task.classes)
    boxes = told.map(lambda every: [box for box in every if box.label in known])[predictions["record_id"]].tolist()
    boxed = predictions.assign(boxes=boxes)
    found = boxed[(boxed["split"] == "test") & (boxed["boxes"].map(len) > 0)].reset_index(drop=True)
    if found.empty:
        raise InputError(f"{store}: no test record tells where one of the run's classes is")
    return found


def run(args: argparse.Namespace) -> None:
    """Explain."""
    if args.bootstrap < 1 or args.seed < 0 or args.overlays < 0:
        raise ConfigError("--bootstrap must be 1 or more, --seed and --overlays 0 or more")
    applied = AppliedRun(find_run(args.run, args.results))
    predictions = pd.read_parquet(applied.folder / "predictions.parquet")
    store, _ = rows_of(applied, predictions)
    boxed = _boxed(applied, predictions, store)
    if applied.design.window is not None:
        raise InputError(f"{applied.folder}: its design scores windows, of which a map is drawn for none alone")
    _, model = applied.model(validated(Target, _CPU, "explain"))
    from vitalbench.train.attribution import gradcam

    source = Store(store)
    batches, rows = applied.batches(source, _BATCH), rows_of(applied, boxed)[1]
    told: list[dict[str, object]] = []
    overlays: list[Overlay] = []
    for x, some in batches.windows(rows):
        of = boxed.iloc[some]
        classes = sorted({applied.task.classes.index(box.label) for boxes in of["boxes"] for box in boxes})
        maps = gradcam(model, x, classes)
        images = source.read(rows[some])
        for at, record in enumerate(of.to_dict("records")):
            for label in dict.fromkeys(box.label for box in record["boxes"]):
                mine = [box for box in record["boxes"] if box.label == label]
                found = maps[at, classes.index(applied.task.classes.index(label))]
                said = pointed(found, mine)
                told.append({name: record[name] for name in ("record_id", "patient_id")} | {"label": label} | said)
                probability = float(record[f"y_prob:{label}"])
                overlays.append(
                    Overlay(images[at], found, mine, label, str(record["record_id"]), probability, said["hit"] > 0)
                )
    write_table("pointing", pointing_rows(pd.DataFrame(told), args.bootstrap, args.seed), args.out / "pointing.csv")
    if args.overlays:
        order = np.argsort([-overlay.probability for overlay in overlays], kind="stable")
        half = min(-(-args.overlays // 2), len(order))
        chosen = dict.fromkeys([*order[:half].tolist(), *order[len(order) - (args.overlays - half) :].tolist()])
        with atomic(args.out / "overlays.png") as temporary:
            temporary.write_bytes(overlay_figure([overlays[at] for at in chosen], applied.run_id))
    say(f"{args.out}: {len(told)} findings of known place in {len(boxed)} test records, run {applied.run_id}")
