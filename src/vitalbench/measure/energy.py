"""Energy by the counters there are: NVML's of each GPU, Linux's RAPL of the processor packages; without one nothing is guessed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch
from vitalbench.watch.gpu import Gpus

_POWERCAP = Path("/sys/class/powercap")
_LEAST_SECONDS = 1.0  # RAPL counts a few hundred times a second, NVML some ten times


class Rapl:
    """The packages' counters, in joules; they wrap around, which `since` knows."""

    def __init__(self, root: Path = _POWERCAP) -> None:
        # intel-rapl:0 is a package; intel-rapl:0:0 is a part of it, which is in its sum, and a zone `psys` is the whole platform.
        zones = (zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1)
        self._zones = [zone for zone in zones if self._name(zone).startswith("package")]

    @staticmethod
    def _name(zone: Path) -> str:
        try:
            return (zone / "name").read_text(encoding="ascii")
        except (OSError, ValueError):
            return ""

    @staticmethod
    def _number(path: Path) -> int:
        return int(path.read_text(encoding="ascii"))

    def read(self) -> list[int] | None:
        """Microjoules of each package; None where there is no counter that may be read."""
        try:
            return [self._number(zone / "energy_uj") for zone in self._zones] or None
        except (OSError, ValueError):
            return None

    def since(self, start: list[int]) -> float | None:
        """Joules since a reading."""
        now = self.read()
        if now is None:
            return None
        joules = 0.0
        for zone, before, after in zip(self._zones, start, now, strict=True):
            wrapped = 0 if after >= before else self._number(zone / "max_energy_range_uj")
            joules += (after - before + wrapped) / 1e6
        return joules


def energy(
    call: Callable[[], Any], target: Target, synchronise: Callable[[], None], least_seconds: float = _LEAST_SECONDS
) -> tuple[float | None, str]:
    """Joules a call, and by which counter; None and why not where there is no counter for the target's device.

    The call is repeated for a second at least, apart from the repeats that are timed, so that reading counters disturbs none.
    """
    gpus, rapl = Gpus.of(target), Rapl()
    on_gpu = target.device == "cuda"
    synchronise()  # what is still in flight is not part of these calls
    start = gpus.energy_j() if on_gpu else rapl.read()
    if start is None:
        return None, "not-run: no energy counter (NVML)" if on_gpu else "not-run: no energy counter (RAPL)"
    watch, calls = Stopwatch(synchronise), 0
    while watch.so_far() < least_seconds:
        call()
        calls += 1
        synchronise()
    if on_gpu:
        after = gpus.energy_j()
        spent = None if after is None else after - start  # type: ignore[operator]
    else:
        spent = rapl.since(start)  # type: ignore[arg-type]
    if spent is None:
        return None, "not-run: the energy counter stopped answering"
    return spent / calls, "NVML, the GPUs alone" if on_gpu else "RAPL, the processor packages with all they ran"
