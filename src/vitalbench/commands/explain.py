"""Draw where a run's decisions come from (Grad-CAM), and measure how often the findings are known to be there.

pointing.csv and overlays.png are of the test records that the data set tells the place of a finding of; drawn are those that the
run was surest of and least sure of. gallery.csv and gallery/ are of the worst misses and false alarms, of images and signals.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.commands.examine import place_of
from vitalbench.commands.passes import rows_of
from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.store import Store, read_records
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.pointing import Box, pointed, pointing_rows
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.files import atomic, read_json
from vitalbench.layout import STAGE_SLICE
from vitalbench.privacy.pictures import withheld
from vitalbench.progress import say
from vitalbench.report.gallery import SHOWN, picture, worst
from vitalbench.report.overlay_figure import Overlay, overlay_figure
from vitalbench.results import Results, find_run
from vitalbench.tables import write_table
from vitalbench.train.applied import AppliedRun

_CPU = {"device": "cpu", "threads": 1, "scheduler": {"mem_mb": 4000, "runtime_min": 60}}
_BATCH, _OVERLAYS = 16, 12


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's folder, or its run_id (the first digits will do)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where run_ids are looked up (default results)"
    )
    parser.add_argument(
        "--overlays", type=int, default=_OVERLAYS, metavar="N", help=f"images drawn (default {_OVERLAYS})"
    )
    parser.add_argument(
        "--gallery", type=int, default=SHOWN, metavar="N", help=f"failures drawn, of each kind (default {SHOWN})"
    )
    parser.add_argument(
        "--bootstrap", type=int, default=1000, metavar="N", help="resamples of the patients (default 1000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (default 0)")
    parser.add_argument("--out", type=Path, help="the folder that the tables and pictures go to")
    parser.add_argument(
        "--place", help="instead of RUN: <data set>/<task>/<design>/<target>/fold<F> of --results results/<suite>"
    )


@dataclass(frozen=True)
class _Explained:
    """A run, what it said, and the store it was trained from."""

    run: AppliedRun
    predictions: pd.DataFrame
    store: Path

    @classmethod
    def of(cls, folder: Path) -> "_Explained":
        run = AppliedRun(folder)
        predictions = pd.read_parquet(run.folder / "predictions.parquet")
        return cls(run, predictions, rows_of(run, predictions)[0])

    @cached_property
    def model(self) -> Any:
        return self.run.model(validated(Target, _CPU, "explain"))[1]

    def rows(self, some: pd.DataFrame) -> NDArray[np.intp]:
        return rows_of(self.run, some)[1]

    @cached_property
    def boxes(self) -> pd.Series | None:
        """Of each record of the store the places of the task's classes, a list; None where the data set tells none."""
        records, column = read_records(self.store), f"boxes:{self.run.task.labels}"
        if column not in records.columns:
            return None
        known = set(self.run.task.classes)
        told = records.set_index("record_id")[column].map(lambda texts: [Box.of(text) for text in texts])
        return told.map(lambda every: [box for box in every if box.label in known])

    def boxed(self) -> pd.DataFrame:
        """The test records with a place of one of the task's classes: their predictions, and `boxes`, a list a record."""
        if self.boxes is None or self.run.design.window is not None:
            return self.predictions.iloc[:0].assign(boxes=[])
        boxed = self.predictions.assign(boxes=self.boxes[self.predictions["record_id"]].tolist())
        return boxed[(boxed["split"] == "test") & (boxed["boxes"].map(len) > 0)].reset_index(drop=True)


def _labels(record: Mapping[Any, Any]) -> list[str]:
    """The classes whose place is told of a record, in its order."""
    return list(dict.fromkeys(box.label for box in record["boxes"]))


