"""The leak audit: what two splits must not share, looked for in ids, samples and time.

Every check is a row with what was found and what is allowed; a row over its allowance is a leak. The receipt carries the hash of
the table it audited, so that a trainer can hold it against the split it is about to use.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Number
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.data.text_table import read_any
from vitalbench.errors import InputError, choices
from vitalbench.split.assign import SPLITS
from vitalbench.split.crossing import (
    PAIRS,
    Found,
    identical,
    lookalikes,
    near_duplicates,
    outside_training,
    overlapping_windows,
    shared,
    window_times,
)
from vitalbench.split.id_writing import in_plain_writing

FATAL, NOTICE = "fatal", "notice"
UNMADE = "unmade"  # the verdict of a receipt on a split that could not be made


@dataclass(frozen=True)
class Check:
    """One row of leakage.csv, less the names of data set and task."""

    fold: str
    check: str
    split: str
    found: int
    allowed: int
    severity: str  # fatal | notice
    verdict: str  # clean | leak | noted


def read_table(path: Path) -> pd.DataFrame:
    """Read a split table (CSV, TSV or parquet, packed or not) and hold it against what an audit needs.

    Raises:
        InputError: a missing file or column, an empty id, an unknown split.
    """
    table = read_any(path)
    if table.empty:
        raise InputError(f"{path}: holds no row")
    timed = {"start_s", "end_s"} & set(table.columns)
    missing = [name for name in ("recording_id", "start_s", "end_s") if timed and name not in table.columns]
    if missing:
        raise InputError(f"{path}: windows need the column '{missing[0]}' beside '{min(timed)}'")
    for column in ("record_id", "patient_id", *(["recording_id"] if timed else [])):
        table[column] = id_column(table, column, path)
    if "recording_id" in table.columns and not timed:
        table["recording_id"] = table["recording_id"].astype("string").str.strip()
    columns = split_columns(table)
    if not columns:
        raise InputError(f"{path}: no column 'split' or 'split:<fold>'; found: {', '.join(map(str, table.columns))}")
    for column in columns:
        table[column] = table[column].astype("string").str.strip().fillna("")
        unknown = ~table[column].isin(SPLITS)
        if unknown.any():
            at = int(unknown.argmax())
            value = table[column].iloc[at][:60]
            raise InputError(f"{path}: row {at + 1}: column '{column}' holds {value!r}; {choices(value, SPLITS)}")
        present = set(table[column])
        if not any(set(pair) <= present for pair in PAIRS):
            held = ", ".join(sorted(present))
            raise InputError(f"{path}: column '{column}' holds {held} only: there is nothing to hold it against")
    return table


def id_column(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """A column of ids as texts without surrounding spaces.

    Raises:
        InputError: it is missing, or holds nothing, or what is neither text nor a number.
    """
    if column not in table.columns:
        raise InputError(f"{path}: column '{column}' is missing; {choices(column, table.columns)}")
    ids = table[column].astype(object)
    empty = ids.isna() | (ids.astype(str).str.strip() == "")
    strange = ~empty & ~ids.map(lambda value: isinstance(value, str | Number) and not isinstance(value, bool))
    for wrong, told in ((empty, "empty"), (strange, "neither text nor a number")):
        if wrong.any():
            raise InputError(f"{path}: row {int(wrong.to_numpy().argmax()) + 1}: column '{column}' is {told}")
    return ids.astype("string").str.strip()


def split_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold splits: `split`, or one `split:<fold>` a fold."""
    return [str(column) for column in table.columns if column == "split" or str(column).startswith("split:")]


