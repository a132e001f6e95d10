"""Whose fault a loss is that is not finite: which records of its batch the model gives no finite value."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vitalbench.train.shares import BORROWED, micro_batches, own_share
from vitalbench.train.step import Step
from vitalbench.train.strategy import bare, evaluating, over_processes

_TOLD = 8  # records that a message names


def at_fault(step: Step, x: Tensor, records: int) -> list[int]:
    """Places in a batch of the records that the model, as it was before the batch, gives no finite value.

    Args:
        x: the records of this process's own share.
        records: of the whole batch; all processes ask together.
    """
    accelerator, ranks = step.accelerator, step.accelerator.num_processes
    step.undo()  # a running mean that one record has spoilt would speak against all of them
    step.model.eval()
    share = own_share(records, accelerator.process_index, ranks)
    found = torch.zeros(records)
    with evaluating(bare(step.model)):
        for piece in micro_batches(records, ranks, accelerator.process_index, step.micro_batch):
            count = piece.stop - piece.start
            some = x[piece if count else slice(0, BORROWED)].to(accelerator.device)
            values = step.model(some)
            wrong = ~torch.isfinite(some.flatten(1)).all(dim=1)
            if len(values) == len(some):
                wrong |= ~torch.isfinite(values.reshape(len(some), -1)).all(dim=1)
            found[share][piece] = wrong[:count].float().cpu()
    return over_processes(accelerator, found).nonzero().flatten().tolist()


def named(names: Sequence[str], places: Sequence[int]) -> str:
    """The records of a batch that are at fault, or that none is by itself, in a few words.

    >>> named(["a", "b", "c"], [1])
    'without a finite value: b'
    >>> named(["a", "b", "c"], [])
    'no record by itself; those of the batch: a, b, c'
    >>> named(["a", "b", "c"], [0, 1, 2])
    'not one with a finite value, so the model rather than a record; those of the batch: a, b, c'
    """
    told = [names[at] for at in places] or list(names)
    listed = ", ".join(told[:_TOLD]) + (f" and {len(told) - _TOLD} more" if len(told) > _TOLD else "")
    if not places:
        return f"no record by itself; those of the batch: {listed}"
    if len(places) == len(names) > 1:
        return f"not one with a finite value, so the model rather than a record; those of the batch: {listed}"
    return f"without a finite value: {listed}"
