"""The reference operation beside every round of a benchmark, and the foreign load: a machine slow for a while is slow for both."""

import math
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import pytest
import torch

from vitalbench.gate.benchmarks import BESIDE, FOREIGN
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.reference import reference_operation

_SECONDS = 2.0  # of rounds, at least
_FEWEST, _MOST = 11, 400
_SHARE, _MOST_BESIDE = 0.05, 20  # of a round the reference takes about so much, in so many calls at most


class Beside:
    """Rounds of a benchmark, each behind some calls of the reference operation."""

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark
        self._product = reference_operation(torch.device("cpu"))[1]
        self._calls = 1
        self.seconds: list[float] = []

    def reference(self) -> None:
        """Time it, on two threads whatever the benchmark's own are."""
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        watch = Stopwatch()
        for _ in range(self._calls):
            self._product()
            self.seconds.append(watch.lap())
        torch.set_num_threads(threads)

    def __call__(self, call: Callable[..., Any], make: Callable[[], tuple[Any, ...]] = tuple) -> None:
        """Two calls to warm up, then as many rounds as two seconds hold, at least eleven.

        Args:
            make: the arguments of a round, made before it and not timed.
        """
        for _ in range(2):
            self.reference()
            arguments, watch = make(), Stopwatch()
            call(*arguments)
            taken = watch.lap()
        self._calls = min(max(round(_SHARE * taken / self.seconds[-1]), 1), _MOST_BESIDE)
        self.seconds.clear()

        def before() -> tuple[tuple[Any, ...], dict[str, Any]]:
            self.reference()
            return make(), {}

        rounds = min(max(math.ceil(_SECONDS / taken), _FEWEST), _MOST)
        self._benchmark.pedantic(call, setup=before, rounds=rounds)


@pytest.fixture
def beside(benchmark: Any) -> Iterator[Beside]:
    """Run a benchmark's rounds with it; it leaves the median of the reference and the foreign load in the file."""
    load, found = ForeignLoad(), Beside(benchmark)
    yield found
    if found.seconds:
        benchmark.extra_info |= {BESIDE: median(found.seconds), FOREIGN: load.share()}
