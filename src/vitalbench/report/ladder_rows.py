"""One design trained on more and more patients: records, bytes, hours and metric by their number, and what comes next.

The rungs of a task (`TASK@N`) are scored on the same test patients, so that the number is all that changes between them, and an
error can be followed to more. Those of a data set (`NAME@N`) have test patients of their own, another sample each: they are told,
and nothing is extrapolated from them.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.cell_result import CellResult
from vitalbench.config.schema import MACRO, Split
from vitalbench.cost.table import hours
from vitalbench.cost.timed import timed_alone
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.power_law import FARTHEST, extrapolate
from vitalbench.evaluate.run import read_replicates
from vitalbench.evaluate.score import ALL
from vitalbench.files import read_json
from vitalbench.results import Results
from vitalbench.tables import number, read_table

Row = dict[str, Any]
_TWICE = 2  # times the largest rung, where the whole release is no larger
_SEED = 0
_OWN_TESTS = (
    "every rung has test patients of its own, so more than the number changes; ask the task of N patients, as TASK@N"
)


@dataclass(frozen=True)
class Rung:
    """One number of patients: the runs of one design with it.

    Attributes:
        patients: trained on; of rungs that are data sets, stored. So are records, and bytes are the store's share of them.
        replicates: (runs, resamples) of the metric; None where a run has none.
        hours: of a training: measured step x steps; None where no step was timed.
    """

    patients: int
    records: int
    bytes: int
    hours: float | None
    value: float
    replicates: NDArray[np.float64] | None
    n_seeds: int


def _value(run: CellResult, metric: str) -> float | None:
    wanted = ("test", ALL, metric, MACRO)
    rows = run.read("metrics.json")["rows"]
    found = [row["value"] for row in rows if (row["split"], row["subgroup"], row["metric"], row["label"]) == wanted]
    return next(iter(found), None)


def _hours(results: Results, run: CellResult) -> float | None:
    spent = hours(run.read("provenance.json")["facts"], timed_alone(results.measurement(run.cell))).get("train")
    return spent[1] if spent else None


def _size(results: Results, dataset: str, runs: list[CellResult]) -> tuple[int, int, int]:
    """Patients, records and bytes of a rung; the first fold's, where there are several."""
    folder = results.store_folder(dataset)
    manifest = read_json(folder / "manifest.json")
    parts = [folder / "parts" / name for name in manifest["parts"]]
    whole = sum(part.stat().st_size for part in parts if part.is_file())
    task, fold = runs[0].cell.task, min(run.cell.fold for run in runs)
    if "@" not in task:
        return manifest["patients"], manifest["records"], whole
    split = pd.read_csv(results.split(dataset, task, fold), dtype=str)
    train = split[split["split"] == "train"]
    return train["patient_id"].nunique(), len(train), round(whole * len(train) / manifest["records"])


def _rung(results: Results, dataset: str, runs: list[CellResult], metric: str) -> Rung | None:
    values = [value for run in runs if (value := _value(run, metric)) is not None]
    if len(values) < len(runs):
        return None
    patients, records, size = _size(results, dataset, runs)
    spent = [hour for run in runs if (hour := _hours(results, run)) is not None]
    kept = [read_replicates(run.folder).get(("test", ALL, metric, MACRO)) for run in runs]
    whole = [series.astype(float) for series in kept if series is not None]
    return Rung(
        patients=patients,
        records=records,
        bytes=size,
        hours=float(np.mean(spent)) if spent else None,
        value=float(np.mean(values)),
        replicates=np.stack(whole) if len(whole) == len(runs) else None,
        n_seeds=len({run.cell.seed for run in runs}),
    )


def _drawn(rungs: list[Rung], best: float, sign: float) -> NDArray[np.float64]:
    """(resamples, rungs) errors: a resample is of the same test patients on every rung, and each rung's seeds are drawn here."""
    rng = np.random.default_rng(_SEED)
    columns = []
    for rung in rungs:
        if rung.replicates is None:
            continue
        runs, resamples = rung.replicates.shape
        chosen = rng.integers(0, runs, (runs, resamples))
        mean = rung.replicates[chosen, np.arange(resamples)].mean(axis=0)
        columns.append(sign * (best - mean))
    least = min(map(len, columns), default=0)
    return np.column_stack([column[:least] for column in columns]) if columns else np.empty((0, 0))


def _to(results: Results, largest: int, dataset: str, split: Split) -> list[int]:
    """How many training patients the law is asked about: the whole release's, where they are more than the largest rung's.

    Where that is too far away, the farthest that is not comes before it.
    """
    expected = results.dataset(dataset).expected
    share = 1.0 if split.method == "named" else 1 - len({*split.val, *split.test}) / split.folds
    whole = round(expected.patients * share) if expected else 0
    if whole <= largest:
        return [_TWICE * largest]
    farthest = round(FARTHEST * largest)
    return [farthest, whole] if whole > farthest else [whole]


