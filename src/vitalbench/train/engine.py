"""The one training loop. Where it runs is the target's matter; what it trains is the design's."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from vitalbench.config.design import Train
from vitalbench.config.schema import Kind
from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.train.ahead import Ahead
from vitalbench.train.allocator import keep_freed_memory
from vitalbench.train.batches import Batches
from vitalbench.train.context import Judge, TrainingFailure
from vitalbench.train.course import Course
from vitalbench.train.keeper import Unkept
from vitalbench.train.losses import Loss, kind_of, loss_function, probabilities
from vitalbench.train.not_finite import at_fault, named
from vitalbench.train.observer import Begun, Unobserved
from vitalbench.train.optimiser import make_schedule
from vitalbench.train.state import Best, run_state
from vitalbench.train.step import make_step
from vitalbench.train.strategy import (
    average_statistics,
    bare,
    evaluating,
    load_weights,
    make_accelerator,
    over_processes,
)
from vitalbench.train.switches import set_switches


def synchroniser(target: Target) -> Callable[[], None]:
    """What the clock waits for on a target's device."""
    return torch.cuda.synchronize if target.device == "cuda" else nothing_to_wait_for


def prepare_torch(target: Target, seed: int, precision: str = "fp32") -> Accelerator:
    """Fix threads, seeds and algorithms, so that the same seed gives the same bytes on a CPU; return the accelerator."""
    keep_freed_memory()
    set_switches(target)
    accelerator = make_accelerator(target, precision)
    torch.set_num_threads(target.threads)
    if target.compile:
        torch.use_deterministic_algorithms(True, warn_only=target.device != "cpu")
    else:  # the same, without importing the compiler, which is seconds of every job
        torch.set_deterministic_debug_mode("error" if target.device == "cpu" else "warn")
    # Off: it would write every new tensor twice, and no result would be another.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(seed)
    return accelerator


@dataclass(frozen=True)
class Examples:
    """Records to train or validate on: rows of the store, labels (records, classes), and the ids for messages."""

    rows: NDArray[np.intp]
    labels: NDArray[np.float32]
    names: list[str]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Trained:
    """A trained model and how it came about; `seconds` has one entry an epoch, validation included."""

    model: nn.Module
    course: Course
    micro_batch: int | None = None
    halved: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row an epoch."""
        return self.course.history

    @property
    def seconds(self) -> list[float]:
        """Of every epoch, over all the processes that worked on it, without what was lost and done again."""
        return self.course.epoch_seconds

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.course.steps

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the model has."""
        return self.course.kept_epoch


class Votes:
    """Probabilities of records from those of their windows, aggregated as the design says."""

    def __init__(self, batches: Batches, records: int, kind: Kind) -> None:
        self._most = batches.window is not None and batches.window.aggregate == "max"
        self._windows, self._records, self._kind = len(batches.starts), records, kind
        self._found: Tensor | None = None

    def add(self, logits: Tensor, some: slice) -> None:
        """A window of some of the records; what `logits` has beyond them was borrowed."""
        p = probabilities(logits, self._kind).double().cpu()[: some.stop - some.start]
        if self._found is None:
            self._found = torch.zeros(self._records, p.shape[1], dtype=torch.float64)
        found = self._found
        found[some] = torch.maximum(found[some], p) if self._most else found[some] + p / self._windows

    def of_all(self, accelerator: Accelerator) -> NDArray[np.float64]:
        """(records, classes), over all processes."""
        if self._found is None:
            raise TrainingFailure("there is no record to score")
        found = over_processes(accelerator, self._found)
        if self._kind in ("multiclass", "softlabel"):
            found = found / found.sum(dim=1, keepdim=True)  # not in place: it was made in inference mode
        scored: NDArray[np.float64] = found.clamp(0, 1).numpy()
        return scored


def score(
    accelerator: Accelerator, model: nn.Module, batches: Batches, rows: NDArray[np.intp], kind: Kind
) -> NDArray[np.float64]:
    """Probabilities of records, (records, classes): every window scored, then aggregated as the design says."""
    model.eval()
    votes = Votes(batches, len(rows), kind)
    average_statistics(accelerator, model)
    with evaluating(model):
        for x, some in Ahead(batches.windows(rows)):
            votes.add(model(x.to(accelerator.device)), some)
    return votes.of_all(accelerator)


def validation_loss(
    accelerator: Accelerator,
    model: nn.Module,
    batches: Batches,
    examples: Examples,
    kind: Kind | Loss,
    votes: Votes | None = None,
) -> float:
    """Mean loss over all windows of the validation records; their probabilities go to `votes`."""
    model.eval()
    average_statistics(accelerator, model)
    loss, total, count = loss_function(kind), 0.0, 0
    with evaluating(model):
        for x, some in Ahead(batches.windows(examples.rows)):
            own = some.stop - some.start
            logits = model(x.to(accelerator.device))[:own]
            if votes is not None:
                votes.add(logits, some)
            if own:
                y = torch.from_numpy(examples.labels[some]).to(accelerator.device)
                total += float(loss(logits, y)) * own
                count += own
    sums = over_processes(accelerator, torch.tensor([total, count], dtype=torch.float64))
    return float(sums[0] / sums[1])


