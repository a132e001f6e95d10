"""A design ready to be timed on a target: its model, its step, and calls of one repeat of each phase on generated batches."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.design import Design
from vitalbench.config.schema import Kind, TaskData
from vitalbench.config.target import Target
from vitalbench.data.store import Store
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad
from vitalbench.measure.repeats import Call
from vitalbench.models import axes, build
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Batches, Scale, seen
from vitalbench.train.frozen import precision_of
from vitalbench.train.leads import SomeLeads, lead_positions
from vitalbench.train.shares import BORROWED, own_share
from vitalbench.train.step import Step, make_step
from vitalbench.train.stepped import Stepped, stepped

_SEED = 0


@dataclass
class Prepared:
    """A built design. The batches are drawn from a generator of a fixed seed, in the order the calls are asked for.

    Attributes:
        kind: of the task.
        shape: of what the model is given of a record.
        windows: a record is scored as, as the design looks at it.
        build_seconds: making the model on the host.
        build_foreign: share of the processors that others took meanwhile; None where that cannot be seen.
    """

    design: Design
    target: Target
    accelerator: Accelerator
    model: nn.Module
    stepped: Stepped
    step: Step
    kind: Kind
    classes: int
    shape: tuple[int, ...]
    windows: int
    build_seconds: float
    build_foreign: float | None = None

    def __post_init__(self) -> None:
        assert self.design.train is not None
        self.batch = self.design.train.batch_size
        self._generator = torch.Generator().manual_seed(_SEED)

    @property
    def scoring(self) -> nn.Module | None:
        """What gives logits of signals, as it is placed on the device; None where nothing is scored."""
        return self.step.model if self.stepped.scoring is self.stepped.trained else self.stepped.scoring

    @property
    def encoding(self) -> str:
        """The precision of what a record goes through: of a frozen encoder's products its own, else the training's."""
        assert self.design.train is not None
        assert self.design.model is not None
        if self.stepped.frozen is None:
            return self.design.train.precision
        return precision_of(self.design.model.name, self.design.computed, self.accelerator.device)

    def _signals(self, count: int) -> Tensor:
        return torch.randn(count, *self.shape, generator=self._generator)

    def _labels(self, records: int) -> Tensor:
        """(records, classes): each of the first class; or (records, 1), each of another patient, where that is asked."""
        if self.stepped.patients:
            return torch.arange(records, dtype=torch.float32)[:, None]
        y = torch.zeros(records, self.classes)
        y[:, 0] = 1
        return y

    def features(self) -> Call | None:
        """A batch through the frozen encoder, where its features are kept."""
        frozen = self.stepped.frozen
        if frozen is None or not self.design.computed.features:
            return None
        signals = self._signals(self.batch)
        return lambda: frozen.encode(signals.to(self.accelerator.device))

    def train_step(self) -> Call:
        """A step on a batch that is in memory: what training takes without its data loader."""
        x = torch.randn(self.batch, *self.stepped.shape, generator=self._generator)
        y = self._labels(self.batch)
        share = own_share(self.batch, self.accelerator.process_index, self.accelerator.num_processes)
        own = share if share.stop > share.start else slice(0, BORROWED)
        x, y = x[own], y[own]
        self.step.model.train()
        return lambda: self.step(x, y, self.batch)

    def source(self, store: Path) -> tuple[Any, NDArray[np.intp]]:
        """A store's records with the design's leads, and all their rows."""
        whole = Store(store)
        some = self.design.leads
        read = whole if some is None else SomeLeads(whole, lead_positions(whole.leads, some))
        return read, np.arange(whole.records)

    def batches(self, store: Path) -> tuple[Batches, NDArray[np.intp], NDArray[np.float32]]:
        """Batches of a store's records as training reads them, all its rows, and a label for each."""
        assert self.design.train is not None
        source, rows = self.source(store)
        batch = min(self.batch, len(rows))
        batches = Batches(source, Scale(0.0, 1.0), self.design.window, batch, self.design.train.augment)
        return batches, rows, self._labels(len(rows)).numpy()

    def _from(self, store: Path) -> Callable[[], Any]:
        """Batches of a store's records without end; a new stream a call."""
        batches, rows, labels = self.batches(store)

        def stream() -> Any:
            epoch = 0
            while True:
                yield from batches.epoch(rows, labels, _SEED, epoch, drop_last=True)
                epoch += 1

        return stream

    def load_batch(self, store: Path) -> Call:
        """A batch from the store, alone."""
        batches = iter(self._from(store)())
        return lambda: next(batches)

    def loaded_step(self, store: Path) -> Call:
        """A step with its batch from the store, made ahead as training does."""
        batches = iter(Ahead(self._from(store)()))
        self.step.model.train()

        def call() -> None:
            x, y, chosen = next(batches)
            self.step(x, y, len(chosen))

        return call

    def inference(self, records: int) -> Call | None:
        """A forward pass of records, all windows that the design looks at; None where nothing is scored."""
        scoring = self.scoring
        if scoring is None:
            return None
        x = self._signals(records * self.windows)

        def call() -> None:
            scoring.eval()
            with torch.inference_mode():
                scoring(x.to(self.accelerator.device))

        return call


def prepare(
    design: Design,
    dataset: DatasetBuild,
    task: TaskData,
    target: Target,
    accelerator: Accelerator,
    synchronise: Callable[[], None],
) -> Prepared:
    """Build a design for a data set's shape and a task's classes on an accelerator; it has to have a model and a training."""
    assert design.model is not None
    assert design.train is not None
    shape, starts = seen(design, dataset.shape)
    classes = len(task.classes)
    load, watch = ForeignLoad(), Stopwatch(synchronise)
    model = build(design.model.name, design.model.options, classes=classes, **axes(shape))
    seconds, foreign = watch.lap(), load.share()
    made = stepped(design, model, shape, dataset.shape.rate_hz, task.kind, accelerator.device)
    step = make_step(accelerator, made.trained, design.train, made.asked, target)
    return Prepared(
        design, target, accelerator, model, made, step, task.kind, classes, shape, len(starts), seconds, foreign
    )
