"""A function of a batch's records, a record at a time and a thread a processor: no thread waits for another within a record."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


class RecordByRecord:
    """(batch, ...) -> (batch, ...), of a function of (1, ...) that needs no gradient: the same bytes whatever the batch.

    A record stays in its processor's cache, where a whole batch would pass through memory with every operation. torch divides one
    operation over its threads, and each such operation ends when the last of them does; here they divide the records.

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

    def _one(self, record: Tensor) -> Tensor:
        with torch.inference_mode():  # a mode of the calling thread, not of the pool's
            return self._function(record)

    def __call__(self, x: Tensor) -> Tensor:
        records = torch.split(x, 1)
        if self._threads == 1:
            return torch.cat([self._function(record) for record in records])
        found = torch.cat(list(self._pool.map(self._one, records)))
        torch.set_num_threads(self._threads)  # what the pool's threads said holds for threads that begin later, too
        return found
