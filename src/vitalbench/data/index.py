"""The index of a release: its records, which part of the store each goes to, and the rows of one part alone."""

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vitalbench.errors import InputError
from vitalbench.files import atomic


def part_of(patient_id: str, parts: int) -> int:
    """The part a patient's records go to: fixed by the id alone, so an added patient touches one part.

    >>> part_of("ptbxl/15709", 4) == part_of("ptbxl/15709", 4) < 4
    True
    """
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big") % parts


def part_index(index: pd.DataFrame, name: str, parts: int) -> pd.DataFrame:
    """A data set module's index with ids namespaced as <dataset>/<id>, and the part of each record in a first column."""
    spaced = index.assign(record_id=name + "/" + index["record_id"], patient_id=name + "/" + index["patient_id"])
    part = {patient: part_of(patient, parts) for patient in spaced["patient_id"].unique()}
    spaced.insert(0, "part", spaced["patient_id"].map(part))
    return spaced


def write_index(index: pd.DataFrame, path: Path) -> None:
    """Write an index with a row group a part, so that reading one part's rows costs no more for the others."""
    schema = pa.Schema.from_pandas(index, preserve_index=False)
    with atomic(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for _, rows in index.groupby("part"):
            writer.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False))


def read_part(path: Path, part: int) -> pd.DataFrame:
    """The rows of one part, in the release's order, without the column `part`.

    Raises:
        InputError: the index is missing or damaged.
    """
    try:
        rows = pd.read_parquet(path, filters=[("part", "==", part)])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `vitalbench acquire` writes it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as parquet: {error}") from None
    return rows.drop(columns="part").reset_index(drop=True)