def _drawn(boxed: pd.DataFrame, overlays: int) -> set[int]:
    """Which of the records and classes whose place is told are drawn, by their number: the surest and the least sure."""
    told = [float(record[f"y_prob:{label}"]) for record in boxed.to_dict("records") for label in _labels(record)]
    order = np.argsort([-probability for probability in told], kind="stable").tolist()
    half = -(-overlays // 2)
    return {*order[:half], *order[max(len(order) - (overlays - half), 0) :]}


def _overlays(
    told: _Explained, boxed: pd.DataFrame, drawn: set[int]
) -> Iterator[tuple[dict[str, object], Overlay | None]]:
    """A map a record and class whose place is told: what it says of the boxes, and the picture of those that are drawn.

    A picture holds copies, so that no batch of images and maps outlives its turn.
    """
    from vitalbench.train.attribution import gradcam

    if boxed.empty:
        return
    source, classes_of = Store(told.store), told.run.task.classes
    rows, number = told.rows(boxed), count()
    for x, some in told.run.batches(source, _BATCH).windows(rows):
        of = boxed.iloc[some]
        classes = sorted({classes_of.index(box.label) for boxes in of["boxes"] for box in boxes})
        maps = gradcam(told.model, x, classes)
        images = source.read(rows[some])
        for at, record in enumerate(of.to_dict("records")):
            for label in _labels(record):
                mine = [box for box in record["boxes"] if box.label == label]
                found = maps[at, classes.index(classes_of.index(label))]
                said = pointed(found, mine)
                named = {name: record[name] for name in ("record_id", "patient_id")} | {"label": label}
                probability = float(record[f"y_prob:{label}"])
                shown = None
                if next(number) in drawn:
                    image, record_id = images[at].copy(), str(record["record_id"])
                    shown = Overlay(image, found.copy(), mine, label, record_id, probability, said["hit"] > 0)
                yield named | said, shown


def _point(told: _Explained, drawn: tuple[int, int], overlays: int, out: Path) -> None:
    """Write pointing.csv, without rows where no place is told, and overlays.png where some are drawn."""
    boxed = told.boxed()
    found = list(_overlays(told, boxed, _drawn(boxed, overlays)))
    told_of = pd.DataFrame([said for said, _ in found])
    rows = pointing_rows(told_of, *drawn, told.run.task.classes) if found else iter(())
    write_table("pointing", rows, out / "pointing.csv")
    if overlays and found:
        shown = sorted((overlay for _, overlay in found if overlay), key=lambda overlay: -overlay.probability)
        with atomic(out / "overlays.png") as temporary:
            temporary.write_bytes(overlay_figure(shown, told.run.run_id))
    say(f"{out}: {len(found)} findings of known place in {len(boxed)} test records, run {told.run.run_id}")


def _maps(told: _Explained, rows: NDArray[np.intp], classes: list[int]) -> tuple[Any, str]:
    """A map a record, or why there is none."""
    from vitalbench.train.explained import maps_of

    batches, kind = told.run.batches(Store(told.store), _BATCH), told.run.task.kind
    try:
        return maps_of(told.model, batches, rows, classes, kind), ""
    except InputError as problem:
        return None, f"no map: {problem}"


def _emptied(out: Path) -> None:
    """gallery/ without a picture. Before anything that may fail: pictures that may no longer be shown do not outlast it."""
    folder = out / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()


def _show(told: _Explained, shown: int, why_not: str, out: Path) -> None:
    """Write gallery.csv, and a picture of each of its rows where they may be shown."""
    chosen = worst(read_predictions(told.run.folder / "predictions.parquet", told.run.task.kind), shown)
    rows = told.rows(pd.DataFrame({"record_id": [row["record_id"] for row in chosen]}))
    classes = [told.run.task.classes.index(row["label"]) for row in chosen]
    maps, without = (None, "") if why_not or not chosen else _maps(told, rows, classes)
    records = None if why_not or not chosen else Store(told.store).read(rows)
    table = []
    for at, row in enumerate(chosen):
        every = [] if told.boxes is None else told.boxes[row["record_id"]]
        mine = [box for box in every if box.label == row["label"]]
        name = "" if records is None else f"gallery/{at:02d}.png"
        if records is not None:
            found = None if maps is None else maps[at]
            with atomic(out / name) as temporary:
                temporary.write_bytes(picture(records[at], found, mine, told.run.dataset.shape))
        kept = {key: row[key] for key in ("label", "kind", "record_id", "patient_id", "probability", "threshold")}
        drawn = {"picture": name, "told": len(mine), "map": maps is not None, "run_id": told.run.run_id}
        table.append(kept | drawn | {"reason": why_not or without})
    write_table("gallery", table, out / "gallery.csv")
    say(f"{out}: {len(table)} failures{'; ' + (why_not or without) if why_not or without else ''}")


def _of_suite(results: Results, named: str, shown: int) -> None:
    """Of the first run of a place that was measured; tables without rows where none was, so that the page can be made."""
    place = place_of(results, named)
    out, run = results.examination(place), next((run for run in results.examined[place] if run.measured), None)
    _emptied(out)
    if run is None:
        for name in ("pointing", "gallery"):
            write_table(name, [], out / f"{name}.csv")
        return
    told, drawn = _Explained.of(run.folder), read_json(results.folder / STAGE_SLICE.format(stage="explain"))
    _point(told, (drawn["bootstrap"], drawn["seed"]), 0, out)
    _show(told, shown, withheld(results.dataset(place.dataset), results.suite["sources"][place.dataset]), out)


def run(args: argparse.Namespace) -> None:
    """Explain."""
    if args.bootstrap < 1 or args.seed < 0 or args.overlays < 0 or args.gallery < 0:
        raise ConfigError("--bootstrap must be 1 or more, --seed, --overlays and --gallery 0 or more")
    if (args.run is None) == (args.place is None):
        raise ConfigError("vitalbench explain: needs RUN, or --place with --results results/<suite>")
    if args.place:
        _of_suite(Results(args.results), args.place, args.gallery)
        return
    if args.out is None:
        raise ConfigError("vitalbench explain: needs --out, the folder that the tables and pictures go to")
    told = _Explained.of(find_run(args.run, args.results))
    _emptied(args.out)
    _point(told, (args.bootstrap, args.seed), args.overlays, args.out)
    _show(told, args.gallery, "", args.out)
