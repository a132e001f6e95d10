"""Gather what the runs left: matrix, metrics, summary, timing, leakage, quality and search tables."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitalbench.cell_result import CellResult
from vitalbench.evaluate.bootstrap import interval
from vitalbench.evaluate.run import Key, read_replicates
from vitalbench.files import read_json
from vitalbench.measure.phases import Phase
from vitalbench.report.external_rows import external_rows
from vitalbench.report.ladder_rows import ladder_rows
from vitalbench.report.model_card import write_card
from vitalbench.report.pooled_rows import pooled_rows
from vitalbench.report.search_rows import search_rows
from vitalbench.report.source_rows import source_rows
from vitalbench.report.statistics import statistics_checks
from vitalbench.results import Results
from vitalbench.tables import write_schema, write_table
from vitalbench.train.pretrained import AUDITED

Row = dict[str, Any]


def matrix_rows(results: Results) -> Iterator[Row]:
    """A row a cell."""
    for result in results.cells:
        facts = result.read("provenance.json")["facts"] if result.measured else {}
        yield {
            **result.cell.keys,
            "status": result.status,
            "reason": result.reason,
            "data_source": result.source,
            "sources": f"{result.cell.dataset}={result.source}" if result.source else "",
            "run_id": result.run_id,
            "size": results.suite["size"],
            "parameters": facts.get("parameters"),
        }


def metric_rows(results: Results) -> Iterator[Row]:
    """A row a metric of every measured run."""
    for result in results.measured:
        for row in result.read("metrics.json")["rows"]:
            yield {**result.cell.keys, "run_id": result.run_id, **row}


def averaged(runs: list[CellResult]) -> dict[Key, np.ndarray]:
    """Replicates averaged over runs, for the keys that all of them kept."""
    kept = [read_replicates(run.folder) for run in runs]
    return {key: np.mean([one[key] for one in kept], axis=0) for key in kept[0] if all(key in one for one in kept)}


def summary_rows(results: Results) -> Iterator[Row]:
    """A row a metric over seeds and folds; one run's interval is its own, several runs' comes from their averaged replicates."""
    for (dataset, task, design, target), runs in results.scored_groups.items():
        replicates = averaged(runs) if len(runs) > 1 else {}
        values: dict[Key, list[tuple[int, int, Row]]] = defaultdict(list)
        for run in runs:
            for row in run.read("metrics.json")["rows"]:
                key = (row["split"], row["subgroup"], row["metric"], row["label"])
                if row["value"] is not None:
                    values[key].append((run.cell.seed, run.cell.fold, row))
        for key, found in values.items():
            by_seed: dict[int, list[float]] = defaultdict(list)
            for seed, _, row in found:
                by_seed[seed].append(row["value"])
            means = [float(np.mean(of_seed)) for of_seed in by_seed.values()]
            low = high = None
            if len(runs) == 1:
                low, high = found[0][2]["ci_low"], found[0][2]["ci_high"]
            elif key in replicates:
                low, high = interval(replicates[key].astype(float))
            yield {
                "dataset": dataset,
                "task": task,
                "design": design,
                "target": target,
                **dict(zip(("split", "subgroup", "metric", "label"), key, strict=True)),
                "mean": float(np.mean(means)),
                "sd_seeds": float(np.std(means, ddof=1)) if len(means) > 1 else None,
                "n_seeds": len(means),
                "ci_low": low,
                "ci_high": high,
                "n_folds": len({fold for _, fold, _ in found}),
            }


def timing_rows(results: Results) -> Iterator[Row]:
    """A row a phase: those of each run, then those of the measuring job, filed under the first run of the design."""
    for runs in results.groups.values():
        for run in runs:
            yield from _phase_rows(run, run.read("timing.json"), results)
        first = {results.measurement(run.cell): run for run in reversed(runs)}
        for measured in sorted(first):
            if measured.is_file():
                yield from _phase_rows(first[measured], read_json(measured), results)


def _phase_rows(run: CellResult, timing: Row, results: Results) -> Iterator[Row]:
    for phase in timing["phases"]:
        yield {
            **run.cell.keys,
            "run_id": run.run_id,
            "device_name": timing["device_name"],
            "threads": results.suite["targets"][run.cell.target]["threads"],
            "world_size": results.suite["targets"][run.cell.target].get("processes", 1),
            **Phase(**phase).row(),
        }


def leakage_rows(results: Results) -> Iterator[Row]:
    """A row a check of every split the suite uses."""
    used = {(r.cell.dataset, r.cell.task, r.cell.fold): None for r in results.cells}
    for dataset, task, fold in used:
        receipt = results.receipt(dataset, task, fold)
        for check in read_json(receipt)["checks"] if receipt.is_file() else ():
            yield {"dataset": dataset, "task": task, **check, "fold": fold}
        runs = [r for r in results.cells if (r.cell.dataset, r.cell.task, r.cell.fold) == (dataset, task, fold)]
        yield from _pretrained_rows(runs, {"dataset": dataset, "task": task}, fold)
        measured = [run for run in runs if run.measured]
        for check in statistics_checks(results, measured):
            yield {"dataset": dataset, "task": task, **check, "fold": fold}


def _pretrained_rows(runs: list[CellResult], named: Row, fold: int) -> Iterator[Row]:
    """A row a check of the pre-training runs that a split's runs start from: what the worst of them has seen."""
    worst: dict[tuple[str, str], Row] = {}
    for run in runs:
        for check in run.read(AUDITED)["checks"] if (run.folder / AUDITED).is_file() else ():
            key = (check["check"], check["split"])
            if key not in worst or check["found"] > worst[key]["found"]:
                worst[key] = check
    for check in worst.values():
        yield {**named, **check, "fold": fold}


def quality_rows(results: Results) -> Iterator[Row]:
    """A row a kind of finding in every data set that was built; one row with 0 where nothing was found."""
    for dataset in results.suite["sources"]:
        folder = results.data(dataset)
        if folder is None or not (folder / "quality.csv").is_file():
            continue
        findings = pd.read_csv(folder / "quality.csv", dtype=str, keep_default_na=False)
        total = read_json(folder / "manifest.json")["release"]["records"]
        caveat = results.dataset(dataset).caveat
        counts = Counter(zip(findings["check"], findings["action"], strict=True))
        for (check, action), count in sorted(counts.items()):
            example = findings[(findings["check"] == check) & (findings["action"] == action)].iloc[0]
            shown = f"{example['record_id']}: {example['detail']}"
            yield {
                "dataset": dataset,
                "check": check,
                "action": action,
                "records": count,
                "of": total,
                "example": shown,
                "caveat": caveat,
            }
        if not counts:
            yield {
                "dataset": dataset,
                "check": "any",
                "action": "",
                "records": 0,
                "of": total,
                "example": "",
                "caveat": caveat,
            }


def write_tables(results: Results) -> Path:
    """Write the tables that gather, and each run's model card; comparison, cost and claims have stages of their own.

    Returns:
        The tables' folder.
    """
    rows = {
        "matrix": matrix_rows,
        "metrics": metric_rows,
        "summary": summary_rows,
        "timing": timing_rows,
        "leakage": leakage_rows,
        "quality": quality_rows,
        "search": search_rows,
        "sources": source_rows,
        "pooled": pooled_rows,
        "external": external_rows,
        "ladder": ladder_rows,
    }
    for name, make in rows.items():
        write_table(name, make(results), results.table(name))
    write_schema(results.folder / "tables" / "schema.json")
    for run in results.cells:
        if (run.folder / "status.json").is_file():
            write_card(results, run)
    return results.folder / "tables"
