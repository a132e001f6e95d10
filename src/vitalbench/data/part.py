"""A part file: some patients' records in HDF5, written a record at a time, read at random.

`signals` (records, leads, samples) int16, or `images` (records, channels, height, width) uint8 or uint16; `gain` and `baseline`
(records, leads) float32; physical = (stored - baseline) / gain, in millivolt or shares of full scale. With no codec the records are
one contiguous array, which readers map; with gzip or zstd each record is a chunk of its own behind HDF5's byte shuffle, which any
HDF5 reader with the filter reads too. An encrypted part has `sealed` (records, bytes) uint8 instead: each record's integers as one
row of privacy/vault.py; gain and baseline stay plain.
"""

import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zstandard
from numpy.typing import NDArray

from vitalbench.config.dataset import Codec
from vitalbench.data.datasets import Record
from vitalbench.errors import InputError
from vitalbench.privacy.key import need_key
from vitalbench.privacy.vault import ROW_OVERHEAD, RowVault, check_fingerprint

_ZSTD_FILTER = 32015  # as registered with the HDF Group
# The file format's version, so that a newer library writes the same bytes; the first that has virtual datasets.
HDF5_FORMAT = ("v110", "v110")
_TOGETHER = 64  # records a write: one record a write spends more in the library than on the samples
_LEVEL = {"gzip": 4, "zstd": 3}
SIGNAL_DTYPE = "<i2"
ARRAYS = ("sealed", "signals", "images")  # a file has one of them


def array_of(file: h5py.File) -> str:
    """The name of the array that holds a file's records.

    Raises:
        KeyError: it has none.
    """
    for name in ARRAYS:
        if name in file:
            return name
    raise KeyError(f"no array {' or '.join(ARRAYS)}")


def sealed_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of a sealed record."""
    return math.prod(shape) * np.dtype(dtype).itemsize + ROW_OVERHEAD


def _shuffled(digital: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    """HDF5's shuffle: all low bytes, then all high bytes, so that a compressor sees two calm streams instead of one nervous one."""
    return digital.astype(dtype, copy=False).reshape(-1).view(np.uint8).reshape(-1, dtype.itemsize).T.tobytes()


def _unshuffled(content: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    pairs = np.frombuffer(content, dtype=np.uint8).reshape(dtype.itemsize, -1)
    digital: NDArray[Any] = np.ascontiguousarray(pairs.T).view(dtype).reshape(shape)
    return digital


def _encoder(codec: Codec) -> Callable[[bytes], bytes]:
    if codec == "gzip":
        return lambda content: zlib.compress(content, _LEVEL["gzip"])
    # With a checksum, as zlib's format has one anyway: a flipped bit would else be other samples, and no error.
    return zstandard.ZstdCompressor(level=_LEVEL["zstd"], write_checksum=True).compress


class PartWriter:
    """Writes records into an open HDF5 file, a few dozen at a time, so that memory does not grow with the part.

    Args:
        file: open for writing.
        room: most records there will be; room not used stays empty at the end, and the attribute `records` says how much is.
        shape: of a record: (leads, samples), or (channels, height, width).
        codec: how the records are stored.
        vault: seals each record; None leaves them plain.
        dtype: of their integers.
        name: of their array.
    """

    def __init__(
        self,
        file: h5py.File,
        room: int,
        shape: tuple[int, ...],
        codec: Codec,
        vault: RowVault | None = None,
        dtype: str = SIGNAL_DTYPE,
        name: str = "signals",
    ) -> None:
        self._file, self._codec, self._vault, self.records = file, codec, vault, 0
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._waiting: list[Record] = []
        self._gain = file.create_dataset("gain", (room, shape[0]), dtype="<f4")
        self._baseline = file.create_dataset("baseline", (room, shape[0]), dtype="<f4")
        if vault:
            self._signals = file.create_dataset("sealed", (room, sealed_bytes(shape, dtype)), dtype="u1")
            self._encode = None
            return
        if codec == "none" or not room:
            self._signals = file.create_dataset(name, (room, *shape), dtype=self._dtype)
            self._encode = None
            return
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_obj_track_times(False)  # the same records make the same bytes
        layout.set_chunk((1, *shape))
        layout.set_shuffle()
        if codec == "gzip":
            layout.set_deflate(_LEVEL["gzip"])
        else:
            # Optional, because the library itself need not have the filter: chunks are written ready-made.
            layout.set_filter(_ZSTD_FILTER, h5py.h5z.FLAG_OPTIONAL, (_LEVEL["zstd"],))
        space = h5py.h5s.create_simple((room, *shape))
        self._signals = h5py.Dataset(
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(self._dtype), space, layout)
        )
        self._encode = _encoder(codec)

    def add(self, record: Record) -> None:
        """Write the next record."""
        self._waiting.append(record)
        if len(self._waiting) == _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        at = slice(self.records, self.records + len(self._waiting))
        if self._vault:
            seal = self._vault.seal
            rows = [
                seal(row, record.digital.astype(self._dtype, copy=False).tobytes())
                for row, record in enumerate(self._waiting, self.records)
            ]
            self._signals[at] = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)
        elif self._encode is None:
            self._signals[at] = np.stack([record.digital for record in self._waiting])
        else:
            for row, record in enumerate(self._waiting, self.records):
                self._signals.id.write_direct_chunk(
                    (row, *(0 for _ in self._shape)), self._encode(_shuffled(record.digital, self._dtype))
                )
        self._gain[at] = np.stack([record.gain for record in self._waiting])
        self._baseline[at] = np.stack([record.baseline for record in self._waiting])
        self.records += len(self._waiting)
        self._waiting.clear()

    def close(self) -> None:
        """Write what is left and say how many records there are."""
        self._flush()
        self._file.attrs.update(records=self.records, codec=self._codec)
        if self._vault:
            self._file.attrs["key"] = self._vault.fingerprint
            if self._dtype != SIGNAL_DTYPE:  # what the sealed rows do not show
                self._file.attrs.update(shape=self._shape, dtype=self._dtype.str)


