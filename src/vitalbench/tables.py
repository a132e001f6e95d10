"""The tables scripts outside this repository rely on: their columns, meanings and units. Columns may be appended, never renamed."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitalbench.errors import InputError
from vitalbench.files import write_json, write_text

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Column:
    """One column: what it means and in which unit."""

    name: str
    meaning: str
    unit: str = ""


def _columns(*lines: str) -> tuple[Column, ...]:
    return tuple(Column(*(part.strip() for part in line.split("|"))) for line in lines)


_CELL = _columns(
    "dataset | name in configs/datasets",
    "task | name in configs/tasks",
    "design | name in configs/designs",
    "target | name in configs/targets",
    "seed | of the run",
    "fold | 0 is the split as the task states it",
)
_SCORE = _columns(
    "split | train, val, test or pretrain",
    "subgroup | all, or <grouping>=<value>",
    "metric | docs/METRICS.md defines it",
    "label | a class, or macro: the mean over classes, or a metric of whole records",
)

TABLES: dict[str, tuple[str, tuple[Column, ...]]] = {
    "matrix": (
        "a cell",
        _CELL
        + _columns(
            "status | measured, projected, not-run, not-allowed, refused or failed",
            "reason | why it is not measured",
            "data_source | the weakest of its sources: generated < local < download",
            "sources | every data set of the cell with its source",
            "run_id | hash of resolved configuration, data and code",
            "size | small or full: which of the design's two sizes ran",
            "parameters | trainable parameters | count",
        ),
    ),
    "metrics": (
        "a metric of a run",
        _CELL
        + _columns("run_id | of the run")
        + _SCORE
        + _columns(
            "value | at weight one | the metric's",
            "ci_low | 2.5th percentile of the bootstrap over patients | the metric's",
            "ci_high | 97.5th percentile | the metric's",
            "n_records | records labelled for the class (macro: for one that entered; F-max: for all) | count",
            "n_patients | their patients | count",
            "n_labels | classes that entered the value; empty ones and undefined ones do not | count",
            "reason | why a value or an interval is missing, or how a threshold was set",
            "n_positive | records of the class | count",
            "threshold | the probability at which the class is decided for",
            "redrawn | share of resamples redrawn because they lost the class (macro: the largest) | fraction",
            "n_supported | of n_labels, the classes with five positive and five negative patients or more | count",
        ),
    ),
    "summary": (
        "a metric over seeds and folds",
        _columns("dataset | as above", "task | as above", "design | as above", "target | as above")
        + _SCORE
        + _columns(
            "mean | over seeds and folds | the metric's",
            "sd_seeds | standard deviation between seeds, each averaged over folds: the variance of training | the metric's",
            "n_seeds | seeds with a value | count",
            "ci_low | 2.5th percentile over patients of the mean: the variance of the test sample; with several runs empty for "
            "val, and for classes in subgroups: their replicates are not kept | the metric's",
            "ci_high | 97.5th percentile | the metric's",
            "n_folds | folds with a value | count",
        ),
    ),
    "timing": (
        "a measured phase",
        _CELL
        + _columns(
            "run_id | of the run, empty for a phase timed without training",
            "device_name | as the system names it",
            "threads | of the process | count",
            "world_size | processes | count",
            "phase | docs/METHODS.md defines it",
            "batch_size | records a step | count",
            "precision | of the arithmetic",
            "median_s | one repeat | s",
            "iqr_s | interquartile range | s",
            "p50_s | median | s",
            "p95_s | 95th percentile | s",
            "p99_s | 99th percentile | s",
            "repeats | after warm-up | count",
            "per_second | units handled, by the median | unit/s",
            "unit | what is handled",
            "peak_memory_mb | most memory of the process up to the end of the phase | 10^6 byte",
            "flops | of one repeat, counted | operations",
            "bytes | moved by one repeat, counted | byte",
            "exclusive | the job had the machine to itself",
            "disturbed | foreign work took processor time meanwhile; empty where that cannot be seen",
        ),
    ),
    "cost": (
        "a cell and a price",
        _CELL
        + _columns(
            "run_id | of the run",
            "phase | train: the run's optimiser steps; epoch: one epoch's; inference_1000: 1,000 records",
            "provider | who sells it",
            "sku | what is sold",
            "region | where",
            "purchase | on-demand, spot or owned",
            "gpus | in the machine | count",
            "usd_per_hour | of the machine | USD/h",
            "price_date | when the price was read",
            "price_source | where",
            "hours | measured step x steps, or records / measured rate | h",
            "usd | hours x price | USD",
            "energy_kwh | measured energy; empty where no counter was read | kWh",
            "basis | measured or projected time",
            "usd_low | at the first quartile of the step time | USD",
            "usd_high | at the third quartile | USD",
        ),
    ),
    "comparison": (
        "a pair of designs",
        _columns(
            "dataset | as above",
            "task | as above",
            "target | as above",
            "split | as above",
            "subgroup | as above",
            "design_a | the first design",
            "design_b | the second",
            "metric | as above",
            "label | as above",
            "difference | a - b, averaged over seeds and folds | the metric's",
            "ci_low | 2.5th percentile, over patients and seeds, paired | the metric's",
            "ci_high | 97.5th percentile | the metric's",
            "p_value | two-sided, by the bootstrap; never below 2 / (resamples + 1)",
            "p_corrected | Holm's, over all pairs of one metric and label | ",
            "margin | differences within it count as none; empty for all but the primary metric | the metric's",
            "n_patients | on whom both were scored | count",
            "n_seeds | of the design with fewer | count",
            "time_ratio | training time a / b, measured step x steps | ratio",
            "cost_ratio | cost a / b at the same price | ratio",
            "verdict | better, worse, equivalent or no-verdict: of a against b",
            "reason | why there is no verdict where the interval alone would give one",
        ),
    ),
    "leakage": (
        "a check of a split",
        _columns(
            "dataset | as above",
            "task | as above",
            "split | the two splits held against one another",
            "fold | as above",
            "check | what was looked for",
            "found | how many cross | count",
            "allowed | how many may | count",
            "severity | fatal: refuses training; notice: is told",
            "verdict | clean, leak or noted",
        ),
    ),
    "claims": (
        "a reported number",
        _columns(
            "claim | its id",
            "source | the document",
            "location | where in it",
            "method | measured, arithmetic, projection or untestable",
            "reported | as the document states it | unit",
            "unit | of the number",
            "measured | what was counted, measured or worked out here | unit",
            "interval_low | of what was found | unit",
            "interval_high | of what was found | unit",
            "tolerance | largest difference that still reproduces it | unit",
            "verdict | reproduced, refuted, projected, untestable or not-run",
            "evidence | the terms, or the table row",
            "reason | why the verdict, or what it waits for",
            "published | what follows from what the release's publisher states, where the number was held against that | unit",
        ),
    ),
    "quality": (
        "a check of the records",
        _columns(
            "dataset | as above",
            "check | what was found",
            "action | quarantined: kept out of the store; flagged: told",
            "records | with this finding | count",
            "of | records of the release | count",
            "example | one of them",
        ),
    ),
}


def names(table: str) -> list[str]:
    """A table's columns, in order."""
    return [column.name for column in TABLES[table][1]]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return repr(round(float(value), 12))
    return str(value)


