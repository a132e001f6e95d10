"""One optimiser step, as training takes it and as measure/ times it, whatever the strategy, the precision and the memory."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vitalbench.config.design import Train
from vitalbench.config.schema import Kind
from vitalbench.config.target import Target
from vitalbench.train.context import TrainingFailure
from vitalbench.train.losses import Loss, loss_function
from vitalbench.train.optimiser import make_optimiser
from vitalbench.train.ranks import given_micro_batch, tell_exhausted
from vitalbench.train.recompute import recompute_blocks
from vitalbench.train.shares import BORROWED, micro_batches
from vitalbench.train.strategy import bare, is_zero, settle_zero


class _Before:
    """What a forward pass changes beside gradients, so that a step can be taken anew: random states and buffers."""

    def __init__(self, model: nn.Module) -> None:
        self._buffers = list(model.buffers())
        self._on_device = next(model.parameters()).device.type == "cuda"
        self._kept = [torch.empty_like(buffer) for buffer in self._buffers]

    def keep(self) -> None:
        self._copy(self._kept, self._buffers)
        self._random = torch.get_rng_state()
        self._device_random = torch.cuda.get_rng_state() if self._on_device else None

    def restore(self) -> None:
        self._copy(self._buffers, self._kept)
        torch.set_rng_state(self._random)
        if self._device_random is not None:
            torch.cuda.set_rng_state(self._device_random)

    @staticmethod
    def _copy(to: list[Tensor], of: list[Tensor]) -> None:
        if to:
            torch._foreach_copy_(to, of)  # one call for the hundred buffers of a deep network


def out_of_memory(error: RuntimeError) -> bool:
    """Whether memory was what a forward or backward pass lacked, on a device or on the host."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@dataclass
class Step:
    """Forward, backward and update on a batch, in micro-batches where the whole of it would not fit.

    Attributes:
        micro_batch: records in memory at once on each process; None for all of its share.
        halved: how often that was halved because memory did not suffice.
    """

    accelerator: Accelerator
    model: nn.Module
    optimiser: Any
    loss: Callable[[Tensor, Tensor], Tensor]
    clip_norm: float | None
    micro_batch: int | None = None
    halved: int = 0

    def __post_init__(self) -> None:
        self._before = _Before(bare(self.model))
        norms = [module for module in self.model.modules() if isinstance(module, _BatchNorm)]
        self._least = 2 if norms else 1  # batch norm has no statistics of one record

    def __call__(self, x: Tensor, y: Tensor, records: int | None = None) -> Tensor:
        """Take one step; returns the loss of the whole batch. A loss that is not finite updates nothing.

        Args:
            x: the records of this process's own share, or any BORROWED ones where that is empty.
            records: of the whole batch, over all processes; those of `x` by default.

        Raises:
            TrainingFailure: memory does not suffice for the least micro-batch.
        """
        records = len(x) if records is None else records
        self._before.keep()
        while True:
            try:
                loss = self._gradients(x, y, records)
                break
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
            self._halve(records)  # out here the error's frames, and the tensors they hold, are gone
        if torch.isfinite(loss) and not is_zero(self.accelerator):
            if self.clip_norm is not None:
                self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.optimiser.step()
        return loss

    def undo(self) -> None:
        """Put back what the last step's forward passes changed beside gradients."""
        self._before.restore()

    def state_dict(self) -> dict[str, Any]:
        """What memory made of the micro-batch: another one sums in another order."""
        return {"micro_batch": self.micro_batch, "halved": self.halved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with it, unless the launcher has halved further since it was saved."""
        (given, times), (saved, halved) = given_micro_batch(), (state["micro_batch"], state["halved"])
        if given is None or (saved is not None and saved <= given):
            self.micro_batch, self.halved = saved, halved
            return
        while halved and saved > given:  # what it was saved with had been halved before: counted on from there
            saved, times, halved = saved // 2, halved + 1, halved + 1
        self.micro_batch, self.halved = given, times

    def _gradients(self, x: Tensor, y: Tensor, records: int) -> Tensor:
        """Leave the gradients of the whole batch's mean loss (under ZeRO: update too), and return that loss."""
        ranks, device = self.accelerator.num_processes, self.accelerator.device
        pieces = micro_batches(records, ranks, self.accelerator.process_index, self.micro_batch)
        if not is_zero(self.accelerator):  # which clears its own with the update
            self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=device)
        for number, piece in enumerate(pieces, 1):
            count, last = piece.stop - piece.start, number == len(pieces)
            taken = piece if count else slice(0, BORROWED)
            with self._together(last):
                loss = self.loss(self.model(x[taken].to(device)), y[taken].to(device))
                if count != records:
                    loss = loss * (ranks * count / records)
                total = total + loss.detach()
                if last:
                    total = self._over_processes(total)
                    if not torch.isfinite(total):
                        break
                self.accelerator.backward(loss)
        return total

    @contextlib.contextmanager
    def _together(self, last: bool) -> Any:
        """Gradients are exchanged between processes, and under ZeRO the update made, with the last micro-batch alone."""
        self.accelerator.sync_gradients = last
        alone: AbstractContextManager[Any] = contextlib.nullcontext() if last else self.accelerator.no_sync(self.model)
        try:
            with alone:
                yield
        finally:
            self.accelerator.sync_gradients = True

    def _over_processes(self, loss: Tensor) -> Tensor:
        return loss if self.accelerator.num_processes == 1 else self.accelerator.reduce(loss, "mean")

    def _halve(self, records: int) -> None:
        """Halve the micro-batch: here where this process is alone; else its launcher does, for all processes."""
        ranks = self.accelerator.num_processes
        share = -(-records // ranks)
        tried = min(self.micro_batch or share, share)
        if ranks > 1 or is_zero(self.accelerator):
            tell_exhausted(tried)
        if getattr(self.loss, "whole_batch", False):
            raise TrainingFailure(
                f"out of memory with {records} records at once, and this loss tells the records of a batch apart: "
                "in parts it would be another; write a smaller 'train.batch_size'"
            )
        if tried // 2 < self._least or ranks > 1 or is_zero(self.accelerator):
            raise TrainingFailure(f"out of memory with {tried} records at once on a process")
        self.micro_batch, self.halved = tried // 2, self.halved + 1
        self.optimiser.zero_grad(set_to_none=True)
        self._before.restore()
        if self.accelerator.device.type == "cuda":
            torch.cuda.empty_cache()


def make_step(accelerator: Accelerator, model: nn.Module, settings: Train, kind: Kind | Loss, target: Target) -> Step:
    """Put a model and its optimiser on the target's device, in the target's way of running them."""
    if target.gradient_checkpointing:
        recompute_blocks(model)
    if target.compile:
        model.compile()
    optimiser = make_optimiser(model, settings)
    if accelerator.ddp_handler is not None:  # a gradient that never comes is waited for, unless it is looked for
        accelerator.ddp_handler.find_unused_parameters = any(getattr(part, "idle", False) for part in model.modules())
    if is_zero(accelerator):
        settle_zero(accelerator, settings.clip_norm, settings.precision)
        # The engine updates within its backward pass; the design's own optimiser is where the schedule sets the rates.
        prepared = accelerator.prepare(model, optimiser)[0], optimiser
    else:
        prepared = accelerator.prepare(model, optimiser)
    if accelerator.process_index:
        torch.manual_seed(torch.initial_seed() + accelerator.process_index)  # dropout: other records, other masks
    given, halved = given_micro_batch()
    micro_batch = given or settings.micro_batch
    return Step(accelerator, *prepared, loss_function(kind), settings.clip_norm, micro_batch, halved)
