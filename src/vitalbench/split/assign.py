"""Who is trained on and who is tested: always whole patients, in a release's official folds where it has them."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import Split, TaskData
from vitalbench.data.datasets import WINDOW
from vitalbench.errors import InputError, choices

SPLITS = ("train", "val", "test", "unused", "pretrain")


def _column(records: pd.DataFrame, split: Split) -> pd.Series:
    if split.column not in records.columns:
        raise InputError(
            f"the records table has no fold column '{split.column}'; {choices(split.column, records.columns)}"
        )
    return records[split.column]


def _official(records: pd.DataFrame, split: Split) -> pd.Series:
    number = pd.to_numeric(_column(records, split), errors="coerce")
    wrong = ~number.isin(range(1, split.folds + 1))
    if wrong.any():
        record, value = records.loc[wrong, ["record_id", split.column]].iloc[0]
        raise InputError(f"record {record}: {split.column} is {value}; allowed: 1 to {split.folds}")
    return number.astype(int)


def _named(records: pd.DataFrame, split: Split) -> pd.Series:
    """The splits that a release states for its records, by their names."""
    named = _column(records, split)
    wrong = ~named.isin(SPLITS)
    if wrong.any():
        record, value = records.loc[wrong, ["record_id", split.column]].iloc[0]
        raise InputError(f"record {record}: {split.column} is {value!r}; {choices(value, SPLITS)}")
    return named


def _drawn(patient: str) -> int:
    return int.from_bytes(hashlib.sha256(f"split/{patient}".encode()).digest()[:8], "big")


def _hashed(records: pd.DataFrame, split: Split) -> pd.Series:
    """A fold by a hash of the patient's id: it does not move when other patients come or go."""
    patients = records["patient_id"]
    return patients.map({patient: _drawn(patient) % split.folds + 1 for patient in patients.unique()})


def _dealt(records: pd.DataFrame, split: Split) -> pd.Series:
    """Folds of as many patients, to one: a patient who comes or goes moves others."""
    in_order = sorted(records["patient_id"].unique(), key=lambda patient: (_drawn(patient), patient))
    if len(in_order) < split.folds:
        raise InputError(
            f"{len(in_order)} patients cannot be dealt into {split.folds} folds; allowed: {len(in_order)} folds at most"
        )
    return records["patient_id"].map({patient: at % split.folds + 1 for at, patient in enumerate(in_order)})


_FOLDS = {"official": _official, "patient-hash": _hashed, "patient-dealt": _dealt}


def _split(records: pd.DataFrame, split: Split, fold: int) -> NDArray[np.object_]:
    """Each record's split, unlabelled ones among them."""
    if split.method == "named":
        return _named(records, split).to_numpy(dtype=object)
    if split.method == "external":
        return _external(records, split, fold)
    column = split.official_in(records.columns)
    how = split.model_copy(update={"method": "official", "column": column}) if column else split
    number = _FOLDS[how.method](records, how)
    original = (number - 1 + fold) % split.folds + 1
    return np.select([original.isin(split.test), original.isin(split.val)], ["test", "val"], "train").astype(object)


def _external(records: pd.DataFrame, split: Split, fold: int) -> NDArray[np.object_]:
    """One source by its official folds or drawn by patient, others to test on, the rest unused."""
    source = _column(records, split).astype(str)
    for name in (str(split.train_on), *split.test_on):
        if not (source == name).any():
            raise InputError(f"no record of '{name}' in {split.column}; {choices(name, sorted(set(source)))}")
    how = {"method": "official", "column": split.folds_column} if split.folds_column else {"method": "patient-hash"}
    own = (source == split.train_on).to_numpy()
    found = np.where(source.isin(split.test_on), "test", "unused").astype(object)
    found[own] = _split(records[own], split.model_copy(update=how), fold)
    return found


def _fewer(patients: pd.Series, split: NDArray[np.object_], wanted: int) -> NDArray[np.object_]:
    """A split that trains on so many patients: those whose ids' hashes come first, so that a larger number holds a smaller one.

    The others are unused, and val and test stay as they are: every number is scored on the same patients.
    """
    training = patients[split == "train"].unique()
    if wanted > len(training):
        raise InputError(f"train_patients is {wanted:,}; the split has {len(training):,} patients to train on")
    chosen = sorted(training, key=lambda name: hashlib.sha256(f"rung/{name}".encode()).digest())[:wanted]
    out = (split == "train") & ~patients.isin(chosen).to_numpy()
    return np.where(out, "unused", split).astype(object)


def all_unused(records: pd.DataFrame) -> pd.DataFrame:
    """What stands in the place of a split that could not be made: record_id, patient_id, split, of records that are in none."""
    return records[["record_id", "patient_id"]].assign(split="unused")


def assign(records: pd.DataFrame, task: TaskData, fold: int, copies: pd.Series | None = None) -> pd.DataFrame:
    """Assign every record to a split.

    Args:
        records: a store's records table.
        task: names the split, the label set, and what happens to records without a label (`unlabelled`): `drop` makes
            them `unused`, as the PTB-XL benchmark does; `keep` keeps them with no class.
        copies: records that are one recording with another, each with the other's id, by their own: they are `unused`.
        fold: 0 is the split as the task states it; fold k takes validation and test k folds earlier, round the circle.

    Returns:
        record_id, patient_id, split, of windows recording_id, start_s, end_s, and where there are copies copy_of; in the order of
        `records`.

    Raises:
        InputError: a label set, a subgroup or a fold column that the data set does not have, a label that is no class of the
            task, a fold out of range, or a split left empty.
    """
    column = f"labels:{task.labels}"
    if column not in records.columns:
        known = [name.removeprefix("labels:") for name in records.columns if name.startswith("labels:")]
        raise InputError(f"the data set has no label set '{task.labels}'; {choices(task.labels, known)}")
    carried = set().union(*records[column])
    if not carried <= set(task.classes):
        stranger = min(carried - set(task.classes))
        raise InputError(
            f"label set '{task.labels}' holds '{stranger}', which is no class of the task; {choices(stranger, task.classes)}"
        )
    known = [name.removeprefix("group:") for name in records.columns if name.startswith("group:")]
    for subgroup in task.subgroups:
        if subgroup not in known:
            raise InputError(f"the data set has no subgroups '{subgroup}'; {choices(subgroup, known)}")
    if not 0 <= fold < task.split.rounds:
        raise InputError(f"fold {fold}: the task's split has folds 0 to {task.split.rounds - 1}")
    split = _split(records, task.split, fold)
    if task.unlabelled == "drop":
        split = np.where(records[column].map(len) == 0, "unused", split)
    twins = records["record_id"].map(copies) if copies is not None and len(copies) else None
    if twins is not None:
        split = np.where(twins.notna(), "unused", split).astype(object)
    if task.train_patients is not None:
        split = _fewer(records["patient_id"], split, task.train_patients)
    windows = [column for column in WINDOW if column in records.columns]  # for the audit: which share time
    assigned = records[["record_id", "patient_id", *windows]].assign(split=split)
    if twins is not None:
        assigned["copy_of"] = twins.fillna("")
    empty = {"train", "test"} - set(split)
    if empty:
        raise InputError(f"the split leaves no record to {min(empty)}: {assigned['split'].value_counts().to_dict()}")
    return assigned
