"""How long heat or power held GPUs back, by the driver's counters at a start and now.

NVML's violation counters only grow: the nanoseconds for which a policy kept the clock below what applications asked for, beside the
microseconds of the host's clock at which that was read (nvmlViolationTime_t). https://docs.nvidia.com/deploy/nvml-api
"""

from contextlib import suppress
from typing import Any

from vitalbench.measure.load import HELD_BACK
from vitalbench.watch.gpu import Gpus

_NS_A_US = 1000
Counters = dict[int, tuple[int, int]]  # by policy: microseconds of the reading, nanoseconds held back so far


def _counters(nvml: Any, handle: Any) -> Counters:
    """What a GPU has counted so far: power and heat, which have to be there, and the board's limit where the driver counts it.

    Raises:
        NVMLError: the driver does not count power or heat.
    """
    needed = (nvml.NVML_PERF_POLICY_POWER, nvml.NVML_PERF_POLICY_THERMAL)
    read = {policy: nvml.nvmlDeviceGetViolationStatus(handle, policy) for policy in needed}
    with suppress(nvml.NVMLError):
        board = nvml.NVML_PERF_POLICY_BOARD_LIMIT
        read[board] = nvml.nvmlDeviceGetViolationStatus(handle, board)
    return {policy: (int(told.referenceTime), int(told.violationTime)) for policy, told in read.items()}


def _share(before: Counters, after: Counters) -> float | None:
    """The share of the time between for which a GPU was held back; None of counters that did not go on.

    Policies are added up: what two of them counted at once counts twice, so that no throttling is missed.
    """
    total = 0.0
    for policy in before.keys() & after.keys():
        passed, held = (now - then for then, now in zip(before[policy], after[policy], strict=True))
        if passed <= 0 or held < 0:
            return None
        total += held / (passed * _NS_A_US)
    return total


class HeldBack:
    """Watches from its making to `throttled`."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus
        self._start = gpus.asked(_counters)

    def throttled(self) -> bool | None:
        """Whether one of the GPUs was held back for more than a twentieth of the time since.

        Where the driver does not count, whether one of them is held back now; None where it does not tell that either.
        """
        now = self._gpus.asked(_counters)
        if self._start and now:
            shares = [_share(before, after) for before, after in zip(self._start, now, strict=True)]
            told = [share for share in shares if share is not None]
            if len(told) == len(shares):
                return max(told) > HELD_BACK
        return self._gpus.throttled()
