"""The reference operation beside every benchmark: a machine that is slow for some minutes is slow for both."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

import pytest
import torch

from vitalbench.gate.benchmarks import BESIDE
from vitalbench.measure.reference import reference_operation

_TIMES = 40


def _reference_seconds() -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    _, product = reference_operation(torch.device("cpu"))
    seconds = []
    for _ in range(_TIMES):
        start = perf_counter()
        product()
        seconds.append(perf_counter() - start)
    torch.set_num_threads(threads)
    return median(seconds[_TIMES // 4 :])


@pytest.fixture(autouse=True)
def reference_beside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Time the reference operation before and after a benchmark, and leave the mean with it."""
    if "benchmark" not in request.fixturenames:
        yield
        return
    benchmark = request.getfixturevalue("benchmark")  # now, so that it is still there after the test
    before = _reference_seconds()
    yield
    benchmark.extra_info[BESIDE] = (before + _reference_seconds()) / 2
