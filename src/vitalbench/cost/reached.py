"""How long a training took, and what it cost, until its validation metric first came up to a level."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vitalbench.cell_result import CellResult
from vitalbench.config.prices import Price
from vitalbench.config.schema import LOWER_IS_BETTER
from vitalbench.cost.absent import Absent
from vitalbench.cost.table import first_price, hours
from vitalbench.cost.timed import timed_alone
from vitalbench.results import Results


def _epochs(run: CellResult, metric: str) -> list[tuple[int, int, float]]:
    """Epoch, optimiser steps so far and the metric of every epoch that has one."""
    path = run.folder / "history.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get(f"val_{metric}")]
    return [(int(row["epoch"]), int(row["steps"]), float(row[f"val_{metric}"])) for row in rows]


def _levels(results: Results, run: CellResult, asked: Sequence[float] | None) -> Sequence[float]:
    task = results.task(run.cell.task)
    if task.primary in LOWER_IS_BETTER:
        return ()
    return task.reach if asked is None else asked


def reached_rows(
    results: Results,
    prices: Mapping[str, Price],
    levels: Sequence[float] | None = None,
    absent: Absent | None = None,
) -> Iterator[dict[str, Any]]:
    """A row a run and level, of the runs whose history tells their metric by epoch, and of the cells projected from them.

    Args:
        levels: in the place of those the tasks ask for.
        absent: projects what was measured to targets that are not here; without it their cells have no rows.
    """
    for run in results.scored:
        yield from _rows(results, prices, levels, run, run)
    scored = {run.cell: run for run in results.scored}
    for away in results.projected if absent else ():
        if away.origin in scored:
            yield from _rows(results, prices, levels, scored[away.origin], away, absent)


def _rows(
    results: Results,
    prices: Mapping[str, Price],
    levels: Sequence[float] | None,
    run: CellResult,
    asked: CellResult,
    absent: Absent | None = None,
) -> Iterator[dict[str, Any]]:
    """A row a level of a cell: `asked`, whose history is that of `run`, itself or the one it is projected from."""
    metric = results.task(run.cell.task).primary
    told = _epochs(run, metric)
    if not told:
        return
    phases = timed_alone(results.measurement(run.cell))
    facts = run.read("provenance.json")["facts"]
    price = first_price(results, asked.cell.target, prices)
    shown = {name: value for name, value in asdict(price).items() if name not in ("key", "gpus")} if price else {}
    best = max(told, key=lambda epoch: epoch[2])
    basis, said, times = "measured", {}, (1.0, 1.0, 1.0)
    if absent and phases:
        ratio = absent.ratio(run.cell, asked.cell.target)
        basis, times = "projected", (ratio.low, ratio.ratio, ratio.high)
        said = {"outside": absent.outside(asked, "train_step")}
    if absent:
        said |= {"projected_from": run.cell.target}
    for level in _levels(results, run, levels):
        first = next((epoch for epoch in told if epoch[2] >= level), None)
        measured = hours(facts | {"steps": first[1]}, phases).get("train") if first else None
        spent = [hour * more for hour, more in zip(measured, times, strict=True)] if measured else [None] * 3
        usd = [None if hour is None or price is None else hour * price.usd_per_hour for hour in spent]
        yield {
            **asked.cell.keys,
            "run_id": asked.run_id,
            "metric": metric,
            "split": "val",
            "level": level,
            "reached": first is not None,
            "epochs": first[0] if first else None,
            "steps": first[1] if first else None,
            "best": best[2],
            "best_epoch": best[0],
            **shown,
            **dict(zip(("hours_low", "hours", "hours_high"), spent, strict=True)),
            **dict(zip(("usd_low", "usd", "usd_high"), usd, strict=True)),
            "basis": basis if measured else None,
            **said,
        }
