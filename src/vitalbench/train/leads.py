"""The leads that a design looks at, by name: of the same record another design may see others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lead_positions(leads: list[str], chosen: list[str] | None) -> list[int]:
    """Where the chosen leads stand among those of a record; all of them where nothing is chosen.

    >>> lead_positions(["I", "II", "V1"], ["V1", "I"])
    [2, 0]
    """
    return list(range(len(leads))) if chosen is None else [leads.index(name) for name in chosen]


@dataclass(frozen=True)
class SomeLeads:
    """Records of which some leads are read, in the order of `positions`; a source of batches as the store is."""

    source: Any
    positions: list[int]

    @property
    def samples(self) -> int:
        """Of a record."""
        return int(self.source.samples)

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return int(self.source.rate_hz)

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """(records, chosen leads, length) in millivolt."""
        read: NDArray[np.float32] = self.source.read(rows, start, length)
        return read if self.positions == list(range(read.shape[1])) else read[:, self.positions]
