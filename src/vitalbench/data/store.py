"""The reader of a store, which data/join.py makes: its records at random, and the table of them."""

from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.data.part import PartSignals, array_of
from vitalbench.data.part_receipt import read_receipt
from vitalbench.data.standardise import part_files
from vitalbench.data.table_file import read_table
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.privacy.access_log import note


def _hold_joined(store: Path, parts: list[Path]) -> None:
    """Refuse a store whose parts were made again since it was joined; its files may be passed on without the manifest."""
    manifest = store.with_name("manifest.json")
    if not manifest.is_file():
        return
    try:
        joined = {name: part["sha256"] for name, part in read_json(manifest)["parts"].items()}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{manifest}: damaged; `vitalbench store --data {store.parent}` makes it again") from None
    for part in parts:
        if part_files(part)["receipt"].is_file() and read_receipt(part).sha256 != joined.get(part.name):
            raise InputError(
                f"{store}: {part.name} was made again after the store was joined; `vitalbench store --data {store.parent}` "
                "joins what is there, with --versions and --recover an earlier build comes back"
            )


def read_records(store: Path) -> pd.DataFrame:
    """The table of a store's records.

    Raises:
        InputError: it is not beside the store, or damaged.
    """
    path = store.with_name("records.parquet")
    try:
        records = read_table(path)
    except FileNotFoundError:
        wrong = f"its table of records {path.name} is not beside it" if store.is_file() else "no such file"
        raise InputError(f"{store}: {wrong}") from None
    note(store.parent, "table of records", len(records))
    return records


class Signals(Protocol):
    """What can be read like a store."""

    @property
    def leads(self) -> list[str]:
        """Their names."""

    @property
    def samples(self) -> int:
        """Of a record, along its last axis."""

    @property
    def rate_hz(self) -> int:
        """Samples a second; 0 where no axis is time."""

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """(records, leads, length) in millivolt; of images (records, channels, height, length)."""


def _rows(piece: Any) -> tuple[int, int]:
    """The first row of a store that a source of its virtual dataset fills, and the one after the last."""
    first, last = piece.vspace.get_select_bounds()
    return int(first[0]), int(last[0]) + 1


class Store:
    """Random access to a store's records, signals in millivolt, with memory use independent of its size.

    Parts without a codec are mapped and batches gathered from the mapping; the operating system keeps what is used often.
    """

    def __init__(self, path: Path) -> None:
        try:
            with h5py.File(path) as file:
                attributes = file.attrs
                is_signal = "leads" in attributes
                self.leads = [str(name) for name in attributes["leads" if is_signal else "channels"]]
                self.rate_hz = int(attributes["rate_hz"]) if is_signal else 0
                sizes = ("samples",) if is_signal else ("height", "width")
                self.space = tuple(int(attributes[size]) for size in sizes)
                self.samples = self.space[-1]
                signals = file[array_of(file)]
                self.records = len(signals)
                pieces = [(*_rows(piece), path.parent / piece.file_name) for piece in signals.virtual_sources()]
        except (OSError, KeyError) as error:
            raise InputError(f"{path}: not a store: {error}") from None
        note(path.parent, "signals", self.records)
        pieces.sort()
        _hold_joined(path, [part for _, _, part in pieces])
        self._starts = np.array([start for start, _, _ in pieces])
        self._parts = [PartSignals(part) for _, _, part in pieces]
        # Of the parts themselves: read through the virtual dataset, the library would hold all of them open at once.
        used = [(part, end - start) for part, (start, end, _) in zip(self._parts, pieces, strict=True)]
        self._gain = np.concatenate([part.gain[:count] for part, count in used])
        self._baseline = np.concatenate([part.baseline[:count] for part, count in used])
        # One amplifier for all records, as most releases have it.
        same = self.records > 0 and not self._baseline.any() and np.ptp(self._gain) == 0
        self._one_gain: np.float32 | None = self._gain[0, 0] if same else None

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """Read records, or one crop of each along the last axis.

        Args:
            rows: positions in the store.
            start: first sample, one for all or one a record.
            length: samples to read; all by default.

        Returns:
            (records, leads, length) in millivolt; of images (records, channels, height, length) in shares of full scale.
        """
        length = self.samples if length is None else length
        starts = np.broadcast_to(start, rows.shape)
        physical = np.empty((len(rows), len(self.leads), *self.space[:-1], length), dtype=np.float32)
        begins = self._starts.tolist()
        part = np.searchsorted(self._starts, rows, side="right") - 1
        for at, (row, piece, first) in enumerate(zip(rows.tolist(), part.tolist(), starts.tolist(), strict=True)):
            record = self._parts[piece].record(row - begins[piece])[..., first : first + length]
            if self._one_gain is None:
                physical[at] = record
            else:  # divided as it is copied, while the record is in the processor's cache
                np.divide(record, self._one_gain, out=physical[at])
        if self._one_gain is None:
            each = (len(rows), len(self.leads), *(1 for _ in self.space))
            baseline = self._baseline[rows]
            if baseline.any():
                physical -= baseline.reshape(each)
            physical /= self._gain[rows].reshape(each)
        return physical
