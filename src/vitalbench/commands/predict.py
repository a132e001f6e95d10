"""What a run says of one person's record: probabilities with intervals, and a figure to look at.

The record is read as those of the run's data set are, and held against the same declared shape. The interval of a
class says how often records of the validation split that scored alike carried it (Venn-Abers; docs/METRICS.md).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from vitalbench.config.strict import validated
from vitalbench.config.target import Target
from vitalbench.data.datasets import Record, UnreadableRecord, load
from vitalbench.data.questions import questions
from vitalbench.data.standardise import sample_digest
from vitalbench.data.store import read_records
from vitalbench.errors import InputError, choices
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.thresholds import choose_thresholds
from vitalbench.evaluate.venn_abers import merged, venn_abers
from vitalbench.files import atomic, write_text
from vitalbench.report.record_figure import record_figure
from vitalbench.results import Results, find_run, suite_of
from vitalbench.train.applied import AppliedRun, physical

_FORMATS = (".png", ".svg", ".pdf")
_EXTENSIONS = (".hea", ".dat", ".mat")
_CPU = {"device": "cpu", "threads": 1, "scheduler": {"mem_mb": 4000, "runtime_min": 10}}
_NOTICE = "A research result, not a diagnosis."
_ORIGIN = {  # by whether the run's records, and this one, are generated
    (True, True): "The record is generated, as are those the run was trained on.",
    (True, False): "The run was trained on generated records: what it says of a person's record means nothing.",
    (False, True): "The record is generated: it is no person's.",
    (False, False): "",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its run_id (the first digits will do)")
    parser.add_argument("file", metavar="FILE", type=Path, help="the record, in the format of the run's data set")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where run_ids are looked up (default results)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("prediction.png"),
        help="the figure: .png, .svg or .pdf (default prediction.png)",
    )
    parser.add_argument("--csv", type=Path, help="write the table here too")


def _read(run: AppliedRun, file: Path) -> Record:
    named = file.with_suffix("") if file.suffix in _EXTENSIONS else file
    row = {"file": named.name, "record_id": named.name, "patient_id": ""}
    try:
        record: Record = load(run.dataset.module).read_record(named.parent, row, run.dataset)
    except UnreadableRecord as problem:
        raise InputError(f"{file}: {problem.check}: {problem}") from None
    return record


def _questions(run: AppliedRun, record: Record, file: Path) -> str:
    """What the data set's checks find in the samples; refused is what would have kept the record out of its store."""
    found = questions(record, run.dataset)
    told = "; ".join(f"{check}: {detail}" for check, detail in found)
    if any(check in run.dataset.quality.quarantine for check, _ in found):
        raise InputError(f"{file}: no record for the run's data set: {told}")
    return f"Questioned by the data set's checks: {told}." if told else ""


def _seen(run: AppliedRun, record: Record) -> str:
    """A warning where this very recording is one that the run was trained or judged with, or where that cannot be told."""
    suite, dataset = suite_of(run.folder), run.folder.parents[3].name
    try:
        records = read_records(Results(suite).store(dataset))
    except InputError:
        return (
            "Whether the run was trained on this recording cannot be told: the store it was trained from is not here."
        )
    mine = records.loc[records["digest"] == sample_digest(record), "record_id"].tolist()
    if not mine:
        return ""
    split = pd.read_csv(Results(suite).split(dataset, run.folder.parents[2].name, run.fold), dtype=str)
    used = split.loc[split["record_id"].isin(mine), "split"].tolist()
    return f"The same recording is in the run's data: {mine[0]}, split {', '.join(sorted(set(used)))}."


def _table(run: AppliedRun, probability: np.ndarray) -> pd.DataFrame:
    kind = run.task.kind
    known = read_predictions(run.folder / "predictions.parquet", kind)
    held = known.take(known.split == "val")
    found = pd.DataFrame({"class": run.task.classes, "probability": probability})
    found[["calibrated", "low", "high"]] = np.nan
    found["threshold"], found["n_calibration"] = np.nan, len(held)
    if kind == "softlabel":
        return found
    for k in range(len(found)):
        low, high = venn_abers(held.p[:, k], held.y[:, k], probability[k])
        found.loc[k, ["calibrated", "low", "high"]] = merged(low, high), low, high
    if kind != "multiclass":
        found["threshold"] = choose_thresholds(known, kind).value
        found["decided"] = np.where(found["probability"] >= found["threshold"], "yes", "no")
    return found


def run(args: argparse.Namespace) -> None:
    """Predict, print and draw."""
    if args.out.suffix not in _FORMATS:
        raise InputError(f"--out {args.out}: {choices(args.out.suffix, list(_FORMATS))}")
    applied = AppliedRun(find_run(args.run, args.results))
    record = _read(applied, args.file)
    questioned = _questions(applied, record, args.file)
    signal = physical(record)
    found = _table(applied, applied.probabilities(signal, validated(Target, _CPU, "predict")))
    notices = [_NOTICE, _ORIGIN[applied.generated, record.generated], questioned, _seen(applied, record)]
    print(found.round(4).to_string(index=False, na_rep=""))
    print("\n".join(line for line in notices if line))
    if args.csv:
        write_text(args.csv, found.to_csv(index=False, lineterminator="\n"))
    shape = applied.dataset.shape
    title = f"{args.file.name}, run {applied.run_id}. " + " ".join(line for line in notices if line)
    with atomic(args.out) as temporary:
        temporary.write_bytes(record_figure(signal, shape.names, shape.rate_hz, found, title, args.out.suffix[1:]))
    print(f"figure: {args.out}")
