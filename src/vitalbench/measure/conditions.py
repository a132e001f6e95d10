"""Under what conditions something was timed: foreign loads, clock rates, and whether the device was throttled."""

import re
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from vitalbench.config.target import Target
from vitalbench.measure.gpu_load import ForeignGpuLoad
from vitalbench.measure.held_back import HeldBack
from vitalbench.measure.load import ForeignLoad
from vitalbench.watch.gpu import Gpus

ATTEMPTS = 3  # at an undisturbed measurement; the last one stands, and says so
_SYSTEM = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Conditions:
    """What was seen while something was timed; None is what cannot be seen here.

    Attributes:
        foreign_load: share of the processors that was busy with something else.
        disturbed: whether that, or `foreign_gpu_load`, was more than a twentieth; None where neither is seen.
        clock_mhz: of the device, afterwards: the median core, the slowest GPU.
        throttled: whether heat or power held the device back meanwhile.
        foreign_gpu_load: share of the multiprocessors' time that other processes took, of the GPU they took most of.
    """

    foreign_load: float | None
    disturbed: bool | None
    clock_mhz: float | None
    throttled: bool | None
    foreign_gpu_load: float | None = None


def core_mhz(cpuinfo: Path = Path("/proc/cpuinfo")) -> float | None:
    """The clock rate of the median core, as the system states it."""
    try:
        found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", cpuinfo.read_text(encoding="utf-8"), re.M)
    except OSError:
        return None
    return median(float(rate) for rate in found) if found else None


def throttle_count(system: Path = _SYSTEM) -> int | None:
    """How often the cores were throttled since the machine started; None where the system does not count."""
    try:
        counts = [int(path.read_text()) for path in system.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    except (OSError, ValueError):
        return None
    return sum(counts) if counts else None


class Watched:
    """Watches from its making to `conditions`.

    Of a target of several processes no foreign load of the processors is seen: one process does not count what the others take.
    """

    def __init__(self, target: Target) -> None:
        self._on_gpu = target.device == "cuda"
        self._gpus = Gpus.of(target)
        self._throttles = throttle_count()
        self._held_back, self._gpu_load = HeldBack(self._gpus), ForeignGpuLoad(self._gpus)
        self._load = None if target.launched else ForeignLoad()

    def conditions(self) -> Conditions:
        """What was seen so far."""
        share = self._load.share() if self._load else None
        if self._on_gpu:
            clock, throttled = self._gpus.clock_mhz(), self._held_back.throttled()
        else:
            after = throttle_count()
            clock = core_mhz()
            throttled = None if after is None or self._throttles is None else after > self._throttles
        of_gpu = self._gpu_load.share()
        seen = [ForeignLoad.is_much(load) for load in (share, of_gpu) if load is not None]
        return Conditions(share, any(seen) if seen else None, clock, throttled, of_gpu)
