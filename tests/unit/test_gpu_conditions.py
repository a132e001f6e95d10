"""Throttling of GPUs over a whole measurement, by a driver that tells what each test says."""

import sys
from types import SimpleNamespace

import pytest
import torch

from vitalbench.measure.conditions import Watched

POWER, THERMAL, BOARD = 0, 1, 3
SECOND = 1_000_000  # microseconds


class NVMLError(Exception):
    """As the library's own."""


class Driver:
    """Two GPUs as nvidia-ml-py tells of them; `at` is the driver's clock in microseconds.

    Attributes:
        counted: nanoseconds held back so far, by GPU and policy; a policy that is not there is not supported.
        reasons: why the clock is held back now, as bits.
    """

    NVMLError = NVMLError
    NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL, NVML_PERF_POLICY_BOARD_LIMIT = POWER, THERMAL, BOARD
    NVML_CLOCK_SM = 1
    nvmlClocksThrottleReasonSwPowerCap = 0x4
    nvmlClocksThrottleReasonHwSlowdown = 0x8
    nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80

    def __init__(self) -> None:
        self.at = 1_700_000_000 * SECOND
        self.counted = [{POWER: 7 * 10**12, THERMAL: 10**9, BOARD: 0} for _ in range(2)]
        self.reasons = 0

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return ["GPU-a", "GPU-b"].index(uuid)

    def nvmlDeviceGetClockInfo(self, gpu, kind):
        return 1980

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu):
        return self.reasons

    def nvmlDeviceGetViolationStatus(self, gpu, policy):
        if policy not in self.counted[gpu]:
            raise NVMLError("Not Supported")
        return SimpleNamespace(referenceTime=self.at, violationTime=self.counted[gpu][policy])


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="ab"[number]))
    return driver


@pytest.fixture
def target(configs):
    return configs.target("h100")


def held(driver, gpu=0, **milliseconds):
    """Ten seconds pass, in which policies hold a GPU back."""
    driver.at += 10 * SECOND
    for policy, spent in milliseconds.items():
        driver.counted[gpu][{"power": POWER, "thermal": THERMAL, "board": BOARD}[policy]] += spent * 10**6


@pytest.mark.parametrize(
    ("milliseconds", "throttled"),
    [
        ({}, False),
        ({"power": 499}, False),
        ({"power": 501}, True),
        ({"thermal": 501}, True),
        ({"board": 501}, True),
        ({"power": 300, "thermal": 300}, True),
    ],
)
def test_held_back_for_more_than_a_twentieth_of_the_time_is_throttled(driver, target, milliseconds, throttled):
    driver.reasons = 0x4 if not throttled else 0  # at the end it is otherwise: the whole time counts
    watched = Watched(target)
    held(driver, **milliseconds)
    assert watched.conditions().throttled is throttled


def test_what_was_counted_before_the_start_does_not_count(driver, target):
    held(driver, power=9000)
    watched = Watched(target)
    held(driver)
    assert watched.conditions().throttled is False


def test_the_board_limit_counts_where_the_driver_has_it(driver, target):
    for gpu in driver.counted:
        del gpu[BOARD]
    watched = Watched(target)
    held(driver, thermal=600)
    assert watched.conditions().throttled is True


@pytest.mark.parametrize(("reasons", "throttled"), [(0x4, True), (0x1, False)])
@pytest.mark.parametrize("policy", [POWER, THERMAL])
def test_where_the_driver_does_not_count_the_reasons_at_the_end_tell(driver, target, policy, reasons, throttled):
    del driver.counted[0][policy]
    watched = Watched(target)
    held(driver)
    driver.reasons = reasons
    assert watched.conditions().throttled is throttled


@pytest.mark.parametrize("change", [-(10**6), 0])
def test_counters_that_went_back_or_a_clock_that_stands_count_nothing(driver, target, change):
    watched = Watched(target)
    driver.at += 10 * SECOND if change else 0
    driver.counted[0][POWER] += change
    driver.reasons = 0x40
    assert watched.conditions().throttled is True


def test_of_several_gpus_one_that_is_held_back_is_enough(driver, target):
    both = target.model_copy(update={"processes": 2})
    one, two = Watched(target), Watched(both)
    held(driver, gpu=1, power=600)
    assert (one.conditions().throttled, two.conditions().throttled) == (False, True)
