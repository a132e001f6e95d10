"""Everything that a run's further course depends on, in one place: what is not here is not saved, and not restored.

Whoever adds to the engine something with a state of its own (a scaler of a kind of its own, an average of weights) adds it to
`run_state`; nothing else of saving and going on needs to know.
"""

import math
import random
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vitalbench.files import read_json, write_json
from vitalbench.train.course import Course
from vitalbench.train.shared_checkpoints import part_of
from vitalbench.train.step import Step
from vitalbench.train.strategy import ZeroState, bare, full_weights, is_sharded, is_zero
from vitalbench.train.tree import put_together, taken_apart

TENSORS, REST = "state.safetensors", "state.json"


class Best:
    """The best validation epoch so far, and whether patience has run out."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.loss, self.epoch = math.inf, 0
        self.weights: dict[str, Tensor] | None = None

    def offer(self, loss: float, epoch: int, model: nn.Module) -> bool:
        """Take note of an epoch; say whether to go on."""
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, full_weights(model)
        return epoch - self.epoch < self.patience

    def state_dict(self) -> dict[str, Any]:
        """Its state, as torch's own classes give theirs."""
        return {"loss": self.loss, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state over."""
        self.loss, self.epoch, self.weights = state["loss"], state["epoch"], state["weights"]


class RandomStates:
    """The state of every global source of random numbers of this process: torch on CPU and CUDA, numpy, python.

    Batches are made ahead, in a thread of their own, and so never draw from these: they have generators of seed and epoch.
    """

    def state_dict(self) -> dict[str, Any]:
        """The states as they are."""
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],  # type: ignore[no-untyped-call]
            "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 - a library that draws from it has to draw the same
            "python": random.getstate(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set every source."""
        torch.set_rng_state(state["torch"])
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        np.random.set_state(state["numpy"])  # noqa: NPY002
        random.setstate(state["python"])


class Buffers:
    """A model's buffers, which differ from process to process between two validations: each saw its own share of every batch."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def state_dict(self) -> dict[str, Any]:
        """By name."""
        return dict(self._model.named_buffers())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put them back in place."""
        for name, buffer in self._model.named_buffers():
            buffer.copy_(state[name])


def _write(folder: Path, value: dict[str, Any]) -> None:
    tensors: dict[str, Tensor] = {}
    rest = taken_apart(value, tensors)
    save_file(tensors, folder / TENSORS)
    write_json(folder / REST, rest)


def _read(folder: Path) -> Any:
    # Cloned: a tensor in the file's own pages may lie at any address, and its file may be pruned.
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / TENSORS).items()}
    return put_together(read_json(folder / REST), tensors)


@dataclass
class RunState:
    """A run between two optimiser steps.

    Attributes:
        course: how far it has come.
        parts: model, optimiser, schedule, scaler, best epoch: whatever has `state_dict` and `load_state_dict`, and is the same
            on all processes.
        own: the same of what each process has for itself: random numbers, its part of what ZeRO divides.
    """

    course: Course
    parts: dict[str, Any]
    own: dict[str, Any]

    def write(self, folder: Path, rank: int) -> None:
        """Write a process's part into a folder, the first one's with what all share: tensors as safetensors, the rest as JSON."""
        states = {"own": {name: part.state_dict() for name, part in self.own.items()}}
        if rank == 0:
            states["parts"] = {name: part.state_dict() for name, part in self.parts.items()}
            states["course"] = asdict(self.course)
        _write(folder, states)

    def read(self, checkpoint: Path, rank: int) -> None:
        """Take over the state that a checkpoint holds.

        Raises:
            KeyError: it was written of other parts; the id of a run, which code is a part of, keeps that from happening.
        """
        shared = _read(checkpoint)
        own = _read(part_of(checkpoint, rank)) if rank else shared
        for parts, states in ((self.parts, shared["parts"]), (self.own, own["own"])):
            for name, part in parts.items():
                part.load_state_dict(states[name])
        for field in fields(Course):
            setattr(self.course, field.name, shared["course"][field.name])


def run_state(course: Course, step: Step, schedule: Any, best: Best | None) -> RunState:
    """The state of a run, of one process or several, under whatever strategy."""
    accelerator, model = step.accelerator, bare(step.model)
    parts: dict[str, Any] = {"schedule": schedule, "step": step}
    own: dict[str, Any] = {"random": RandomStates()}
    if not is_sharded(model):
        parts["model"] = model
    if is_zero(accelerator):
        own["zero"] = ZeroState(step.model)
    else:
        parts["optimiser"] = step.optimiser
    if accelerator.num_processes > 1:
        own["buffers"] = Buffers(model)
    if accelerator.scaler is not None:
        parts["scaler"] = accelerator.scaler
    if best is not None:
        parts["best"] = best
    return RunState(course, parts, own)
