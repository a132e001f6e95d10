"""A function of a batch's records, a few at a time and a thread a processor: no thread waits for another within them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


_AT_ONCE = 4  # so that what all records need is read once for a few of them


class FewAtATime:
    """(batch, ...) -> (batch, ...), of a function of (few, ...) that needs no gradient and gives of a record always the same bytes.

    A few records stay in their processor's cache, where a whole batch would pass through memory with every operation. torch divides
    one operation over its threads, and each such operation ends when the last of them does; here they divide the records.

    Args:
        threads: as many as torch has where it is made.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self._threads, initializer=self._alone)

    def _alone(self) -> None:
        """A thread of the pool divides no operation further."""
        torch.set_num_threads(1)

    def _one(self, some: Tensor) -> Tensor:
        with torch.inference_mode():  # a mode of the calling thread, not of the pool's
            return self._function(some)

    def __call__(self, x: Tensor) -> Tensor:
        few = torch.split(x, min(_AT_ONCE, -(-len(x) // self._threads)))
        if self._threads == 1:
            return torch.cat([self._function(some) for some in few])
        found = torch.cat(list(self._pool.map(self._one, few)))
        torch.set_num_threads(self._threads)  # what the pool's threads said holds for threads that begin later, too
        return found
