"""Of a data set that is made of several sources, what each really adds: a recording counts once, whichever of them has it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.strict import validated
from vitalbench.data.datasets import load
from vitalbench.data.store import read_records
from vitalbench.data.table_file import read_table
from vitalbench.files import read_json

_ORIGIN = "group:origin"


@dataclass(frozen=True)
class Origin:
    """What one of the sources that a data set is made of really adds to it.

    Attributes:
        listed: its records in the index, or beside it in the release.
        kept_out: of those, quarantined, or not taken.
        copies: one recording with a record that was counted before it, of this source or another.
    """

    listed: int
    kept_out: int
    copies: int

    @property
    def adds(self) -> int:
        """Recordings that are there once."""
        return self.listed - self.kept_out - self.copies


def copies(index: pd.DataFrame, records: pd.DataFrame) -> pd.Series:
    """The records whose samples one before them in the index has too: that one's id, by their own.

    Args:
        index: the data set's, of all that it lists; of one recording, the first record in it is the one that counts.
        records: its store's, with `digest`.
    """
    order = {record: at for at, record in enumerate(index["record_id"])}
    stored = records.sort_values("record_id", key=lambda names: names.map(order))
    first = stored.groupby("digest")["record_id"].transform("first")
    again = first != stored["record_id"]
    return pd.Series(first[again].to_numpy(), index=stored.loc[again, "record_id"].to_numpy(), dtype=object)


def unused_copies(folder: Path, records: pd.DataFrame) -> pd.Series:
    """The copies among a store's records that no split uses, as `copies`; none where the data set does not say so.

    Args:
        folder: where the store was built.
    """
    made = read_json(folder / "config.json")
    if validated(DatasetBuild, made["config"], folder / "config.json").copies == "used":
        return pd.Series(dtype=object)
    return copies(read_table(folder / "index.parquet"), records)


def by_origin(index: pd.DataFrame, records: pd.DataFrame) -> dict[str, Origin]:
    """By source, in the order of the index; the first record of a recording is the one that counts.

    Args:
        index: the data set's, of all that it lists.
        records: its store's.
    """
    if _ORIGIN not in index.columns or index[_ORIGIN].nunique() < 2:
        return {}
    again = records[records["record_id"].isin(copies(index, records).index)]
    listed, kept, twice = (table[_ORIGIN].value_counts() for table in (index, records, again))
    return {
        str(name): Origin(int(count), int(count - kept.get(name, 0)), int(twice.get(name, 0)))
        for name, count in listed.reindex(index[_ORIGIN].unique()).items()
    }


def left_out(folder: Path, index: pd.DataFrame) -> dict[str, Origin]:
    """What lies in the releases that a data set in `folder` is made of, and is in no row of its index."""
    made = read_json(folder / "config.json")
    config = validated(DatasetBuild, made["config"], folder / "config.json")
    told = getattr(load(config.module), "left_out", None)
    root = Path(made["root"]) if made["root"] else folder / "release"
    found = told(root, config, index) if told and root.is_dir() else {}
    return {name: Origin(kept_out + copies, kept_out, copies) for name, (kept_out, copies) in found.items()}


def origins_in(folder: Path) -> dict[str, Origin]:
    """Both, of a data set that was built in `folder`; empty for one of a single source."""
    index = read_table(folder / "index.parquet")
    return by_origin(index, read_records(folder / "store.h5")) | left_out(folder, index)