def table_text(table: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """A table as CSV with exactly its declared columns; empty means not applicable."""
    columns = names(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        unknown = set(row) - set(columns)
        if unknown:
            raise KeyError(f"table {table} has no column {min(unknown)}")
        writer.writerow([_text(row.get(column)) for column in columns])
    return out.getvalue()


def write_table(table: str, rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write a table as UTF-8 CSV."""
    write_text(path, table_text(table, rows))


def read_table(table: str, path: Path) -> list[dict[str, str]]:
    """Read a table back as text, a dictionary a row."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if reader.fieldnames is None or not set(names(table)) <= set(reader.fieldnames):
                raise InputError(f"{path}: not a {table} table: columns {', '.join(reader.fieldnames or [])}")
            return list(reader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None


def number(text: str) -> float | None:
    """A cell of a table as a number; None where it is empty."""
    return float(text) if text != "" else None


def write_schema(path: Path) -> None:
    """Write tables/schema.json: a version, and every column's meaning and unit."""
    tables = {
        name: {
            "row": row,
            "columns": [{"name": column.name, "meaning": column.meaning, "unit": column.unit} for column in columns],
        }
        for name, (row, columns) in TABLES.items()
    }
    write_json(path, {"version": SCHEMA_VERSION, "tables": tables})
