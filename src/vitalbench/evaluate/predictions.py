"""The predictions file: what it may hold, and one clear line for what it may not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import MACRO, Kind
from vitalbench.errors import InputError, choices
from vitalbench.split.assign import SPLITS

SCORED = ("train", "val", "test", "pretrain")
_SUM_TOLERANCE = 1e-3
_IDS = ("record_id", "patient_id", "split")
# What pandas reads as empty by itself. Numbers are read so; in an id or a subgroup "NA" is a text like another.
_NO_NUMBER = [
    "", " ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
]  # fmt: skip


@dataclass(frozen=True)
class Predictions:
    """Validated predictions.

    Attributes:
        y: (records, classes) truth; NaN where a record is not labelled for a class.
        p: (records, classes) probabilities.
        groups: a column a grouping, without its prefix; None where a record is in no subgroup of it.
        weight: (records,) or None.
    """

    classes: list[str]
    record_id: NDArray[np.object_]
    patient_id: NDArray[np.object_]
    split: NDArray[np.object_]
    y: NDArray[np.float64]
    p: NDArray[np.float64]
    groups: pd.DataFrame
    weight: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.record_id)

    @property
    def weights(self) -> NDArray[np.float64]:
        """(records,) how much each record counts; 1 where the file does not say."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def patients_in_several_splits(self) -> list[str]:
        """Patients whose records stand in more than one split."""
        splits = pd.Series(self.split).groupby(self.patient_id).nunique()
        return sorted(map(str, splits.index[splits > 1]))

    def take(self, rows: NDArray[np.bool_]) -> "Predictions":
        """The rows where `rows` is true."""
        weight = None if self.weight is None else self.weight[rows]
        return Predictions(
            self.classes, self.record_id[rows], self.patient_id[rows], self.split[rows], self.y[rows], self.p[rows],
            self.groups[rows].reset_index(drop=True), weight,
        )  # fmt: skip


def together(several: Sequence[Predictions]) -> Predictions:
    """Predictions for the same classes, one after the other."""
    columns = ("record_id", "patient_id", "split", "y", "p")
    joined = {name: np.concatenate([getattr(one, name) for one in several]) for name in columns}
    groups = pd.concat([one.groups for one in several], ignore_index=True)
    weighted = any(one.weight is not None for one in several)
    weight = np.concatenate([one.weights for one in several]) if weighted else None
    return Predictions(several[0].classes, **joined, groups=groups, weight=weight)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            header = pd.read_csv(path, nrows=0).columns
            texts = [name for name in header if name in _IDS or name.startswith("group:")]
            empty = {name: [""] if name in texts else _NO_NUMBER for name in header}
            return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=empty)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: not readable as {path.suffix[1:]}: {' '.join(str(error).split())[:200]}") from None
    raise InputError(f"{path}: the ending is '{path.suffix}'; {choices(path.suffix, ['.parquet', '.csv'])}")


def _missing(column: pd.Series) -> NDArray[np.bool_]:
    """Where a text is empty: parquet tells no text from an empty one, CSV does not."""
    return np.asarray(column.isna() | (column.astype(str) == ""), dtype=bool)


def _subgroups(table: pd.DataFrame) -> pd.DataFrame:
    found = {}
    for name in table.columns:
        if str(name).startswith("group:"):
            texts = table[name].astype(str).to_numpy(dtype=object, copy=True)
            texts[_missing(table[name])] = None
            found[str(name).removeprefix("group:")] = texts
    return pd.DataFrame(found, index=pd.RangeIndex(len(table)), dtype=object)


def _weights(table: pd.DataFrame, path: Path) -> NDArray[np.float64] | None:
    if "weight" not in table.columns:
        return None
    weight = _numbers(table, "weight", path)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise InputError(f"{path}: column 'weight' must be finite and not negative")
    for split in SCORED:
        rows = np.asarray(table["split"] == split, dtype=bool)
        if rows.any() and not weight[rows].any():
            raise InputError(f"{path}: column 'weight' is 0 for every record of split '{split}'; one must be above 0")
    return weight


def _numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float64]:
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = numbers.isna() & table[column].notna()
    if wrong.any():
        raise InputError(
            f"{path}: row {int(wrong.argmax()) + 1}: '{column}' is {table[column][wrong].iloc[0]!r}, not a number"
        )
    return numbers.to_numpy(dtype=np.float64)


def _columns(table: pd.DataFrame, prefix: str, classes: list[str], path: Path) -> NDArray[np.float64]:
    missing = [name for name in classes if f"{prefix}{name}" not in table.columns]
    if missing:
        raise InputError(
            f"{path}: column '{prefix}{missing[0]}' is missing; {choices(prefix + missing[0], table.columns)}"
        )
    return np.column_stack([_numbers(table, prefix + name, path) for name in classes])


