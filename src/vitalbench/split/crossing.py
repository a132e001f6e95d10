"""What two splits may share, a function a kind: each returns the pairs (a, b) that cross from the one split to the other."""

from typing import Any

import numpy as np
import pandas as pd

from vitalbench.errors import InputError

# Splits that must be strangers to one another; pre-training and training may share patients.
PAIRS = (("train", "val"), ("train", "test"), ("val", "test"), ("pretrain", "val"), ("pretrain", "test"))
_TOUCHING_S = 1e-6  # less than any sample: what arithmetic leaves between an end and the start that follows it
FITTING = ("train", "pretrain")  # whose records statistics may be fitted on

Pair = tuple[str, str]
Found = list[tuple[str, str]]


def shared(table: pd.DataFrame, split: str, by: str, pair: Pair) -> Found:
    """Values of a column (patient, record, site ...) that stand in both splits; an empty one is no value."""
    sides = [set(table.loc[table[split] == name, by].dropna().astype(str)) - {""} for name in pair]
    return [(value, value) for value in sorted(sides[0] & sides[1])]


def lookalikes(table: pd.DataFrame, split: str, ids: pd.DataFrame, pair: Pair) -> Found:
    """Ids of two splits that differ in writing only: 001 and 1, 1.0 and 1, a and A.

    Args:
        ids: row by row beside `table`, each `id`, and its `plain` writing (split/id_writing.py).
    """
    left, right = (ids[(table[split] == name).to_numpy()].drop_duplicates() for name in pair)
    both = left.merge(right.dropna(), on="plain", suffixes=("_a", "_b"))
    both = both[both["id_a"] != both["id_b"]]
    return sorted(zip(both["id_a"], both["id_b"], strict=True))


def identical(table: pd.DataFrame, split: str, digests: pd.Series, pair: Pair) -> Found:
    """Records of two splits with the same samples, though their names differ."""
    known = table.assign(digest=table["record_id"].map(digests))
    left, right = (known[known[split] == name].dropna(subset=["digest"]) for name in pair)
    both = left.merge(right, on="digest", suffixes=("_a", "_b"))
    both = both[both["record_id_a"] != both["record_id_b"]]
    return sorted(zip(both["record_id_a"].astype(str), both["record_id_b"].astype(str), strict=True))


def near_duplicates(
    table: pd.DataFrame, split: str, copies: pd.DataFrame, digests: pd.Series | None, pair: Pair
) -> Found:
    """Records of two splits that are one recording though their samples differ."""
    sides = [set(table.loc[table[split] == name, "record_id"]) for name in pair]
    a, b = (copies[name].astype(str) for name in ("record_a", "record_b"))
    same = (a.map(digests) == b.map(digests)) if digests is not None else pd.Series(False, index=copies.index)
    forward, backward = a.isin(sides[0]) & b.isin(sides[1]), b.isin(sides[0]) & a.isin(sides[1])
    found = set(zip(a[forward & ~same], b[forward & ~same], strict=True))
    return sorted(found | set(zip(b[backward & ~same], a[backward & ~same], strict=True)))


def outside_training(table: pd.DataFrame, split: str, fitted_on: set[str]) -> Found:
    """Records that statistics were fitted on, each with the split it stands in, that are no training records."""
    home = table.loc[~table[split].isin(FITTING)].groupby("record_id")[split].first()
    allowed = set(table.loc[table[split].isin(FITTING), "record_id"])
    return [(record, str(home.get(record, "(no split)"))) for record in sorted(fitted_on - allowed)]


def window_times(table: pd.DataFrame) -> pd.DataFrame:
    """The table with start_s and end_s as numbers.

    Raises:
        InputError: one that is none, or a window that ends before it starts.
    """
    timed = table.assign(**{column: pd.to_numeric(table[column], errors="coerce") for column in ("start_s", "end_s")})
    finite = np.isfinite(timed["start_s"]) & np.isfinite(timed["end_s"])
    wrong = ~finite | (timed["end_s"] <= timed["start_s"])
    if wrong.any():
        raise InputError(f"row {int(wrong.argmax()) + 1}: start_s and end_s must be numbers, with end_s after start_s")
    return timed


def overlapping_windows(timed: pd.DataFrame, split: str) -> dict[Pair, Found]:
    """Windows of one recording that share time and lie in different splits; windows that only touch share none.

    Args:
        timed: as `window_times` returns it, with recording_id.
    """
    found: dict[Pair, Found] = {pair: [] for pair in PAIRS}
    used = timed[timed[split] != "unused"]
    for _, windows in used.groupby("recording_id"):
        if windows[split].nunique() < 2:
            continue
        live: list[tuple[float, str, str]] = []
        rows: Any = windows.sort_values(["start_s", "end_s"])[["record_id", split, "start_s", "end_s"]]
        for record, name, start, end in rows.itertuples(index=False):
            live = [window for window in live if window[0] - start > _TOUCHING_S]
            for _, other, other_name in live:
                if (name, other_name) in found:
                    found[name, other_name].append((record, other))
                elif (other_name, name) in found:
                    found[other_name, name].append((other, record))
            live.append((end, record, name))
    return found
