"""Near-duplicate records of a store, found once whatever the split: the same recording under another name, moved, rescaled, noisy.

Two steps. Every record is described in a kilobyte that a shift in time leaves alone, and each is paired with the records described
most alike, by blocked matrix products. Those pairs alone are aligned sample by sample (split/alignment.py). Memory holds the
descriptions and a few blocks; the band-limited samples, a quarter of a 100 Hz store, are kept in a file without a name while it
runs (split/scratch.py).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vitalbench.data.datasets import RECORDING
from vitalbench.data.store import Store, read_records
from vitalbench.errors import InputError
from vitalbench.files import atomic, read_json
from vitalbench.privacy.vault import is_sealed
from vitalbench.split import image_copies, recordings
from vitalbench.split.alignment import align, spectra
from vitalbench.split.fingerprint import Floats, Projection, describe, prepare
from vitalbench.split.scratch import SampleFile

COLUMNS = ["record_a", "record_b", "similarity", "concentration", "lag_s", "copy"]
METHOD = "5"  # of the search; pairs found by another are looked for again
PER_RECORD = 16  # records aligned with each, at first
_SAMPLE = 2048  # records the description is fitted on
_READ, _COMPARE, _ALIGN = 128, 512, 256  # records read, records compared, pairs aligned at once
_CONTENT, _METHOD = b"store_content", b"method"


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def candidates(
    described: Floats, pool: Executor, wanted: int = PER_RECORD, of: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """(pairs, 2) positions, the lower first: each record (or those at `of`) with the `wanted` described most alike."""
    count = len(described)
    wanted = min(wanted, count - 1)
    asked = np.arange(count) if of is None else of

    def nearest(block: slice) -> NDArray[np.intp]:
        mine = asked[block]
        alike = described[mine] @ described.T
        alike[np.arange(len(mine)), mine] = -2  # not itself
        return np.argpartition(alike, count - wanted, axis=1)[:, count - wanted :].copy()  # not the whole row with it

    other = np.concatenate(list(pool.map(nearest, _blocks(len(asked), _COMPARE))))
    pairs: NDArray[np.intp] = np.unique(
        np.sort(np.column_stack([np.repeat(asked, wanted), other.ravel()]), axis=1), axis=0
    )
    return pairs


def _without(pairs: NDArray[np.intp], known: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return pairs[~np.isin(pairs[:, 0] * count + pairs[:, 1], known[:, 0] * count + known[:, 1])]


def _align_block(samples: SampleFile, pairs: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    needed, where = np.unique(pairs, return_inverse=True)
    prepared = samples[needed].astype(np.float32)
    at = where.reshape(-1, 2)
    found = align(prepared, spectra(prepared), at[:, 0], at[:, 1])
    return np.column_stack([found.similarity, found.concentration, found.lag]), found.copies


@dataclass(frozen=True)
class Signals:
    """Where a search reads its records: a store, or a store with copies planted in it.

    Attributes:
        read: positions in, (records, leads, samples) out.
        seconds: a record's length.
        encrypted: whether samples may reach a disk sealed only.
    """

    count: int
    rate_hz: float
    seconds: float
    read: Callable[[NDArray[np.intp]], Floats]
    encrypted: bool = False


def _describe_all(signals: Signals, folder: Path, pool: Executor, open_files: ExitStack) -> tuple[SampleFile, Floats]:
    """Every record's prepared samples, in a file, and its description."""
    every = np.arange(signals.count)

    def prepared(at: NDArray[np.intp]) -> Floats:
        return prepare(signals.read(at), signals.rate_hz)

    sample = every[:: -(-signals.count // _SAMPLE)]
    parts = pool.map(lambda block: describe(prepared(sample[block])), _blocks(len(sample), _READ))
    projection = Projection.fit(np.concatenate(list(parts)))
    shape = prepared(every[:1]).shape[1:]
    kept = open_files.enter_context(SampleFile(folder, signals.count, shape, signals.encrypted))
    described = np.zeros((signals.count, projection.axes.shape[1]), dtype=np.float32)

    def read(block: slice) -> None:
        some = prepared(every[block])
        kept[block] = some
        described[block] = projection(describe(some))

    list(pool.map(read, _blocks(signals.count, _READ)))
    return kept, described


def search(signals: Signals, folder: Path, threads: int) -> pd.DataFrame:
    """Similar pairs among records known by their positions: a, b, and what `find` says of them.

    Args:
        folder: on whose file system the band-limited samples lie while it runs.
    """
    columns = ["a", "b", *COLUMNS[2:]]
    if signals.count < 2:
        return pd.DataFrame(columns=columns)
    with (
        ExitStack() as open_files,
        threadpool_limits(1),
        ThreadPoolExecutor(threads) as pool,
    ):
        kept, described = _describe_all(signals, folder, pool, open_files)

        def aligned(some: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
            found = list(pool.map(partial(_align_block, kept), (some[block] for block in _blocks(len(some), _ALIGN))))
            return np.concatenate([block[0] for block in found]), np.concatenate([block[1] for block in found])

        pairs, wanted = candidates(described, pool), PER_RECORD
        values, copies = aligned(pairs)
        # A record copied often has its nearest places taken by some of its copies: it is asked for more until there is room.
        while wanted < signals.count - 1:
            crowded = np.flatnonzero(np.bincount(pairs[copies].ravel(), minlength=signals.count) >= wanted // 4)
            wanted *= 4
            more = (
                _without(candidates(described, pool, wanted, crowded), pairs, signals.count)
                if len(crowded)
                else pairs[:0]
            )
            if not len(more):
                break
            more_values, more_copies = aligned(more)
            pairs, values = np.concatenate([pairs, more]), np.concatenate([values, more_values])
            copies = np.concatenate([copies, more_copies])
    close = ~np.isnan(values[:, 1])
    found = np.column_stack([values[close, :2], values[close, 2] * (signals.seconds / kept.shape[2])]).round(6)
    table = pd.DataFrame(np.hstack([pairs[close], found]), columns=columns[:-1]).astype({"a": np.intp, "b": np.intp})
    table["copy"] = copies[close]
    return table.sort_values(["similarity", "a", "b"], ascending=[False, True, True], ignore_index=True)


def of_store(path: Path) -> tuple[pd.DataFrame, Signals]:
    """A store's records (record_id, patient_id, row) and where their samples are read, in the same order."""
    store = Store(path)
    records = read_records(path)[["record_id", "patient_id", "row"]]
    rows = records["row"].to_numpy(dtype=np.intp)
    sealed = is_sealed(path.with_name("records.parquet"))
    seconds = store.samples / store.rate_hz if store.rate_hz else 0.0
    return records, Signals(len(rows), store.rate_hz, seconds, lambda at: store.read(rows[at]), sealed)


def of_windows(path: Path) -> bool:
    """Whether a store's records are windows of recordings, which are compared recording by recording."""
    return RECORDING in read_records(path).columns


def _of_recordings(path: Path, threads: int) -> pd.DataFrame:
    """Windows of the same time of recordings that are copies of one another (split/recordings.py)."""
    store = Store(path)
    found = recordings.stretches(read_records(path))
    leads = recordings.leads_that_change(store, found[0])
    signals = Signals(
        len(found),
        store.rate_hz,
        found[0].seconds,
        lambda at: recordings.read(store, found, leads, at),
        is_sealed(path.with_name("records.parquet")),
    )
    rows = []
    for pair in search(signals, path.parent, threads).to_dict("records"):
        a, b = found[pair["a"]], found[pair["b"]]
        if pair["copy"] and a.recording != b.recording:
            told = {name: pair[name] for name in COLUMNS[2:]}
            rows += [
                {"record_a": one, "record_b": other, **told}
                for one, other in recordings.window_pairs(a, b, pair["lag_s"])
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def find(path: Path, threads: int) -> pd.DataFrame:
    """Pairs of a store's records that correlate as a copy does, and which of them are copies.

    Images are looked for as split/image_copies.py says; of them `concentration` and `lag_s` are empty.

    Args:
        path: store.h5, with records.parquet beside it.
        threads: to work in.

    Returns:
        COLUMNS, the most similar first; `lag_s` is how much later `record_b` begins than `record_a`. Pairs that are similar but no
        copies, such as regular rhythms of one patient, have `copy` false. Of windows of recordings, the pairs are windows of the
        same time of recordings that are copies, and no others.
    """
    if of_windows(path):
        return _of_recordings(path, threads)
    records, signals = of_store(path)
    names = records["record_id"].to_numpy(dtype=object)
    if signals.rate_hz:
        found = search(signals, path.parent, threads)
    else:  # images, which no lag moves along themselves
        alike = image_copies.search(signals.count, signals.read, threads)
        found = alike.reindex(columns=["a", "b", *COLUMNS[2:]]).astype({"concentration": float, "lag_s": float})
    return pd.DataFrame({"record_a": names[found["a"]], "record_b": names[found["b"]], **found[COLUMNS[2:]]})


def store_content(path: Path) -> str:
    """The hash of a store's records and samples, from the manifest beside it."""
    return str(read_json(path.with_name("manifest.json"))["content"])


def write(found: pd.DataFrame, content: str, path: Path) -> None:
    """Write pairs as parquet that says which store content they were found in."""
    table = pa.Table.from_pandas(found, preserve_index=False)
    marked = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), _CONTENT: content.encode(), _METHOD: METHOD.encode()}
    )
    with atomic(path) as temporary:
        pq.write_table(marked, temporary)


def read(path: Path, content: str) -> pd.DataFrame | None:
    """Read pairs found in this very store content by this very method; None where the file is of another, or not there.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        marks: dict[bytes, Any] = pq.read_schema(path).metadata or {}
        if marks.get(_CONTENT) != content.encode() or marks.get(_METHOD) != METHOD.encode():
            return None
        return pd.read_parquet(path, columns=COLUMNS)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not readable as parquet: {str(error)[:200]}; delete it to find the pairs again"
        ) from None
