"""Designs whose training steps are taken in turn, each in a process of its own, so that what else the machine does meets all alike.

A process of its own also makes the peak memory a design's own. None of them computes while another's turn is timed.
"""

import multiprocessing
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.schema import TaskData
from vitalbench.config.target import Target
from vitalbench.errors import GateError
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.memory import peak_memory_mb

_SEED = 0


@dataclass(frozen=True)
class Sizes:
    """What a design's model counts: `numbers` are parameters and fixed buffers, `file_bytes` what they are as a file."""

    parameters: int
    trained: int
    numbers: int
    file_bytes: int


@dataclass(frozen=True)
class Batch:
    """Seconds of one batch: what a kept encoder takes of it, once, and the step; and the share of the machine others took."""

    features: float
    step: float
    foreign: float | None

    @property
    def seconds(self) -> float:
        """Of a batch that is met for the first time."""
        return self.features + self.step


@dataclass(frozen=True)
class Measured:
    """A design's batches in the order of the rounds, and the most memory its process has held, in 10^6 bytes."""

    sizes: Sizes
    batches: list[Batch]
    peak_memory_mb: float


def _work(pipe: Connection, design: Design, dataset: DatasetBuild, task: TaskData, target: Target) -> None:
    """Build a design, then take a step of it whenever asked: the body of its process."""
    import torch
    from safetensors.torch import save_file

    from vitalbench.models import axes, build
    from vitalbench.train.batches import seen
    from vitalbench.train.engine import prepare_torch, synchroniser
    from vitalbench.train.step import make_step
    from vitalbench.train.stepped import stepped

    assert design.model is not None
    assert design.train is not None
    accelerator = prepare_torch(target, _SEED, design.train.precision)
    shape, _ = seen(design, dataset.shape)
    classes = len(task.classes)
    model = build(design.model.name, design.model.options, classes=classes, **axes(shape))
    parameters, state = sum(tensor.numel() for tensor in model.parameters()), model.state_dict()
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, Path(folder) / "model.safetensors")
        file_bytes = (Path(folder) / "model.safetensors").stat().st_size
    made = stepped(design, model, shape, dataset.shape.rate_hz, task.kind, accelerator.device)
    step = make_step(accelerator, made.trained, design.train, made.asked, target)
    trained = sum(tensor.numel() for tensor in made.trained.parameters() if tensor.requires_grad)
    pipe.send(Sizes(parameters, trained, sum(tensor.numel() for tensor in state.values()), file_bytes))
    step.model.train()
    batch = design.train.batch_size
    signals, x = torch.randn(batch, *shape), torch.randn(batch, *made.shape)
    y = torch.arange(batch)[:, None].float() if made.patients else torch.zeros(batch, classes)
    kept = made.frozen if design.computed.features else None
    while pipe.recv():
        load, watch, features = ForeignLoad(), Stopwatch(synchroniser(target)), 0.0
        if kept is not None:
            kept.encode(signals.to(accelerator.device))
            features = watch.lap()
        step(x, y)
        pipe.send(Batch(features, watch.lap(), load.share()))
    pipe.send(peak_memory_mb())


class _Process:
    """A design's process, from its start until `end`."""

    def __init__(self, name: str, *given: Any) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *given), daemon=True)
        self._process.start()
        theirs.close()  # so that a process that is no more is noticed here

    def told(self) -> Any:
        """What it sends next.

        Raises:
            GateError: it has ended instead; what it said stands on standard error.
        """
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            raise GateError(
                f"{self._name}: its process ended with {self._process.exitcode} while it was measured"
            ) from None

    def batch(self) -> Batch:
        """Take one step."""
        self._pipe.send(True)
        found: Batch = self.told()
        return found

    def end(self) -> float:
        """Its peak memory."""
        self._pipe.send(False)
        peak: float = self.told()
        self._process.join()
        return peak

    def stop(self) -> None:
        """End it wherever it is."""
        self._process.kill()


def take_turns(
    designs: dict[str, Design], dataset: DatasetBuild, task: TaskData, target: Target, rounds: int
) -> dict[str, Measured]:
    """Time batches of designs in turn, after a round that is not counted.

    Args:
        designs: with a model and settings of its training, by name.
        rounds: batches of each.

    Raises:
        GateError: a design's process ended before it was measured.
    """
    processes: dict[str, _Process] = {}
    try:
        sizes: dict[str, Sizes] = {}
        for name, design in designs.items():  # one after another: none is built while another is
            processes[name] = _Process(name, design, dataset, task, target)
            sizes[name] = processes[name].told()
        taken: dict[str, list[Batch]] = {name: [] for name in designs}
        for number in range(rounds + 1):
            for name, process in processes.items():
                batch = process.batch()
                if number:
                    taken[name].append(batch)
        return {name: Measured(sizes[name], taken[name], processes[name].end()) for name in designs}
    finally:
        for process in processes.values():
            process.stop()
