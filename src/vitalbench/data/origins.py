"""Of a data set that is made of several sources, what each really adds: a recording counts once, whichever of them has it.

Two records are one recording by the same samples, or as whoever searched a store for copies that differ in them says
(split/neighbours.py): those pairs are handed in, for a stage knows none that comes after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.strict import validated
from vitalbench.data.datasets import load
from vitalbench.data.store import read_records
from vitalbench.data.table_file import read_table
from vitalbench.files import read_json

ORIGIN = "group:origin"  # the column that says of which source a record is


@dataclass(frozen=True)
class Origin:
    """What one of the sources that a data set is made of really adds to it.

    Attributes:
        listed: its records in the index, or beside it in the release.
        kept_out: of those, quarantined, or not taken.
        copies: of the same samples as a record that was counted before, of this source or another.
        near: one recording with such a record though their samples differ; None where nobody looked.
    """

    listed: int
    kept_out: int
    copies: int
    near: int | None

    @property
    def adds(self) -> int:
        """Recordings that are there once, as far as was looked."""
        return self.listed - self.kept_out - self.copies - (self.near or 0)


def ranks(sources: Iterable[str], known: dict[str, int]) -> None:
    """Number sources as they first come, below those that are known already."""
    for source in sources:
        known.setdefault(source, len(known))


def copies(records: pd.DataFrame, near: pd.DataFrame | None = None) -> pd.Series:
    """The records that are one recording with one that counts: that one's id, by their own.

    Of one recording the record counts whose source comes first in the store, and of one source whose id does; so do the findings
    `duplicate` have it (data/join.py).

    Args:
        records: a store's, with `digest`, in the order of its rows.
        near: pairs of its records that are one recording though their samples differ, record_a and record_b.
    """
    known: dict[str, int] = {}
    sources = records[ORIGIN] if ORIGIN in records.columns else pd.Series("", index=records.index)
    ranks(sources.unique(), known)
    by_rank = records.assign(rank=sources.map(known)).sort_values(["rank", "record_id"])
    first = by_rank.groupby(_one_recording(by_rank, near))["record_id"].transform("first")
    again = (first != by_rank["record_id"]).to_numpy()
    return pd.Series(first[again].to_numpy(), index=by_rank.loc[again, "record_id"].to_numpy(), dtype=object)


def _one_recording(stored: pd.DataFrame, near: pd.DataFrame | None) -> NDArray[np.intp]:
    """A number a record, the same for all of one recording, be it by way of others."""
    same = stored["digest"].factorize()[0]
    if near is None or near.empty:
        return same
    of = dict(zip(stored["record_id"], same, strict=True))
    a, b = (near[name].map(of).to_numpy(dtype=np.intp) for name in ("record_a", "record_b"))
    count = int(same.max()) + 1
    joined = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)[1]
    found: NDArray[np.intp] = joined[same]
    return found


def copies_are_unused(folder: Path) -> bool:
    """Whether the data set that was built in `folder` uses one record of a recording and no other."""
    made = read_json(folder / "config.json")
    return validated(DatasetBuild, made["config"], folder / "config.json").copies == "unused"


def unused_copies(folder: Path, records: pd.DataFrame, near: pd.DataFrame | None = None) -> pd.Series:
    """The copies among a store's records that no split uses, as `copies`; none where the data set does not say so.

    Args:
        folder: where the store was built.
        near: as `copies` takes it.
    """
    if not copies_are_unused(folder):
        return pd.Series(dtype=object)
    return copies(records, near)


def several(index: pd.DataFrame) -> bool:
    """Whether a data set's index is of more than one source."""
    return ORIGIN in index.columns and len(index[ORIGIN].unique()) > 1


def by_origin(index: pd.DataFrame, records: pd.DataFrame, near: pd.DataFrame | None = None) -> dict[str, Origin]:
    """By source, in the order of the index; of one recording one record counts, as `copies` says.

    Args:
        index: the data set's, of all that it lists.
        records: its store's.
        near: as `copies` takes it; None where nobody looked for such pairs.
    """
    if not several(index):
        return {}
    same, all_of_them = (copies(records, pairs).index for pairs in (None, near))
    tables = index, records, *(records[records["record_id"].isin(names)] for names in (same, all_of_them))
    listed, kept, twice, again = (table[ORIGIN].value_counts() for table in tables)

    def of(name: str, count: int) -> Origin:
        identical = int(twice.get(name, 0))
        return Origin(
            count,
            count - int(kept.get(name, 0)),
            identical,
            None if near is None else int(again.get(name, 0)) - identical,
        )

    return {str(name): of(str(name), int(count)) for name, count in listed.reindex(index[ORIGIN].unique()).items()}


def left_out(folder: Path, index: pd.DataFrame) -> dict[str, Origin]:
    """What lies in the releases that a data set in `folder` is made of, and is in no row of its index."""
    made = read_json(folder / "config.json")
    config = validated(DatasetBuild, made["config"], folder / "config.json")
    told = getattr(load(config.module), "left_out", None)
    root = Path(made["root"]) if made["root"] else folder / "release"
    found = told(root, config, index) if told and root.is_dir() else {}
    return {name: Origin(kept_out + copies, kept_out, copies, 0) for name, (kept_out, copies) in found.items()}


def origins_in(folder: Path, near: pd.DataFrame | None = None) -> dict[str, Origin]:
    """Both, of a data set that was built in `folder`; empty for one of a single source.

    Args:
        near: as `copies` takes it; None where nobody looked for such pairs.
    """
    index = read_table(folder / "index.parquet")
    return by_origin(index, read_records(folder / "store.h5"), near) | left_out(folder, index)