def _first(wrong: NDArray[np.bool_], ids: NDArray[np.object_], classes: list[str]) -> str:
    row, column = np.argwhere(wrong)[0]
    return f"record {ids[row]}, class {classes[column]}"


def read_predictions(path: Path, kind: Kind) -> Predictions:
    """Read `record_id, patient_id, split, y_true:<class>, y_prob:<class>` with optional `group:<name>` and `weight`.

    Raises:
        InputError: a column is missing or not numeric, a probability lies outside [0, 1], a truth is not what the kind of task
            allows, a record stands there twice, an id or a split is empty or unknown, no split is one that is scored, all
            weights of a split are 0, a class is named as the mean over classes is.
    """
    table = _read(path)
    for column in _IDS:
        if column not in table.columns:
            raise InputError(f"{path}: column '{column}' is missing; {choices(column, table.columns)}")
        missing = _missing(table[column])
        if missing.any():
            raise InputError(f"{path}: row {int(missing.argmax()) + 1}: '{column}' is empty")
    if table.empty:
        raise InputError(f"{path}: holds no row")
    classes = [str(column).removeprefix("y_true:") for column in table.columns if str(column).startswith("y_true:")]
    if not classes:
        raise InputError(f"{path}: no column 'y_true:<class>'; found: {', '.join(map(str, table.columns))}")
    if MACRO in classes:
        raise InputError(
            f"{path}: column 'y_true:{MACRO}': no class may be named '{MACRO}', the label of the mean over classes"
        )
    extra = [
        str(c) for c in table.columns if str(c).startswith("y_prob:") and str(c).removeprefix("y_prob:") not in classes
    ]
    if extra:
        raise InputError(f"{path}: column '{extra[0]}' has no column 'y_true:' beside it")
    y, p = _columns(table, "y_true:", classes, path), _columns(table, "y_prob:", classes, path)
    ids = table["record_id"].astype(str).to_numpy(dtype=object)
    unknown = set(table["split"].astype(str)) - set(SPLITS)
    if unknown:
        raise InputError(f"{path}: split {min(unknown)!r}; {choices(min(unknown), SPLITS)}")
    if not table["split"].isin(SCORED).any():
        raise InputError(f"{path}: no row is in a split that is scored; allowed: {', '.join(SCORED)}")
    twice = pd.Series(ids).duplicated()
    if twice.any():
        raise InputError(f"{path}: record {ids[int(twice.argmax())]} stands there twice")
    outside = ~((p >= 0) & (p <= 1))
    if outside.any():
        raise InputError(f"{path}: {_first(outside, ids, classes)}: a probability must lie in [0, 1]")
    _check_truth(path, kind, y, p, ids, classes)
    return Predictions(
        classes, ids, table["patient_id"].astype(str).to_numpy(dtype=object), table["split"].astype(str).to_numpy(dtype=object),
        y, p, _subgroups(table), _weights(table, path),
    )  # fmt: skip


def _check_truth(
    path: Path, kind: Kind, y: NDArray[np.float64], p: NDArray[np.float64], ids: NDArray[np.object_], classes: list[str]
) -> None:
    labelled = ~np.isnan(y)
    if kind == "softlabel":
        wrong = labelled & ~((y >= 0) & (y <= 1))
        if wrong.any():
            raise InputError(f"{path}: {_first(wrong, ids, classes)}: a soft label must lie in [0, 1]")
    else:
        wrong = labelled & (y != 0) & (y != 1)
        if wrong.any():
            raise InputError(f"{path}: {_first(wrong, ids, classes)}: a {kind} truth must be 0, 1 or empty")
    if kind == "binary" and len(classes) != 1:
        raise InputError(f"{path}: a binary task has one class, this file has {len(classes)}: {', '.join(classes)}")
    if kind not in ("multiclass", "softlabel"):
        return
    if len(classes) < 2:
        raise InputError(f"{path}: a {kind} task has two classes or more")
    whole = labelled.all(axis=1)
    partly = labelled.any(axis=1) & ~whole
    if partly.any():
        raise InputError(
            f"{path}: record {ids[int(partly.argmax())]}: a {kind} truth is given for all classes or for none"
        )
    for name, values, rows in (("y_true", y, whole), ("y_prob", p, np.ones(len(p), dtype=bool))):
        sums = values.sum(axis=1)
        off = rows & (np.abs(sums - 1) > _SUM_TOLERANCE)
        if off.any():
            raise InputError(f"{path}: record {ids[int(off.argmax())]}: its {name} sum to {sums[off][0]:.4f}, not 1")
