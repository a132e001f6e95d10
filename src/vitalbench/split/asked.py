"""Which classes a split asks: all of a task's, or those that are rare among the patients it trains on.

What is rare is decided on the training patients alone. Decided on a release's counts, which hold the test patients too, the choice
of what is scored would rest on whom it is scored on.
"""

from pathlib import Path

import pandas as pd

from vitalbench.config.schema import TaskData
from vitalbench.errors import InputError

COLUMNS = ["class", "train_patients", "of_patients", "share", "asked"]


def asked_classes(records: pd.DataFrame, split: pd.Series, task: TaskData) -> pd.DataFrame:
    """COLUMNS, a row a class of the task: the training patients that carry it, of how many, and whether it is asked.

    Under `rare_below`, a class is asked that a smaller share of them carries, and at least one: from nobody nothing is learnt.

    Args:
        records: a store's, with patient_id and the task's label set.
        split: of each record, in the same order.

    Raises:
        InputError: no class is that rare.
    """
    train = records.loc[(split == "train").to_numpy(), ["patient_id", f"labels:{task.labels}"]]
    patients = train["patient_id"].nunique()
    carried = train.explode(f"labels:{task.labels}").dropna().groupby(f"labels:{task.labels}")["patient_id"].nunique()
    found = [int(carried.get(name, 0)) for name in task.classes]
    rows = pd.DataFrame({"class": task.classes, "train_patients": found, "of_patients": patients})
    rows["share"] = rows["train_patients"] / patients
    limit = task.rare_below
    rows["asked"] = True if limit is None else (rows["share"] < limit) & (rows["train_patients"] > 0)
    if not rows["asked"].any():
        raise InputError(
            f"no class is carried by fewer than {limit or 0:.1%} of the {patients:,} training patients, and by one at least"
        )
    return rows[COLUMNS]


def none_asked(task: TaskData) -> pd.DataFrame:
    """The same of a split that could not be made: nobody is trained on, no class is asked."""
    rows = {"class": task.classes, "train_patients": 0, "of_patients": 0, "share": 0.0, "asked": False}
    return pd.DataFrame(rows)[COLUMNS]


def of_split(path: Path, task: TaskData) -> TaskData:
    """A task with the classes that a split asks.

    Args:
        path: what `asked_classes` found of it, as CSV; only read where the task chooses among its classes.

    Raises:
        InputError: the file is not there, or lists other classes than the task has.
    """
    if task.rare_below is None:
        return task
    try:
        rows = pd.read_csv(path, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `vitalbench split` writes it") from None
    if list(rows.columns) != COLUMNS or list(rows["class"]) != task.classes:
        raise InputError(f"{path}: is of other classes than the task's; make the split again")
    return task.model_copy(update={"classes": rows.loc[rows["asked"].astype(bool), "class"].tolist()})
