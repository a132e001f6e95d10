"""Samples that a search keeps on the disk while it runs: in a file without a name, so that no kill leaves any behind.

Of an encrypted store each record is sealed before it is written, under a key that is drawn for this file and held in memory alone:
the blocks that a file system frees are not overwritten, and hold nothing that anyone can read.
"""

import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from vitalbench.privacy.key import BYTES, Key
from vitalbench.privacy.vault import ROW_OVERHEAD, RowVault

_KIND = np.dtype(np.float16)


class SampleFile:
    """An array of (records, *shape) 16-bit floats in an unnamed file; threads may write and read different records at once.

    Args:
        folder: on whose file system it lies.
        records: how many there will be.
        shape: of one record.
        encrypted: whether to seal each.
    """

    def __init__(self, folder: Path, records: int, shape: tuple[int, ...], encrypted: bool) -> None:
        self.shape = (records, *shape)
        self._vault = RowVault(Key(os.urandom(BYTES)), "samples") if encrypted else None
        # Without a name from the first where the file system can (O_TMPFILE), else unlinked before anything is written.
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        width = _KIND.itemsize * int(np.prod(shape))
        self._rows = np.memmap(
            self._file, dtype=np.uint8, mode="w+", shape=(records, width + (ROW_OVERHEAD if encrypted else 0))
        )

    def __enter__(self) -> "SampleFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        del self._rows
        self._file.close()

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()

    def __setitem__(self, block: slice, samples: NDArray[np.floating]) -> None:
        """Keep the records of a block."""
        narrow = np.ascontiguousarray(samples, dtype=_KIND)
        rows = narrow.reshape(len(narrow), -1).view(np.uint8)
        if self._vault:
            sealed = [self._vault.seal(row, content.tobytes()) for row, content in enumerate(rows, block.start)]
            rows = np.frombuffer(b"".join(sealed), dtype=np.uint8).reshape(len(rows), -1)
        self._rows[block] = rows

    def __getitem__(self, records: NDArray[np.intp]) -> NDArray[np.float16]:
        """(asked for, *shape): the records at these positions."""
        rows = self._rows[records]
        if self._vault:
            opened = [
                self._vault.open(row, content.tobytes()) for row, content in zip(records.tolist(), rows, strict=True)
            ]
            rows = np.frombuffer(b"".join(opened), dtype=np.uint8).reshape(len(rows), -1)
        return np.asarray(rows).view(_KIND).reshape(len(rows), *self.shape[1:])
