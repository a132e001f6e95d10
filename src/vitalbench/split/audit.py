"""The leak audit: what two splits must not share, looked for in ids, samples and time.

Every check is a row with what was found and what is allowed; a row over its allowance is a leak. The receipt carries the hash of
the table it audited, so that a trainer can hold it against the split it is about to use.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.errors import InputError, choices
from vitalbench.split.assign import SPLITS

# Splits that must be strangers to one another; pre-training and training may share patients.
PAIRS = (("train", "val"), ("train", "test"), ("val", "test"), ("pretrain", "val"), ("pretrain", "test"))


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
    """Read a split table (CSV or parquet) and hold it against what an audit needs.

    Raises:
        InputError: a missing file or column, an empty id, an unknown split.
    """
    try:
        table = (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str, keep_default_na=False)
        )
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(
            f"{path}: not readable as {path.suffix.removeprefix('.') or 'CSV'}: {str(error)[:200]}"
        ) from None
    for column in ("record_id", "patient_id"):
        if column not in table.columns:
            raise InputError(f"{path}: column '{column}' is missing; found: {', '.join(map(str, table.columns))}")
        table[column] = table[column].astype("string").str.strip()
        empty = table[column].isna() | (table[column] == "")
        if empty.any():
            raise InputError(f"{path}: row {int(empty.argmax()) + 1}: column '{column}' is empty")
    columns = split_columns(table)
    if not columns:
        raise InputError(f"{path}: no column 'split' or 'split:<fold>'; found: {', '.join(map(str, table.columns))}")
    for column in columns:
        unknown = set(table[column].dropna().astype(str)) - set(SPLITS)
        if unknown or table[column].isna().any():
            value = min(unknown) if unknown else "(empty)"
            raise InputError(f"{path}: column '{column}' holds {value!r}; {choices(value, SPLITS)}")
    return table


def split_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold splits: `split`, or one `split:<fold>` a fold."""
    return [str(column) for column in table.columns if column == "split" or str(column).startswith("split:")]


def _shared(table: pd.DataFrame, split: str, by: str, pair: tuple[str, str]) -> set[Any]:
    sides = [set(table.loc[table[split] == name, by].dropna()) for name in pair]
    return sides[0] & sides[1]


def _overlapping_windows(table: pd.DataFrame, split: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Pairs of windows of one recording that overlap in time and lie in different splits."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {pair: [] for pair in PAIRS}
    used = table[table[split] != "unused"]
    for _, windows in used.groupby("recording_id"):
        ordered = windows.sort_values(["start_s", "end_s"])
        live: list[tuple[float, str, str]] = []
        for record, name, start, end in ordered[["record_id", split, "start_s", "end_s"]].itertuples(index=False):
            live = [window for window in live if window[0] > start]
            for _, other, other_name in live:
                for pair in PAIRS:
                    if {name, other_name} == set(pair) and name != other_name:
                        found[pair].append((other, record))
            live.append((end, record, name))
    return found


def _window_times(table: pd.DataFrame) -> pd.DataFrame:
    timed = table.assign(**{column: pd.to_numeric(table[column], errors="coerce") for column in ("start_s", "end_s")})
    wrong = timed["start_s"].isna() | timed["end_s"].isna() | (timed["end_s"] <= timed["start_s"])
    if wrong.any():
        raise InputError(f"row {int(wrong.argmax()) + 1}: start_s and end_s must be numbers, with end_s after start_s")
    return timed


def audit(
    table: pd.DataFrame, digests: pd.Series | None = None, groups: list[str] | None = None
) -> tuple[list[Check], pd.DataFrame]:
    """Look for what crosses splits.

    Args:
        table: as `read_table` returns it; with recording_id, start_s and end_s, its rows are windows.
        digests: the hash of each record's samples, indexed by record_id: finds copies under another name.
        groups: columns (site, device ...) whose sharing is noted, not refused.

    Returns:
        The checks, and a table of the offending pairs (check, split, fold, a, b).
    """
    checks: list[Check] = []
    pairs: list[dict[str, str]] = []
    windows = {"recording_id", "start_s", "end_s"} <= set(table.columns)
    timed = _window_times(table) if windows else table
    for group in groups or []:
        if group not in table.columns:
            raise InputError(f"column '{group}' is not in the table; {choices(group, table.columns)}")

    def add(
        fold: str, check: str, pair: tuple[str, str], found: list[tuple[str, str]], severity: str = "fatal"
    ) -> None:
        verdict = "clean" if not found else "leak" if severity == "fatal" else "noted"
        checks.append(Check(fold, check, "-".join(pair), len(found), 0, severity, verdict))
        pairs.extend({"check": check, "split": "-".join(pair), "fold": fold, "a": a, "b": b} for a, b in found)

    for column in split_columns(table):
        fold = column.partition(":")[2] or "0"
        present = set(table[column])
        overlaps = _overlapping_windows(timed, column) if windows else {}
        for pair in (pair for pair in PAIRS if set(pair) <= present):
            add(
                fold,
                "patient-overlap",
                pair,
                [(who, who) for who in sorted(_shared(table, column, "patient_id", pair))],
            )
            add(
                fold,
                "record-overlap",
                pair,
                [(which, which) for which in sorted(_shared(table, column, "record_id", pair))],
            )
            if digests is not None:
                add(fold, "identical-samples", pair, _identical(table, column, digests, pair))
            if windows:
                add(fold, "window-overlap", pair, overlaps[pair])
            for group in groups or []:
                shared = [(str(value), str(value)) for value in sorted(_shared(table, column, group, pair), key=str)]
                add(fold, f"shared-{group}", pair, shared, severity="notice")
    return checks, pd.DataFrame(pairs, columns=["check", "split", "fold", "a", "b"])


def _identical(table: pd.DataFrame, split: str, digests: pd.Series, pair: tuple[str, str]) -> list[tuple[str, str]]:
    """Records of two splits with the same samples, though their names differ."""
    known = table.assign(digest=table["record_id"].map(digests))
    left, right = (known[known[split] == name].dropna(subset=["digest"]) for name in pair)
    both = left.merge(right, on="digest", suffixes=("_a", "_b"))
    both = both[both["record_id_a"] != both["record_id_b"]]
    return sorted(zip(both["record_id_a"].astype(str), both["record_id_b"].astype(str), strict=True))


def receipt(checks: list[Check], table_digest: str, content: str | None) -> dict[str, Any]:
    """What training needs to see: the verdict, and which table and store content it was reached on."""
    leaks = [check for check in checks if check.verdict == "leak"]
    return {
        "verdict": "leak" if leaks else "clean",
        "split_sha256": table_digest,
        "store_content": content,
        "checks": [asdict(check) for check in checks],
        "reason": "; ".join(f"{leak.check} {leak.split}: {leak.found}" for leak in leaks),
    }
