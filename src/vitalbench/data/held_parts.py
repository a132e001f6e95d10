"""The parts of a store, each held against its receipt and all against one another, before they are joined."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from vitalbench.data.index import part_of
from vitalbench.data.part_receipt import Made, read_made
from vitalbench.data.standardise import part_files
from vitalbench.data.table_file import read_table
from vitalbench.errors import InputError

_ONE_INDEX = "`vitalbench standardise` makes every part from one index"
_HASH = 16  # bytes of a hash: among a billion records two are taken for one another with a chance of 1e-21


@dataclass
class Parts:
    """The parts as they were held against their receipts.

    Args:
        paths: their HDF5 files.
        made: their receipts.
        schema: of the table of records: what the columns of all parts have in common.
        digests: of each record's samples, in the parts' order.
        patients: how many there are.
    """

    paths: list[Path]
    made: list[Made]
    schema: pa.Schema
    digests: NDArray[np.bytes_]
    patients: int

    @property
    def counts(self) -> list[int]:
        """Records of each part."""
        return [made.records for made in self.made]

    @property
    def records(self) -> int:
        """Of all parts."""
        return sum(self.counts)

    def tables(self) -> Iterator[pd.DataFrame]:
        """Each part's table of records, without `row`, its columns typed as all parts' are."""
        for path in self.paths:
            table = read_table(part_files(path)["records"])
            for column in table.columns[table.isna().all()]:
                table[column] = None  # nothing has no type, whatever it was written as
            yield pa.Table.from_pandas(table, self.schema, preserve_index=False).to_pandas()


def _short_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_HASH]


def _with(schema: pa.Schema | None, table: pd.DataFrame, path: Path) -> pa.Schema:
    """What a part's columns and those of the parts before it have in common; a column without a value goes with any type."""
    own = pa.Schema.from_pandas(table, preserve_index=False).remove_metadata()
    for at in np.flatnonzero(table.isna().all()).tolist():
        own = own.set(at, own.field(at).with_type(pa.null()))
    if schema is None:
        return own
    for column in sorted({*schema.names} ^ {*own.names}):
        told = "is in it and in no part before it" if column in own.names else "is in the parts before it and not in it"
        raise InputError(f"{path}: column '{column}' {told}; {_ONE_INDEX}")
    try:
        return pa.unify_schemas([schema, own], promote_options="permissive")
    except pa.ArrowException as problem:
        raise InputError(
            f"{path}: its columns are not those of the parts before it ({problem}); {_ONE_INDEX}"
        ) from None


def hold(paths: list[Path]) -> Parts:
    """Read each part once, and keep what joining needs of all.

    Raises:
        InputError: a part is other than it was made, holds another part's records, or was made from another index.
    """
    made, digests = [], []
    written: dict[str, pa.DataType] = {}
    patients: set[bytes] = set()
    schema = None
    for number, path in enumerate(paths):
        table, receipt = read_made(path)
        schema = _with(schema, table, path)
        for field in pa.Schema.from_pandas(table, preserve_index=False):
            if not pa.types.is_null(field.type):
                written.setdefault(field.name, field.type)
        own = table["patient_id"].unique()
        if any(part_of(patient, len(paths)) != number for patient in own):
            raise InputError(f"{path}: holds records of another part; delete it to build the part again")
        made.append(receipt)
        digests.append(table["digest"].to_numpy().astype(bytes))
        patients.update(map(_short_hash, own))
    assert schema is not None  # there is a part at least
    # A column that no part has a value in keeps the type it was written with.
    whole = [f.with_type(written.get(f.name, f.type)) if pa.types.is_null(f.type) else f for f in schema]
    return Parts(paths, made, pa.schema(whole), np.concatenate(digests), len(patients))
