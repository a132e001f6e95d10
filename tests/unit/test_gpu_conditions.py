"""Throttling and others' work on GPUs over a whole measurement, by a driver that tells what each test says."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from vitalbench.measure.conditions import Watched
from vitalbench.measure.load import ForeignLoad
from vitalbench.train.ranks import FOLDER, LAUNCHER
from vitalbench.watch.process import family

POWER, THERMAL, BOARD = 0, 1, 3
SECOND = 1_000_000  # microseconds
OURS, OTHER = os.getpid(), 2**22 + 1  # beyond the numbers that Linux gives


class NVMLError(Exception):
    """As the library's own."""


class Driver:
    """Two GPUs as nvidia-ml-py tells of them; `at` is the driver's clock in microseconds.

    Attributes:
        counted: nanoseconds held back so far, by GPU and policy; a policy that is not there is not supported.
        running: process numbers by GPU.
        samples: of each GPU: process, time stamp, per cent of the multiprocessors.
        reasons: why the clock is held back now, as bits.
        asked: the time stamps that samples were asked with.
        stale: tells of samples from before those too, as drivers have.
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
        self.running = [{OURS}, {OURS}]
        self.samples: list[list[tuple[int, int, int]]] = [[], []]
        self.reasons = 0
        self.asked: list[int] = []
        self.stale = False

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

    def nvmlDeviceGetComputeRunningProcesses_v3(self, gpu):
        return [SimpleNamespace(pid=pid) for pid in self.running[gpu]]

    def nvmlDeviceGetProcessUtilization(self, gpu, since):
        self.asked.append(since)
        found = [sample for sample in self.samples[gpu] if sample[1] > since or self.stale]
        if not found:
            raise NVMLError("Not Found")
        return [SimpleNamespace(pid=pid, timeStamp=at, smUtil=share) for pid, at, share in found]


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid="ab"[number]))
    monkeypatch.setattr(ForeignLoad, "share", lambda _: 0.0)
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


def worked(driver, *samples, gpu=0):
    """Ten seconds in which the driver samples processes: a number and per cent each."""
    driver.at += 10 * SECOND
    driver.samples[gpu] += [(pid, driver.at + at, share) for at, (pid, share) in enumerate(samples)]


@pytest.mark.parametrize(
    ("samples", "load", "disturbed"),
    [
        ([(OURS, 99)], 0.0, False),
        ([(OURS, 60), (OTHER, 40)], 0.4, True),
        ([(OURS, 95), (OTHER, 5)], 0.05, False),
        ([(OURS, 90), (OTHER, 4), (OTHER + 1, 3)], 0.07, True),
        ([(OURS, 90), (OTHER, 2), (OTHER, 8)], 0.05, False),  # two samples of one process
        ([(OURS, 90), (OTHER, 2**31 - 16)], 0.0, False),  # no share, whatever it is
        ([(OURS, 90), (OTHER, 90), (OTHER + 1, 90)], 1.0, True),
    ],
)
def test_what_others_took_of_the_gpu_disturbs_beyond_a_twentieth(driver, target, samples, load, disturbed):
    driver.running[0] |= {OTHER}
    watched = Watched(target)
    worked(driver, *samples)
    found = watched.conditions()
    assert (found.foreign_load, found.foreign_gpu_load, found.disturbed) == (0.0, pytest.approx(load), disturbed)


@pytest.mark.parametrize("stale", [False, True])
def test_others_work_before_the_start_does_not_count(driver, target, stale):
    driver.running[0] |= {OTHER}
    driver.stale = stale
    worked(driver, (OTHER, 90))
    watched, before = Watched(target), driver.at
    worked(driver, (OURS, 90))
    assert watched.conditions().foreign_gpu_load == 0.0
    assert driver.asked[-1] == before  # since a process is told of by one share, over what is asked for


@pytest.mark.parametrize(
    ("running", "samples"),
    [
        ({OTHER}, [(OTHER, 90)]),  # the host's numbers: ours is hidden behind one of them
        ({OURS}, [(OTHER, 90)]),  # translated among those that run, and not in the samples
        ({OURS, OTHER}, []),  # nothing was sampled: too short
        ({OURS}, [(OURS, 2**31 - 16)]),
        (set(), [(OURS, 90)]),
    ],
)
def test_where_nobody_can_be_told_apart_others_work_is_unknown_and_not_none(driver, target, running, samples):
    driver.running[0] = running
    watched = Watched(target)
    worked(driver, *samples)
    found = watched.conditions()
    assert (found.foreign_gpu_load, found.disturbed) == (None, False)  # the processors alone tell


def test_others_that_run_are_told_though_our_share_is_too_small_to_be_sampled(driver, target):
    driver.running[0] |= {OTHER}
    watched = Watched(target)
    worked(driver, (OTHER, 90))
    assert watched.conditions().foreign_gpu_load == 0.9


def test_a_driver_that_does_not_sample_leaves_it_unknown(driver, target, monkeypatch):
    def unsupported(gpu, since):
        raise NVMLError("Not Supported")

    monkeypatch.setattr(driver, "nvmlDeviceGetProcessUtilization", unsupported)
    watched = Watched(target)
    worked(driver, (OURS, 90), (OTHER, 90))
    assert watched.conditions().foreign_gpu_load is None


def test_of_several_gpus_the_one_that_others_took_most_of_counts_and_one_unknown_is_too_many(driver, target):
    both = target.model_copy(update={"processes": 2})
    watched = Watched(both)
    worked(driver, (OURS, 98), (OTHER, 2), gpu=0)
    worked(driver, (OURS, 70), (OTHER, 30), gpu=1)
    found = watched.conditions()
    assert (found.foreign_load, found.foreign_gpu_load, found.disturbed) == (None, 0.3, True)
    driver.running[1] = {OTHER}
    assert watched.conditions().foreign_gpu_load is None


@pytest.fixture
def child():
    """A process that this one started, and that waits."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


def test_what_a_launch_started_is_ours_and_disturbs_nothing(driver, target, child, monkeypatch):
    assert {OURS, child.pid} <= family()
    # As a process that another started beside `child`: the parent of both is the launcher.
    monkeypatch.setattr("vitalbench.watch.process.os.getpid", lambda: OTHER)
    assert not family() & {child.pid, OURS}
    monkeypatch.setenv(FOLDER, "ranks")
    monkeypatch.setenv(LAUNCHER, str(OURS))
    assert {OURS, OTHER, child.pid} <= family()
    driver.running = [{OTHER}, {child.pid}]
    watched = Watched(target.model_copy(update={"processes": 2}))
    worked(driver, (OTHER, 90), gpu=0)
    worked(driver, (child.pid, 90), gpu=1)
    assert watched.conditions().foreign_gpu_load == 0.0


def test_of_a_cpu_no_gpus_load_is_told(driver, configs):
    worked(driver, (OTHER, 90))
    assert Watched(configs.target("cpu")).conditions().foreign_gpu_load is None
