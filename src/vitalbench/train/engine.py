"""The one training loop. Where it runs is the target's matter; what it trains is the design's."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vitalbench.config.schema import Kind, Target, Train
from vitalbench.measure.clock import Stopwatch, nothing_to_wait_for
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Batches
from vitalbench.train.context import TrainingFailure
from vitalbench.train.optimiser import make_optimiser, make_schedule


def synchroniser(target: Target) -> Callable[[], None]:
    """What the clock waits for on a target's device."""
    return torch.cuda.synchronize if target.device == "cuda" else nothing_to_wait_for


def prepare_torch(target: Target, seed: int) -> Accelerator:
    """Fix threads, seeds and algorithms, so that the same seed gives the same bytes on a CPU; return the accelerator."""
    torch.set_num_threads(target.threads)
    torch.use_deterministic_algorithms(True, warn_only=target.device != "cpu")
    torch.manual_seed(seed)
    return Accelerator(cpu=target.device == "cpu")


def loss_function(kind: Kind) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a task's kind, (logits, targets) -> mean; soft and hard targets alike."""
    if kind in ("multiclass", "softlabel"):
        return functional.cross_entropy
    return functional.binary_cross_entropy_with_logits


def probabilities(logits: Tensor, kind: Kind) -> Tensor:
    """Probabilities of a task's kind."""
    return logits.softmax(dim=1) if kind in ("multiclass", "softlabel") else logits.sigmoid()


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
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    steps: int = 0
    kept_epoch: int = 0


@dataclass
class Step:
    """One optimiser step, as training takes it and as measure/ times it."""

    accelerator: Accelerator
    model: nn.Module
    optimiser: Any
    loss: Callable[[Tensor, Tensor], Tensor]
    clip_norm: float | None

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Forward, backward and update on one batch; returns the loss. A loss that is not finite updates nothing."""
        loss = self.loss(self.model(x.to(self.accelerator.device)), y.to(self.accelerator.device))
        if not torch.isfinite(loss):
            return loss.detach()
        self.optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        if self.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimiser.step()
        return loss.detach()


def make_step(accelerator: Accelerator, model: nn.Module, settings: Train, kind: Kind) -> Step:
    """Put a model and its optimiser on the target's device."""
    model, optimiser = accelerator.prepare(model, make_optimiser(model, settings))
    return Step(accelerator, model, optimiser, loss_function(kind), settings.clip_norm)


def score(
    accelerator: Accelerator, model: nn.Module, batches: Batches, rows: NDArray[np.intp], kind: Kind
) -> NDArray[np.float64]:
    """Probabilities of records, (records, classes): every window scored, then aggregated as the design says."""
    model.eval()
    take_max = batches.window is not None and batches.window.aggregate == "max"
    found: Tensor | None = None
    with torch.inference_mode():
        for x, some in Ahead(batches.windows(rows)):
            p = probabilities(model(x.to(accelerator.device)), kind).double().cpu()
            if found is None:
                found = torch.zeros(len(rows), p.shape[1], dtype=torch.float64)
            found[some] = torch.maximum(found[some], p) if take_max else found[some] + p / len(batches.starts)
    if found is None:
        raise TrainingFailure("there is no record to score")
    if kind in ("multiclass", "softlabel"):
        found /= found.sum(dim=1, keepdim=True)
    scored: NDArray[np.float64] = found.clamp(0, 1).numpy()
    return scored


def validation_loss(
    accelerator: Accelerator, model: nn.Module, batches: Batches, examples: Examples, kind: Kind
) -> float:
    """Mean loss over all windows of the validation records."""
    model.eval()
    loss, total, count = loss_function(kind), 0.0, 0
    with torch.inference_mode():
        for x, some in Ahead(batches.windows(examples.rows)):
            y = torch.from_numpy(examples.labels[some]).to(accelerator.device)
            total += float(loss(model(x.to(accelerator.device)), y)) * len(x)
            count += len(x)
    return total / count


class _Best:
    """The best validation epoch so far, and whether patience has run out."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.loss, self.epoch = math.inf, 0
        self.weights: dict[str, Tensor] | None = None

    def offer(self, loss: float, epoch: int, model: nn.Module) -> bool:
        """Take note of an epoch; say whether to go on."""
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, copy.deepcopy(model.state_dict())
        return epoch - self.epoch < self.patience


def train(
    accelerator: Accelerator,
    model: nn.Module,
    batches: Batches,
    settings: Train,
    kind: Kind,
    training: Examples,
    validation: Examples,
    *,
    seed: int,
    target: Target,
    say: Callable[[str], None],
) -> Trained:
    """Train a model. With early stopping the weights of the best validation epoch are kept, without it those of the last.

    Raises:
        TrainingFailure: the loss is not finite; the records of that batch are named.
    """
    steps = batches.steps(len(training), settings.drop_last)
    step = make_step(accelerator, model, settings, kind)
    schedule = make_schedule(step.optimiser, settings, steps * settings.epochs)
    best = _Best(settings.early_stopping.patience) if settings.early_stopping and len(validation) else None
    trained = Trained(accelerator.unwrap_model(step.model))
    watch = Stopwatch(synchroniser(target))
    for epoch in range(1, settings.epochs + 1):
        step.model.train()
        running = 0.0
        made = Ahead(batches.epoch(training.rows, training.labels, seed, epoch, settings.drop_last))
        for x, y, chosen in made:
            loss = float(step(x, y))
            if not math.isfinite(loss):
                culprits = ", ".join(training.names[i] for i in chosen[:8])
                raise TrainingFailure(f"the loss is {loss} in epoch {epoch}; records of that batch: {culprits} ...")
            schedule.step()
            running += loss
        trained.steps += steps
        val = validation_loss(accelerator, step.model, batches, validation, kind) if len(validation) else None
        seconds = watch.lap()
        trained.seconds.append(seconds)
        trained.kept_epoch = epoch
        trained.history.append(
            {
                "epoch": epoch,
                "steps": trained.steps,
                "train_loss": running / steps,
                "val_loss": val,
                "learning_rate": step.optimiser.param_groups[0]["lr"],
                "seconds": round(seconds, 4),
                "data_wait_s": round(made.waited, 4),
            }
        )
        shown = "" if val is None else f", validation {val:.4f}"
        pace = f"{len(training) / seconds:.0f} records/s, {(settings.epochs - epoch) * seconds:.0f} s left"
        say(f"epoch {epoch}/{settings.epochs}: loss {running / steps:.4f}{shown}; {pace}")
        if best and val is not None and not best.offer(val, epoch, trained.model):
            say(f"no better validation loss for {best.patience} epochs: stopped")
            break
    if best and best.weights is not None:
        trained.model.load_state_dict(best.weights)
        trained.kept_epoch = best.epoch
    return trained