def _mapped(path: Path, stored: h5py.Dataset) -> NDArray[Any]:
    """A contiguous dataset as a mapped array."""
    offset = stored.id.get_offset()
    if offset is None:  # nothing was ever written
        return np.empty((0, *stored.shape[1:]), dtype=stored.dtype)
    mapped = np.memmap(path, dtype=stored.dtype, mode="r", offset=offset, shape=stored.shape)
    return np.asarray(mapped)  # indexing numpy's memmap class costs more than the copy it does


class PartSignals:
    """Random access to a part's records as stored, (records, channels, ...); `gain` and `baseline` are (room, channels), mapped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            file = h5py.File(path)
            self.gain, self.baseline = (_mapped(path, file[name]) for name in ("gain", "baseline"))
            leads = self.gain.shape[1]
            signals = file[array_of(file)]
            codec = str(file.attrs["codec"])
            stated = file.attrs.get("key")
            sealed_shape = tuple(int(size) for size in file.attrs.get("shape", (leads, -1)))
            sealed_dtype = str(file.attrs.get("dtype", SIGNAL_DTYPE))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{path}: not a part of a store: {error}") from None
        self._shape = sealed_shape if stated else signals.shape[1:]
        self._dtype = np.dtype(sealed_dtype) if stated else signals.dtype
        self._mapped: NDArray[Any] | None = None
        self._vault: RowVault | None = None
        if signals.chunks is None:
            if stated:
                key = need_key(f"{path}: sealed: reading it")
                check_fingerprint(str(stated), key, path)
                self._vault, self._sealed = RowVault(key, path.name), _mapped(path, signals)
            else:
                self._mapped = _mapped(path, signals)
            file.close()
            return
        self._chunks = signals.id
        self._decode = zlib.decompress if codec == "gzip" else zstandard.ZstdDecompressor().decompress

    def record(self, row: int) -> NDArray[Any]:
        """One record, (channels, ...); a view where the part is mapped."""
        if self._mapped is not None:
            view: NDArray[Any] = self._mapped[row]
            return view
        if self._vault is not None:
            opened = np.frombuffer(self._vault.open(row, self._sealed[row].tobytes()), dtype=self._dtype)
            return opened.reshape(self._shape)
        try:
            _, content = self._chunks.read_direct_chunk((row, *(0 for _ in self._shape)))
            return _unshuffled(self._decode(content), self._shape, self._dtype)
        except (zlib.error, zstandard.ZstdError, OSError, ValueError) as error:
            raise InputError(
                f"{self._path}: row {row} is damaged ({' '.join(str(error).split())}); delete the part to build it again"
            ) from None
