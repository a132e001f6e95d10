"""Features of a frozen encoder, computed once a record: sealed parts that a killed run goes on with, and batches are read from."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vitalbench.measure.clock import Stopwatch
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Batches
from vitalbench.train.sealed import damage, read_manifest, seal

PART_BATCHES = 8  # a part: what is done again, at most, of a run that was killed
_ARRAY = "features.npy"


@dataclass(frozen=True)
class Features:
    """Features by row of the store, mapped from their parts: a source of batches as the store is, of one window of `samples`.

    Attributes:
        rows: of the store that have features, ascending.
        parts: (records, features) each, `part_records` of them but for the last.
    """

    rows: NDArray[np.intp]
    parts: list[NDArray[np.float32]]
    part_records: int

    @property
    def samples(self) -> int:
        """Features of a record."""
        return int(self.parts[0].shape[1])

    @property
    def rate_hz(self) -> int:
        """No rate: a record's features are read whole."""
        return 1

    def read(
        self,
        rows: NDArray[np.intp],
        start: int | NDArray[np.intp] = 0,  # noqa: ARG002 - there is one window
        length: int | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """(records, features)."""
        found = np.empty((len(rows), self.samples), dtype=np.float32)
        for at, position in enumerate(np.searchsorted(self.rows, rows).tolist()):
            found[at] = self.parts[position // self.part_records][position % self.part_records]
        return found


def _compute(
    encode: Callable[[Tensor], Tensor], batches: Batches, rows: NDArray[np.intp], clock: Stopwatch
) -> tuple[NDArray[np.float32], list[float]]:
    """Features of some records, and the seconds of each batch."""
    found, seconds = [], []
    clock.lap()
    for x, _ in Ahead(batches.windows(rows)):
        found.append(encode(x).float().cpu().numpy())
        seconds.append(clock.lap())
    return np.concatenate(found), seconds


def _kept(path: Path, say: Callable[[str], None]) -> list[float] | None:
    """The seconds that a part took, where it is there and sound; a damaged one is told and removed."""
    if not path.is_dir():
        return None
    wrong = damage(path)
    if wrong:
        say(f"features {path.name} are damaged ({wrong}): computed again")
        shutil.rmtree(path)
        return None
    seconds: list[float] = read_manifest(path)["seconds"]
    return seconds


def computed_once(
    encode: Callable[[Tensor], Tensor],
    batches: Batches,
    rows: NDArray[np.intp],
    folder: Path,
    clock: Stopwatch,
    say: Callable[[str], None],
) -> tuple[Features, list[float]]:
    """Compute the features of records, or take over those that an earlier process of the same run left.

    Args:
        encode: (batch, leads, samples) -> (batch, features).
        batches: of whole records.
        rows: of the store, in any order.
        folder: of this run and no other: its parts are known by their place alone.

    Returns:
        The features, and the seconds that each batch took, over all processes that worked on them.
    """
    for half in folder.glob(".*"):
        shutil.rmtree(half)  # of a process that was killed while it wrote
    wanted = np.unique(rows)
    size, parts, seconds, taken_over = PART_BATCHES * batches.batch_size, [], [], 0
    for number, start in enumerate(range(0, len(wanted), size)):
        some, path = wanted[start : start + size], folder / f"part-{number:04d}"
        spent = _kept(path, say)
        if spent is None:
            features, spent = _compute(encode, batches, some, clock)

            def write(into: Path, features: NDArray[np.float32] = features) -> None:
                np.save(into / _ARRAY, features, allow_pickle=False)

            seal(path, {"records": len(some), "seconds": spent}, write)
        else:
            taken_over += 1
        seconds += spent
        parts.append(np.load(path / _ARRAY, mmap_mode="r", allow_pickle=False))
    if taken_over:
        say(f"features: {taken_over} of {len(parts)} parts were there")
    return Features(wanted, parts, size), seconds
