"""What NVIDIA's driver tells of GPUs: how much of the time they compute, and how much of their memory is in use."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vitalbench.config.target import Target
from vitalbench.watch.progress_file import Gpu

T = TypeVar("T")


class Gpus:
    """Some GPUs by their handles; none where there is no driver to ask."""

    def __init__(self, handles: Sequence[Any] = ()) -> None:
        self._handles = handles

    @classmethod
    def of(cls, target: Target) -> "Gpus":
        """Those that a target's processes work on, as torch numbers them; of a CPU, none."""
        if target.device != "cuda":
            return cls()
        import pynvml
        import torch

        try:
            pynvml.nvmlInit()
            count = min(target.processes, torch.cuda.device_count())
            uuids = [str(torch.cuda.get_device_properties(number).uuid) for number in range(count)]
            return cls([pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid.removeprefix('GPU-')}") for uuid in uuids])
        except (pynvml.NVMLError, RuntimeError, AttributeError):  # no driver, a part of a GPU, a torch without CUDA
            return cls()

    def read(self) -> list[Gpu]:
        """How they are at the moment; empty where the driver does not tell."""
        return self.asked(_read)

    def energy_j(self) -> float | None:
        """Joules since the driver was loaded, of all of them; None where the driver does not count."""
        counted = self.asked(lambda nvml, handle: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000)
        return sum(counted) if counted else None

    def clock_mhz(self) -> float | None:
        """The clock of the slowest one's multiprocessors."""
        rates = self.asked(lambda nvml, handle: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))
        return float(min(rates)) if rates else None

    def throttled(self) -> bool | None:
        """Whether heat or power holds one of them back at the moment; None where the driver does not tell."""
        told = self.asked(lambda nvml, handle: _held_back(nvml, handle))
        return any(told) if told else None

    def asked(self, ask: Callable[[Any, Any], T]) -> list[T]:
        """An answer a GPU, in their order; none where the driver gives one of them no answer.

        Args:
            ask: is given NVML's module and a GPU's handle.
        """
        if not self._handles:
            return []
        import pynvml

        try:
            return [ask(pynvml, handle) for handle in self._handles]
        except pynvml.NVMLError:
            return []


def _held_back(nvml: Any, handle: Any) -> bool:
    """By heat, by hardware, or by the power it may draw; a clock that idles or that somebody set is not held back."""
    reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    held = (
        nvml.nvmlClocksThrottleReasonSwPowerCap
        | nvml.nvmlClocksThrottleReasonHwSlowdown
        | nvml.nvmlClocksThrottleReasonSwThermalSlowdown
        | nvml.nvmlClocksThrottleReasonHwThermalSlowdown
        | nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
    )
    return bool(reasons & held)


def _read(nvml: Any, handle: Any) -> Gpu:
    name, memory = nvml.nvmlDeviceGetName(handle), nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        name=name if isinstance(name, str) else name.decode("utf-8", "replace"),
        use=nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        memory=int(memory.used),
        memory_total=int(memory.total),
    )