def ladder_rows(results: Results) -> Iterator[Row]:
    """Of each design on rungs of one task, or of one data set: a row a rung, then what is extrapolated, or why nothing is."""
    ladders: dict[tuple[str, str, str, str], dict[tuple[str, str], list[CellResult]]] = defaultdict(dict)
    for (dataset, task, design, target), runs in results.scored_groups.items():
        # Of a data set's rungs the number is in the data set's name, of a task's in the task's; the other is one for all.
        base = (dataset, task.partition("@")[0]) if "@" in task else (dataset.partition("@")[0], task)
        ladders[*base, design, target][dataset, task] = runs
    for (dataset, task, design, target), by_rung in ladders.items():
        if len(by_rung) < 2:
            continue
        stored, named = next(iter(by_rung))
        asked = results.task(named)
        place = {"dataset": dataset, "task": task, "design": design, "target": target, "metric": asked.primary}
        found = [_rung(results, of, runs, asked.primary) for (of, _), runs in by_rung.items()]
        rungs = sorted((rung for rung in found if rung), key=lambda rung: rung.patients)
        for rung in rungs:
            yield place | {"basis": "measured"} | _measured(rung)
        if rungs and len({of for of, _ in by_rung}) > 1:
            yield place | {"basis": "extrapolated", "patients": _TWICE * rungs[-1].patients, "reason": _OWN_TESTS}
            continue
        for to in _to(results, rungs[-1].patients, stored, asked.split) if rungs else ():
            yield place | {"basis": "extrapolated"} | _beyond(rungs, to, asked.direction)


def _measured(rung: Rung) -> Row:
    low = high = None
    if rung.replicates is not None:
        low, high = interval(rung.replicates.mean(axis=0))
    told = {"patients": rung.patients, "records": rung.records, "bytes": rung.bytes, "hours": rung.hours}
    return told | {"value": rung.value, "ci_low": low, "ci_high": high, "n_seeds": rung.n_seeds}


def _beyond(rungs: list[Rung], to: int, direction: str) -> Row:
    """What is next: the metric by a power law of its error, all else in proportion to the largest rung's patients."""
    last, higher = rungs[-1], direction == "higher"
    best, sign = (1.0, 1.0) if higher else (0.0, -1.0)
    usable = [rung for rung in rungs if rung.replicates is not None]
    without = [f"{rung.patients:,}" for rung in rungs if rung.replicates is None]
    patients = np.array([rung.patients for rung in usable], dtype=float)
    errors = sign * (best - np.array([rung.value for rung in usable]))
    found = extrapolate(patients, errors, _drawn(usable, best, sign), to)
    left_out = f"left out, for it has no interval: the rung of {' and '.join(without)} patients" if without else ""
    times = to / last.patients
    row: Row = {
        "patients": to,
        "records": round(last.records * times),
        "bytes": round(last.bytes * times),
        "hours": last.hours * times if last.hours is not None else None,
        "n_seeds": last.n_seeds,
        "reason": "; ".join(filter(None, (found.reason, left_out))),
    }
    if found.error is None or found.low is None or found.high is None:
        return row
    ends = sorted([best - sign * found.low, best - sign * found.high])
    named = {"value": best - sign * found.error, "ci_low": ends[0], "ci_high": ends[1]}
    limit = best - sign * found.floor if found.floor is not None else None
    measured = usable[-1]
    if found.at_last is not None and not ends[0] <= measured.value <= ends[1]:
        change = found.at_last - found.error
        told = (
            f"the interval leaves out the {measured.value:.3f} measured with {measured.patients:,} patients: the law has "
            f"{best - sign * found.at_last:.3f} there, and {change:.3f} {'more' if higher else 'less'} with {to:,}"
        )
        row["reason"] = "; ".join(filter(None, (told, row["reason"])))
    return row | named | {"exponent": found.exponent, "limit": limit}


def shown_rows(results: Results) -> list[list[str]]:
    """For the page."""
    rows = []
    for row in read_table("ladder", results.table("ladder")):
        value, low, high = (number(row[name]) for name in ("value", "ci_low", "ci_high"))
        size, spent = number(row["bytes"]), number(row["hours"])
        told = [
            "" if value is None else f"{value:.3f}",
            "; ".join(filter(None, ("" if low is None or high is None else f"{low:.3f} to {high:.3f}", row["reason"]))),
        ]
        counts = [f"{number(row[name]) or 0:,.0f}" for name in ("patients", "records")]
        amounts = ["" if size is None else f"{size / 1e6:,.1f} MB", "" if spent is None else f"{spent:.3g}"]
        named = [row["dataset"], row["task"], row["design"], row["target"], row["basis"]]
        law = number(row["exponent"])
        rows.append([*named, *counts, *amounts, *told, "" if law is None else f"{law:.2f}"])
    return rows