def audit(
    table: pd.DataFrame,
    digests: pd.Series | None = None,
    groups: list[str] | None = None,
    copies: pd.DataFrame | None = None,
    fitted_on: set[str] | None = None,
) -> tuple[list[Check], pd.DataFrame]:
    """Look for what crosses splits.

    Args:
        table: as `read_table` returns it; with recording_id, start_s and end_s, its rows are windows.
        digests: the hash of each record's samples, indexed by record_id: finds copies under another name.
        groups: columns (site, device ...) whose sharing is noted, not refused.
        copies: pairs of records that are one recording (record_a, record_b): finds copies that differ in their samples.
        fitted_on: records that statistics were fitted on, by record_id: whatever normalises training records must know no other.

    Returns:
        The checks, and a table of the offending pairs (check, split, fold, a, b, severity).
    """
    checks: list[Check] = []
    pairs: list[dict[str, str]] = []
    windows = {"recording_id", "start_s", "end_s"} <= set(table.columns)
    timed = window_times(table) if windows else table
    ids = {
        kind: pd.DataFrame({"id": table[f"{kind}_id"].astype(str), "plain": in_plain_writing(table[f"{kind}_id"])})
        for kind in ("patient", "record", "recording")
        if f"{kind}_id" in table.columns
    }
    for group in groups or []:
        if group not in table.columns:
            raise InputError(f"column '{group}' is not in the table; {choices(group, table.columns)}")

    def add(fold: str, check: str, split: str, found: Found, severity: str = FATAL) -> None:
        verdict = "clean" if not found else "leak" if severity == FATAL else "noted"
        checks.append(Check(fold, check, split, len(found), 0, severity, verdict))
        said = {"check": check, "split": split, "fold": fold, "severity": severity}
        pairs.extend(said | {"a": a, "b": b} for a, b in found)

    for column in split_columns(table):
        fold = column.partition(":")[2] or "0"
        present = set(table[column])
        overlaps = overlapping_windows(timed, column) if windows else {}
        for pair in (pair for pair in PAIRS if set(pair) <= present):
            name = "-".join(pair)
            add(fold, "patient-overlap", name, shared(table, column, "patient_id", pair))
            add(fold, "record-overlap", name, shared(table, column, "record_id", pair))
            for kind, written in ids.items():
                add(fold, f"{kind}-lookalike", name, lookalikes(table, column, written, pair), severity=NOTICE)
            if digests is not None:
                add(fold, "identical-samples", name, identical(table, column, digests, pair))
            if copies is not None:
                add(fold, "near-duplicate", name, near_duplicates(table, column, copies, digests, pair))
            if windows:
                add(fold, "window-overlap", name, overlaps[pair])
            for group in groups or []:
                add(fold, f"shared-{group}", name, shared(table, column, group, pair), severity=NOTICE)
        if fitted_on is not None:
            add(fold, "statistics-outside-train", "train", outside_training(table, column, fitted_on))
    return checks, pd.DataFrame(pairs, columns=["check", "split", "fold", "a", "b", "severity"])


def leaks_of(checks: list[Check]) -> str:
    """The checks that found a leak, by name, as a reason; empty where none did."""
    return "; ".join(f"{check.check} {check.split}: {check.found}" for check in checks if check.verdict == "leak")


def barred(receipt: Mapping[str, Any]) -> tuple[str, str] | None:
    """The status that a receipt leaves to the cells of its split, and why; None where they may be trained."""
    if receipt["verdict"] == "clean":
        return None
    if receipt["verdict"] == UNMADE:
        return "failed", f"the split cannot be made: {receipt['reason']}"
    return "not-allowed", f"the split leaks: {receipt['reason']}"


def receipt(checks: list[Check], table_digest: str, content: str | None, unmade: str = "") -> dict[str, Any]:
    """What training needs to see: the verdict, and which table and store content it was reached on.

    Args:
        unmade: why there is no split to audit, where it could not be made.
    """
    reason = unmade or leaks_of(checks)
    return {
        "verdict": UNMADE if unmade else "leak" if reason else "clean",
        "split_sha256": table_digest,
        "store_content": content,
        "checks": [asdict(check) for check in checks],
        "reason": reason,
    }
