"""Foreign load: processor time that other processes took while something was measured."""

import os
from pathlib import Path

_DISTURBED = 0.05  # of the machine's processor time, or of a GPU's
HELD_BACK = 0.05  # of the time between two readings of a GPU's counters: more is throttled


class ForeignLoad:
    """Watches the machine's processor counters beside those of this process and its children, between its making and `share`."""

    def __init__(self) -> None:
        self._start, self._own = self._read(), self._own_seconds()

    @staticmethod
    def _own_seconds() -> float:
        """Processor seconds so far, with those of the children that have ended."""
        own = os.times()  # processor time: a share of it is asked, and no clock tells that
        return own.user + own.system + own.children_user + own.children_system

    @staticmethod
    def _read() -> tuple[float, float, float] | None:
        """Busy, total and own processor seconds so far; None where the system does not tell."""
        try:
            fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        tick = os.sysconf("SC_CLK_TCK")
        idle = fields[3] + fields[4]
        return (sum(fields) - idle) / tick, sum(fields) / tick, ForeignLoad._own_seconds()

    def own(self) -> float:
        """Processor seconds of this process and its children since: what a busy machine makes little longer, unlike wall time."""
        return self._own_seconds() - self._own

    def share(self) -> float | None:
        """The share of all cores that was busy with something else; None where it cannot be seen."""
        now = self._read()
        if self._start is None or now is None or now[1] <= self._start[1]:
            return None
        busy, total, own = (after - before for after, before in zip(now, self._start, strict=True))
        return max(0.0, (busy - own) / total)

    @staticmethod
    def is_much(share: float | None) -> bool | None:
        """Whether that is more than a twentieth: of the processors, or of a GPU (measure/gpu_load.py)."""
        return None if share is None else share > _DISTURBED
