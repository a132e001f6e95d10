"""The index of a release: its records, what of them is carried into the store, which part each goes to, the rows of one part."""

import hashlib
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vitalbench.config.dataset import DatasetBuild, Source
from vitalbench.data.datasets import FAULT, NOTICE, RECORDING, WINDOW
from vitalbench.data.table_file import read_table, write_parquet
from vitalbench.errors import InputError, choices
from vitalbench.privacy.access_log import note
from vitalbench.privacy.field_names import by_name
from vitalbench.privacy.identifying import by_value, masked
from vitalbench.privacy.key import Key, need_key
from vitalbench.privacy.pseudonym import pseudonyms
from vitalbench.privacy.vault import SealedWriter
from vitalbench.progress import say

_IDS = {"record_id": "record", "patient_id": "patient"}
_NEEDED = ("record_id", "patient_id", "file")  # without these there is no index
_FAMILIES = ("labels:", "group:", "truth:", "boxes:")


def part_of(patient_id: str, parts: int) -> int:
    """The part a patient's records go to: fixed by the id alone, so an added patient touches one part.

    >>> part_of("ptbxl/15709", 4) == part_of("ptbxl/15709", 4) < 4
    True
    """
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big") % parts


def hidden_ids(config: DatasetBuild, source: Source) -> list[str]:
    """The id columns that the store holds pseudonyms of: those not listed under `carry`. Generated ids are nobody's."""
    return [] if source == "generated" else [column for column in _IDS if column not in config.carry]


def carried(index: pd.DataFrame, name: str, carry: list[str]) -> pd.DataFrame:
    """What of an index goes into the store: ids and file, label sets, subgroups, a stand-in's truth, and what `carry` lists.

    Raises:
        InputError: `carry` lists a column that is not there, or a label set or subgroup that it does not list looks identifying.
    """
    missing = [column for column in carry if column not in index.columns]
    if missing:
        raise InputError(
            f"data set '{name}': carry: the release has no column '{missing[0]}'; {choices(missing[0], index.columns)}"
        )
    wanted = (*_NEEDED, *WINDOW, FAULT, NOTICE, *carry)
    kept = [column for column in index.columns if column in wanted or column.startswith(_FAMILIES)]
    for column in kept:
        if column in wanted:
            continue
        values = index[column].explode().dropna().astype(str).unique()
        seen = by_value(values)
        what = by_name(column.partition(":")[2]) or (seen and seen[0])
        if what:
            shape = f", as in {masked(seen[1])}" if seen else ""
            raise InputError(
                f"data set '{name}': column '{column}' looks like {what}{shape}; it is carried only where listed under 'carry'"
            )
    dropped = [str(column) for column in index.columns if column not in kept]
    if dropped:
        say(f"{name}: not carried into the store: {', '.join(dropped)}")
    return index[kept]


def part_index(index: pd.DataFrame, name: str, config: DatasetBuild, source: Source) -> pd.DataFrame:
    """What is carried of a module's index: ids as <dataset>/<id or pseudonym>, and the part of each record in a first column."""
    spaced = carried(index, name, config.carry).copy()
    hidden = hidden_ids(config, source)
    why = f"data set '{name}': hiding {' and '.join(hidden)}, which its 'carry' does not list,"
    key = need_key(why) if hidden else None
    of_windows = {RECORDING: "record_id"} if RECORDING in spaced.columns else {}
    for column in (*_IDS, *of_windows):
        ids, as_this = spaced[column], of_windows.get(column, column)  # a recording's id is part of its windows' ids
        kind = _IDS[as_this]
        if key and as_this in hidden:
            ids = ids.map(pseudonyms(ids.unique(), kind, name, key))
        spaced[column] = name + "/" + ids
    part = {patient: part_of(patient, config.parts) for patient in spaced["patient_id"].unique()}
    spaced.insert(0, "part", spaced["patient_id"].map(part))
    return spaced


def write_index(index: pd.DataFrame, path: Path, key: Key | None = None) -> None:
    """Write an index with a row group a part, so that reading one part's rows costs no more for the others; sealed with a key."""
    note(path.parent, "the release's index", len(index), encrypted=key is not None)
    schema = pa.Schema.from_pandas(index, preserve_index=False)

    def write(target: IO[bytes] | SealedWriter) -> None:
        with pq.ParquetWriter(target, schema) as writer:
            for _, rows in index.groupby("part"):
                writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False))

    write_parquet(path, key, write)


def read_part(path: Path, part: int) -> pd.DataFrame:
    """The rows of one part, in the release's order, without the column `part`.

    Raises:
        InputError: the index is missing or damaged.
    """
    try:
        rows = read_table(path, filters=[("part", "==", part)])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `vitalbench acquire` writes it") from None
    note(path.parent, "records of the release", len(rows))
    return rows.drop(columns="part").reset_index(drop=True)
