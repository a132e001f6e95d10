"""What the processes of a run agree on between two steps, so that all of them do the same: save, end, go on from the same place."""

from functools import cached_property
from typing import Any

from vitalbench.train.ranks import rank, ranks


class Alone:
    """A process on its own, which agrees with itself."""

    rank = 0

    several = False

    @property
    def first(self) -> bool:
        """Whether this is the process that writes the run's files."""
        return self.rank == 0

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes state."""
        return number

    def from_first(self, text: str) -> str:
        """The text of the first process."""
        return text

    def wait(self) -> None:
        """Until all processes have come here."""


class Among(Alone):
    """A process among several. Each call is one that all of them make, in the same order."""

    several = True

    def __init__(self) -> None:
        self.rank = rank()

    @cached_property
    def _group(self) -> Any:
        """Words go between hosts, over gloo, also where gradients go between GPUs over NCCL."""
        from torch import distributed

        return None if distributed.get_backend() == "gloo" else distributed.new_group(backend="gloo")

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes state."""
        import torch
        from torch import distributed

        told = torch.tensor(number)
        distributed.all_reduce(told, distributed.ReduceOp.MAX, group=self._group)
        return int(told)

    def from_first(self, text: str) -> str:
        """The text of the first process."""
        from torch import distributed

        told = [text]
        distributed.broadcast_object_list(told, src=0, group=self._group)
        return told[0]

    def wait(self) -> None:
        """Until all processes have come here."""
        self.largest(0)


def among() -> Alone:
    """This process's place: on its own, or one of those that its launcher started."""
    return Among() if ranks() > 1 else Alone()
