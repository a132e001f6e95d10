"""How long a training took, and what it cost, until its validation metric first came up to a level."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vitalbench.config.prices import Price
from vitalbench.config.schema import LOWER_IS_BETTER
from vitalbench.cost.table import first_price, hours
from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.results import CellResult, Results


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
    results: Results, prices: Mapping[str, Price], levels: Sequence[float] | None = None
) -> Iterator[dict[str, Any]]:
    """A row a run and level, of the runs whose history tells their metric by epoch.

    Args:
        levels: in the place of those the tasks ask for.
    """
    for run in results.scored:
        metric = results.task(run.cell.task).primary
        told = _epochs(run, metric)
        if not told:
            continue
        path = results.measurement(run.cell)
        phases = [Phase(**phase) for phase in read_json(path)["phases"]] if path.is_file() else []
        facts = run.read("provenance.json")["facts"]
        price = first_price(results, run.cell.target, prices)
        shown = {name: value for name, value in asdict(price).items() if name not in ("key", "gpus")} if price else {}
        best = max(told, key=lambda epoch: epoch[2])
        for level in _levels(results, run, levels):
            first = next((epoch for epoch in told if epoch[2] >= level), None)
            spent = hours(facts | {"steps": first[1]}, phases).get("train") if first else None
            yield {
                **run.cell.keys,
                "run_id": run.run_id,
                "metric": metric,
                "split": "val",
                "level": level,
                "reached": first is not None,
                "epochs": first[0] if first else None,
                "steps": first[1] if first else None,
                "best": best[2],
                "best_epoch": best[0],
                **shown,
                "hours": spent[1] if spent else None,
                "usd": spent[1] * price.usd_per_hour if spent and price else None,
                "basis": "measured" if spent else None,
            }
