"""The reference operation beside every benchmark, and the foreign load: a machine slow for some minutes is slow for both."""

from collections.abc import Iterator
from statistics import median

import pytest
import torch

from vitalbench.gate.benchmarks import BESIDE, FOREIGN
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.reference import reference_operation

_TIMES = 40


def _reference_seconds() -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    _, product = reference_operation(torch.device("cpu"))
    seconds, watch = [], Stopwatch()
    for _ in range(_TIMES):
        watch.lap()
        product()
        seconds.append(watch.lap())
    torch.set_num_threads(threads)
    return median(seconds[_TIMES // 4 :])


@pytest.fixture(autouse=True)
def reference_beside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Time the reference operation before and after a benchmark, and leave the mean and the foreign load with it."""
    if "benchmark" not in request.fixturenames:
        yield
        return
    benchmark = request.getfixturevalue("benchmark")  # now, so that it is still there after the test
    load = ForeignLoad()
    before = _reference_seconds()
    yield
    benchmark.extra_info[BESIDE] = (before + _reference_seconds()) / 2
    benchmark.extra_info[FOREIGN] = load.share()
