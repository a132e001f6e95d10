"""Batches made ahead of the loop that takes them, so that training does not wait for data."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar, cast

from vitalbench.measure.clock import Stopwatch

T = TypeVar("T")
_DONE = object()


class Ahead(Generic[T]):
    """Iterates over `batches`, made by a thread of its own up to `depth` ahead, in their order.

    Reading and scaling happen in NumPy and outside the interpreter's lock, so they run beside the model's step. An error while
    a batch is made is raised where the batch would have been taken.

    >>> list(Ahead(iter([1, 2, 3])))
    [1, 2, 3]
    """

    def __init__(self, batches: Iterable[T], depth: int = 2) -> None:
        self._batches, self._depth = iter(batches), depth
        self.waited = 0.0  # seconds the loop stood still for a batch that was not ready

    def __iter__(self) -> Iterator[T]:
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
            coming: deque[Future[object]] = deque(maker.submit(next, self._batches, _DONE) for _ in range(self._depth))
            while True:
                watch = Stopwatch()
                batch = coming.popleft().result()
                self.waited += watch.lap()
                if batch is _DONE:
                    return
                coming.append(maker.submit(next, self._batches, _DONE))
                yield cast(T, batch)
