"""The phases that a run goes through once, repeated: without repeats they have no noise floor, and no ratio of them a verdict."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from vitalbench.measure.phases import READS
from vitalbench.measure.prepared import Prepared
from vitalbench.measure.repeats import Call
from vitalbench.models import axes, build
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Scale
from vitalbench.train.course import Course
from vitalbench.train.engine import score
from vitalbench.train.optimiser import make_schedule
from vitalbench.train.sealed import seal
from vitalbench.train.state import run_state

_ENGINE = "import vitalbench.train.cell, vitalbench.train.engine"


def _process(_ready: Prepared, _store: Path) -> Call:
    """A process that imports what trains, from its start to its end."""
    return lambda: subprocess.run([sys.executable, "-c", _ENGINE], check=True)


def _load(ready: Prepared, store: Path) -> Call:
    """Opening the store, and the scale of all its records."""

    def call() -> None:
        source, rows = ready.source(store)
        Scale.fit(source, rows)

    return call


def _rebuild(ready: Prepared, _store: Path) -> Call:
    """The model on the host, once more."""
    model, shape = ready.design.model, axes(ready.shape) | {"classes": ready.classes}
    assert model is not None
    return lambda: build(model.name, model.options, **shape)


def _epoch(ready: Prepared, store: Path) -> Call:
    """A pass over all records of the store, batches made ahead as training does; without validation."""
    batches, rows, labels = ready.batches(store)
    epochs = iter(range(1, sys.maxsize))

    def call() -> None:
        ready.step.model.train()
        for x, y, chosen in Ahead(batches.epoch(rows, labels, 0, next(epochs), drop_last=True)):
            ready.step(x, y, len(chosen))

    return call


def _checkpoint(ready: Prepared, _store: Path) -> Call:
    """The state after a step, sealed in a temporary folder, and its removal."""
    settings = ready.design.train
    assert settings is not None
    ready.train_step()()
    state = run_state(Course(), ready.step, make_schedule(ready.step.optimiser, settings, settings.epochs), None)

    def call() -> None:
        with tempfile.TemporaryDirectory() as folder:
            seal(Path(folder) / "checkpoint", {}, lambda temporary: state.write(temporary, 0))

    return call


def _evaluation(ready: Prepared, store: Path) -> Call:
    """Every window of all records of the store scored."""
    batches, rows, _ = ready.batches(store)
    scoring, kind = ready.scoring, ready.kind
    assert scoring is not None
    return lambda: score(ready.accelerator, scoring, batches, rows, kind)


_CALLS: dict[str, Callable[[Prepared, Path], Call]] = {
    "process": _process,
    "load": _load,
    "rebuild": _rebuild,
    "epoch": _epoch,
    "checkpoint": _checkpoint,
    "evaluation": _evaluation,
}


def once_in_a_run(name: str, ready: Prepared, store: Path | None) -> tuple[Call, int, str]:
    """A call of one repeat of a phase of ONCE, with how many of what it handles.

    Args:
        store: all of whose records are trained on and scored; there is one where the phase reads any.
    """
    if name not in READS:
        return _CALLS[name](ready, store or Path()), 1, "call"
    assert store is not None, "what reads records is not asked for without them (measure/steps.py)"
    return _CALLS[name](ready, store), len(ready.source(store)[1]), "record"
