"""GPUs as the driver tells of them; where there is no driver, or it stops answering, there are none and nothing fails."""

import sys
from types import SimpleNamespace

import pytest
import torch

from vitalbench.watch.gpu import Gpus


class NVMLError(Exception):
    """As the library's own."""


@pytest.fixture
def driver(monkeypatch):
    """A driver of three GPUs, as nvidia-ml-py tells of them, of which torch sees two, in another order."""
    order = ["GPU-c", "GPU-a", "GPU-b"]

    def handle(uuid):
        if uuid not in order:
            raise NVMLError("not found")
        return order.index(uuid)

    nvml = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetName=lambda at: f"card {at}",
        nvmlDeviceGetMemoryInfo=lambda at: SimpleNamespace(used=10**9 * at, total=80 * 10**9),
        nvmlDeviceGetUtilizationRates=lambda at: SimpleNamespace(gpu=10 * at),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    seen = [SimpleNamespace(uuid="b"), SimpleNamespace(uuid="a")]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(seen))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: seen[number])
    return nvml


@pytest.mark.parametrize(
    ("processes", "names"), [(1, ["card 2"]), (2, ["card 2", "card 1"]), (4, ["card 2", "card 1"])]
)
def test_they_are_those_that_torch_numbers_so(configs, driver, processes, names):
    found = Gpus.of(configs.target("h100").model_copy(update={"processes": processes})).read()
    assert [gpu.name for gpu in found] == names
    assert (found[0].use, found[0].memory, found[0].memory_total) == (0.2, 2 * 10**9, 80 * 10**9)


def test_a_driver_that_stops_answering_tells_of_none(configs, driver):
    gpus = Gpus.of(configs.target("h100"))

    def lost(at):
        raise NVMLError("GPU is lost")

    driver.nvmlDeviceGetMemoryInfo = lost
    assert gpus.read() == []


def test_a_part_of_a_gpu_that_the_driver_does_not_know_by_its_id_is_left_out(configs, driver, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="MIG-x"))
    assert Gpus.of(configs.target("h100")).read() == []


def test_of_a_cpu_and_without_a_driver_there_are_none(configs):
    assert Gpus.of(configs.target("cpu")).read() == []
    if not torch.cuda.is_available():
        assert Gpus.of(configs.target("h100")).read() == []


def test_energy_is_that_of_all_and_the_clock_that_of_the_slowest(configs, driver):
    driver.nvmlDeviceGetTotalEnergyConsumption = lambda at: 1000 * (at + 1)
    driver.NVML_CLOCK_SM = 1
    driver.nvmlDeviceGetClockInfo = lambda at, kind: 1980 - 100 * at
    gpus = Gpus.of(configs.target("h100").model_copy(update={"processes": 2}))
    assert gpus.energy_j() == 2 + 3
    assert gpus.clock_mhz() == 1780.0


@pytest.mark.parametrize(("reasons", "held"), [(0x1, False), (0x4, True), (0x40, True), (0x2, False)])
def test_a_clock_that_heat_or_power_holds_back_is_throttled_and_an_idle_one_is_not(configs, driver, reasons, held):
    import pynvml as fake

    names = ("SwPowerCap", "HwSlowdown", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown")
    for name, bit in zip(names, (0x4, 0x8, 0x20, 0x40, 0x80), strict=True):
        setattr(fake, f"nvmlClocksThrottleReason{name}", bit)
    driver.nvmlDeviceGetCurrentClocksThrottleReasons = lambda at: reasons
    assert Gpus.of(configs.target("h100")).throttled() is held


def test_without_a_gpu_nothing_is_told_of_one(configs):
    gpus = Gpus.of(configs.target("cpu"))
    assert (gpus.energy_j(), gpus.clock_mhz(), gpus.throttled()) == (None, None, None)