def _validated(
    accelerator: Accelerator,
    model: nn.Module,
    batches: Batches,
    examples: Examples,
    kind: Kind | Loss,
    judge: Judge | None,
) -> tuple[float | None, dict[str, float | None]]:
    """The loss of the validation records, and what they are judged by, as a history has it; all processes take part.

    Raises:
        TrainingFailure: the loss is not finite; the records at fault are named.
    """
    if not len(examples):
        return None, {}
    of = kind_of(kind)
    votes = Votes(batches, len(examples), of) if of else None
    loss = validation_loss(accelerator, model, batches, examples, kind, votes)
    if not math.isfinite(loss):
        wrong = ~np.isfinite(votes.of_all(accelerator)).all(axis=1) if votes else np.zeros(len(examples), bool)
        told = f": {named(examples.names, np.flatnonzero(wrong).tolist())}" if wrong.any() else ""
        raise TrainingFailure(f"the validation loss is {loss}{told}")
    if votes is None or judge is None:
        return loss, {}
    return loss, {f"val_{judge.name}": judge.value(examples.labels, votes.of_all(accelerator))}


def train(
    accelerator: Accelerator,
    model: nn.Module,
    batches: Batches,
    settings: Train,
    kind: Kind | Loss,
    training: Examples,
    validation: Examples,
    *,
    seed: int,
    target: Target,
    say: Callable[[str], None],
    keeper: Unkept | None = None,
    observer: Unobserved | None = None,
    judge: Judge | None = None,
) -> Trained:
    """Train a model. With early stopping the weights of the best validation epoch are kept, without it those of the last.

    Args:
        kind: of the task, whose loss is taken; or a loss, where what is asked of a record is not a task's labels.
        keeper: saves the run as it goes, and goes on from what was saved; without one the run is not saved.
        observer: is told how the run goes, before each time that it may be saved.
        judge: of the validation records, for those who watch.

    Raises:
        TrainingFailure: a loss is not finite; the records at fault are named. Interrupted: a signal came; the run is saved.
        Stop: the observer's word; the run is saved.
    """
    steps = batches.steps(len(training), settings.drop_last)
    step = make_step(accelerator, model, settings, kind, target)
    schedule = make_schedule(step.optimiser, settings, steps * settings.epochs)
    best = Best(settings.early_stopping.patience) if settings.early_stopping and len(validation) else None
    model, course, keeper, observer = bare(step.model), Course(), keeper or Unkept(), observer or Unobserved()
    state = run_state(course, step, schedule, best)
    with keeper.holding():
        keeper.resume(state, Stopwatch(synchroniser(target)))
        with keeper.between_steps(state):
            least = min(settings.epochs, settings.early_stopping.patience + 1) if settings.early_stopping else None
            observer.start(Begun(settings.epochs, steps, len(training), least), course)
        while not course.ended:
            epoch = course.epoch
            step.model.train()
            made = Ahead(
                batches.epoch(training.rows, training.labels, seed, epoch, settings.drop_last, first=course.batch)
            )
            made.waited = course.waited
            for x, y, chosen in made:
                loss = float(step(x, y, len(chosen)))
                if not math.isfinite(loss):
                    told = named([training.names[i] for i in chosen], at_fault(step, x, len(chosen)))
                    raise TrainingFailure(f"the loss is {loss} in epoch {epoch}, batch {course.batch + 1}: {told}")
                schedule.step()
                course.took(loss, made.waited)
                with keeper.between_steps(state):
                    observer.batch(course, loss)
            with keeper.breakable(state):
                val, judged = _validated(accelerator, model, batches, validation, kind, judge)
            keeper.take_time(course)
            course.steps += steps
            row = {
                "epoch": epoch,
                "steps": course.steps,
                "train_loss": course.loss / steps,
                "val_loss": val,
                "learning_rate": step.optimiser.param_groups[0]["lr"],
                "seconds": round(course.seconds, 4),
                "data_wait_s": round(made.waited, 4),
                "lost_s": round(keeper.lost_seconds(epoch), 4),
                **judged,
            }
            shown = "" if val is None else f", validation {val:.4f}"
            shown += "".join(f", {judge.name} {value:.4f}" for value in judged.values() if judge and value is not None)
            pace = f"{len(training) / course.seconds:.0f} records/s, {(settings.epochs - epoch) * course.seconds:.0f} s left"
            say(f"epoch {epoch}/{settings.epochs}: loss {course.loss / steps:.4f}{shown}; {pace}")
            course.kept_epoch, course.ended = epoch, epoch == settings.epochs
            if best and val is not None and not best.offer(val, epoch, model):
                say(f"no better validation loss for {best.patience} epochs: stopped")
                course.ended = True
            course.end_epoch(row)
            observer.epoch(course, row)
            keeper.after_epoch(state, val)
    observer.end()
    if best and best.weights is not None:
        load_weights(model, best.weights)
        course.kept_epoch = best.epoch
    return Trained(model, course, step.micro_batch, step.halved)
