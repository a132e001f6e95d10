"""Foreign load of GPUs: what processes that are not ours took of their multiprocessors' time while something was measured.

NVML tells a share a process, over its samples that are newer than a time stamp; the stamps are its own, and so is the one that is
asked with (nvmlDeviceGetProcessUtilization). https://docs.nvidia.com/deploy/nvml-api
"""

from collections import defaultdict
from statistics import mean
from typing import Any

from vitalbench.watch.gpu import Gpus
from vitalbench.watch.process import family

_MOST = 100  # per cent; drivers have told of more, which is no share, and of samples older than asked for
_ALL = 0  # a time stamp before every sample


def _samples(nvml: Any, handle: Any, since: int) -> list[Any]:
    """What the driver sampled after a time stamp.

    Raises:
        NVMLError: nothing, or it does not sample.
    """
    told = nvml.nvmlDeviceGetProcessUtilization(handle, since)
    return [sample for sample in told if sample.timeStamp > since and sample.smUtil <= _MOST]


def _latest(nvml: Any, handle: Any) -> int:
    """The time stamp of the newest sample there is, in microseconds."""
    try:
        return max((int(sample.timeStamp) for sample in _samples(nvml, handle, _ALL)), default=_ALL)
    except nvml.NVMLError:  # nobody has worked on it yet
        return _ALL


def _foreign(nvml: Any, handle: Any, since: int, ours: set[int]) -> float | None:
    """The share of a GPU that others took; None where they cannot be told from us.

    The driver's process numbers are the host's, which in a container are not ours; newer drivers translate those of the running
    processes, but not those of the samples. So one of ours has to be among the running ones, and the samples hold either one of
    ours or nobody but running ones.
    """
    running = {process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)}
    by_process: dict[int, list[int]] = defaultdict(list)
    for sample in _samples(nvml, handle, since):
        by_process[sample.pid].append(sample.smUtil)
    told_apart = ours & running and (ours & by_process.keys() or by_process.keys() <= running)
    if not by_process or not told_apart:
        return None
    taken = sum(mean(shares) for pid, shares in by_process.items() if pid not in ours)
    return min(1.0, taken / _MOST)


class ForeignGpuLoad:
    """Watches from its making to `share`."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus
        self._start = gpus.asked(_latest)

    def share(self) -> float | None:
        """The most that others took of one of the GPUs since; None where that cannot be seen of every one of them."""
        if not self._start:
            return None
        ours, starts = family(), iter(self._start)
        told = self._gpus.asked(lambda nvml, handle: _foreign(nvml, handle, next(starts), ours))
        shares = [share for share in told if share is not None]
        return max(shares) if len(shares) == len(self._start) else None
