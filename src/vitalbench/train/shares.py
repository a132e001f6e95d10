"""How a batch is divided: over the processes, and within one over micro-batches.

The loss of a batch is the mean over its records. So each part's mean counts by how many records it has, and a batch that
divides unevenly gives the same gradient as the whole of it would.
"""

from itertools import pairwise

BORROWED = (
    2  # records a process works on, with weight 0, where its share is empty: it takes part in what all do together
)


def parts(count: int, into: int) -> list[slice]:
    """`count` things in order, divided into slices whose lengths differ by one at most.

    >>> parts(5, 2)
    [slice(0, 3, None), slice(3, 5, None)]
    >>> [part.stop - part.start for part in parts(1, 2)]
    [1, 0]
    """
    short, longer = divmod(count, into)
    starts = [number * short + min(number, longer) for number in range(into + 1)]
    return [slice(start, stop) for start, stop in pairwise(starts)]


def own_share(count: int, rank: int, ranks: int) -> slice:
    """The part of a batch of `count` records that process `rank` of `ranks` takes; it may be empty."""
    return parts(count, ranks)[rank]


def micro_batches(count: int, ranks: int, rank: int, most: int | None) -> list[slice]:
    """The slices of a process's own share that are in memory one after another: as many on every process, some perhaps empty.

    Args:
        count: records of the whole batch.
        most: records in memory at once; None for the whole share.
    """
    share = own_share(count, rank, ranks)
    largest = -(-count // ranks)
    return parts(share.stop - share.start, 1 if most is None else -(-largest // most))
