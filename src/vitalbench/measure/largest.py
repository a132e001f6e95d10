"""The largest batch that a device's memory holds, found by doubling."""

from collections.abc import Callable

import torch

from vitalbench.measure.repeats import Call
from vitalbench.train.step import out_of_memory

MOST = 2**14  # records; no device that is declared gains by more at once


def largest_batch(calls: Callable[[int], Call], first: int) -> int:
    """The largest of `first`, twice `first` and so on that runs; `first` itself has to.

    Args:
        calls: makes the forward pass of so many records.
    """
    fits = first
    while fits < MOST:
        try:
            calls(2 * fits)()
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            break  # below, the error's frames, and the tensors they hold, are gone
        fits *= 2
    torch.cuda.empty_cache()
    return fits
