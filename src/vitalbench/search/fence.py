"""A store that hands out the records it was told to, and no other: what a trial reads its samples from."""

import numpy as np
from numpy.typing import NDArray

from vitalbench.data.store import Signals
from vitalbench.errors import GateError

_TOLD = 3  # rows that a message names


class Fenced:
    """A store of which some rows may be read; reading another ends the process, and every row that was read is noted.

    Args:
        permitted: positions in the store.
        why: whose they are, for the message.
    """

    def __init__(self, store: Signals, permitted: NDArray[np.intp], why: str) -> None:
        self._store, self._why = store, why
        self._permitted = np.zeros(int(permitted.max(initial=-1)) + 1, dtype=bool)
        self._permitted[permitted] = True
        self._read = np.zeros_like(self._permitted)

    @property
    def leads(self) -> list[str]:
        """Their names."""
        return self._store.leads

    @property
    def samples(self) -> int:
        """Of a record."""
        return self._store.samples

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return self._store.rate_hz

    @property
    def rows_read(self) -> NDArray[np.intp]:
        """The rows that were read so far, ascending."""
        return np.flatnonzero(self._read)

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """Read as the store does.

        Raises:
            GateError: one of the rows is not permitted.
        """
        inside = (rows >= 0) & (rows < len(self._permitted))
        inside[inside] = self._permitted[rows[inside]]
        outside = np.unique(rows[~inside])
        if len(outside):
            named = ", ".join(map(str, outside[:_TOLD]))
            raise GateError(
                f"{len(outside)} rows of the store were asked for that are not {self._why}, among them {named}"
            )
        self._read[rows] = True
        return self._store.read(rows, start, length)
