"""The reference operation among the rounds of a benchmark, and the foreign load: a machine slow for a while is slow for both."""

import math
from collections.abc import Callable
from itertools import count
from statistics import median
from typing import Any

import pytest
import torch

from vitalbench.gate.benchmarks import BESIDE, FOREIGN
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.reference import reference_operation

_SECONDS, _FEWEST = 2.0, 11  # of rounds, at least
_BETWEEN = 0.005  # seconds of rounds between two looks at the reference, at least one round
_SHARE, _MOST_BESIDE = 0.05, 20  # of a longer round the reference takes about so much, in so many calls at most


class Beside:
    """Rounds of a benchmark, with the reference operation timed among them."""

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark
        self._product = reference_operation(torch.device("cpu"))[1]
        self._seconds: list[float] = []

    def _reference(self, calls: int = 1) -> None:
        """Time it, on two threads whatever the benchmark's own are."""
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        watch = Stopwatch()
        for _ in range(calls):
            self._product()
            self._seconds.append(watch.lap())
        torch.set_num_threads(threads)

    def __call__(self, call: Callable[..., Any], make: Callable[[], tuple[Any, ...]] = tuple) -> None:
        """Two calls to warm up, then at least two seconds of rounds, and eleven; leaves in the file what was seen beside them.

        Args:
            make: the arguments of a round, made before it and not timed.
        """
        for _ in range(2):
            self._reference()
            arguments, watch = make(), Stopwatch()
            call(*arguments)
            taken = watch.lap()
        calls = min(max(round(_SHARE * taken / self._seconds[-1]), 1), _MOST_BESIDE)
        apart, number = max(round(_BETWEEN / taken), 1), count()

        def before() -> tuple[tuple[Any, ...], dict[str, Any]]:
            if next(number) % apart == 0:
                self._reference(calls)
            return make(), {}

        self._seconds.clear()
        load = ForeignLoad()
        self._benchmark.pedantic(call, setup=before, rounds=max(math.ceil(_SECONDS / taken), _FEWEST))
        self._benchmark.extra_info |= {BESIDE: median(self._seconds), FOREIGN: load.share()}


@pytest.fixture
def beside(benchmark: Any) -> Beside:
    """Run a benchmark's rounds with it."""
    return Beside(benchmark)
