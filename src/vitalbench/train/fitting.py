"""What every recipe that trains does around the training: records, scale, model and memory before, scores and facts after."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import nn

from vitalbench import models
from vitalbench.config.design import Train
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.phases import Phase
from vitalbench.train import engine
from vitalbench.train.activations import count_activations
from vitalbench.train.batches import Batches, Scale, seen
from vitalbench.train.context import SCORED, TRAINED_ON, Context, NotAllowed, Outcome, TrainingFailure
from vitalbench.train.disk_plan import plan_disk
from vitalbench.train.engine import Examples, Trained
from vitalbench.train.leads import SomeLeads, lead_positions
from vitalbench.train.losses import asked_of
from vitalbench.train.memory_plan import plan_memory
from vitalbench.train.stepped import Stepped, stepped

_SHUFFLE_STREAM = 7  # keeps the shuffle's random stream apart from the crops'


@dataclass
class Fitting:
    """A design about to be trained on a cell's records.

    Attributes:
        rows: of the store, in the order of the context's records.
        batches: of the signals, standardised by a scale that was fitted on the training records.
        stepped: the model, as the recipe trains it.
        phases: what was timed so far.
        clock: runs on from where the last phase ended.
    """

    context: Context
    accelerator: Accelerator
    settings: Train
    rows: NDArray[np.intp]
    training: Examples
    validation: Examples
    batches: Batches
    stepped: Stepped
    phases: list[Phase]
    clock: Stopwatch

    @property
    def scored(self) -> NDArray[np.intp]:
        """Rows of the store that are scored."""
        return self.rows[self.context.positions(*SCORED)]


def _start(model: nn.Module, weights: dict[str, Any]) -> None:
    """Put weights into a model's encoder."""
    try:
        model.get_submodule("encoder").load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise TrainingFailure(f"the encoder is not that of the run it starts from:{first[0].strip()}") from None


def prepare(context: Context, imports: float) -> Fitting:
    """Read what is trained on, fit the scale, build the model.

    Args:
        imports: seconds that loading the engine took.
    """
    design, settings = context.design, context.design.train
    if design.model is None or settings is None:
        raise TrainingFailure("the design names no model to train")
    phases = [Phase("import", [imports])]
    accelerator = engine.prepare_torch(context.target, context.seed, settings.precision)
    clock = Stopwatch(engine.synchroniser(context.target))
    rows = context.records["row"].to_numpy(dtype=np.intp)

    def examples(*splits: str) -> Examples:
        at = context.positions(*splits)
        return Examples(rows[at], context.labels[at], context.records["record_id"].iloc[at].tolist())

    training, validation = examples(*TRAINED_ON), examples("val")
    if settings.shuffle_labels:
        order = np.random.default_rng([context.seed, _SHUFFLE_STREAM]).permutation(len(training))
        training = Examples(training.rows, training.labels[order], training.names)
    positions = lead_positions(context.store.leads, design.leads)
    source = context.store if design.leads is None else SomeLeads(context.store, positions)
    scale = Scale.fit(source, training.rows)
    place = accelerator.process_index, accelerator.num_processes
    batches = Batches(source, scale, design.window, settings.batch_size, settings.augment, *place)
    phases.append(Phase("load", [clock.lap()], items=len(training), unit="record"))
    shape, _ = seen(design, context.dataset.shape)
    model = models.build(
        design.model.name, design.model.options, classes=len(context.task.classes), **models.axes(shape)
    )
    if context.start is not None:
        _start(model, context.start())
    asked = asked_of(context.task.kind, settings.positive_weight, training.labels)
    made = stepped(design, model, shape, context.dataset.shape.rate_hz, asked, accelerator.device)
    if made.patients:
        codes = pd.factorize(context.records["patient_id"])[0].astype(np.float32)[:, None]
        training, validation = (
            replace(those, labels=codes[np.isin(rows, those.rows)]) for those in (training, validation)
        )
    phases.append(Phase("build", [clock.lap()]))
    return Fitting(context, accelerator, settings, rows, training, validation, batches, made, phases, clock)


def train(fitting: Fitting, made: Stepped, batches: Batches) -> tuple[Trained, dict[str, Any]]:
    """Train what of a model is not frozen; returns what was trained and the facts of it.

    Args:
        batches: of such inputs as `made` is given.

    Raises:
        NotAllowed: memory or disk cannot suffice. TrainingFailure: it cannot go on.
    """
    context, settings = fitting.context, fitting.settings
    model = made.trained
    sizes = [(tensor.numel(), tensor.requires_grad) for tensor in model.parameters()]
    parameters = sum(size for size, trained in sizes if trained)
    frozen = sum(size for size, trained in sizes if not trained)
    kept = count_activations(model, made.shape, settings.precision, context.target.gradient_checkpointing)
    memory = plan_memory(parameters, kept, settings, context.target, made.sizes[1])
    context.say(memory.line())
    if not memory.fits:
        raise NotAllowed(memory.line())
    disk = plan_disk(context.stored_bytes, parameters, settings, context.target, frozen)
    if not disk.fits:
        raise NotAllowed(disk.line())
    training, validation = fitting.training, fitting.validation
    held = f" ({frozen:,} frozen)" if frozen else ""
    context.say(f"{parameters:,} parameters{held}; {len(training)} records to train on, {len(validation)} to validate")
    trained = engine.train(
        fitting.accelerator, model, batches, settings, made.asked, training, validation,
        seed=context.seed, target=context.target, say=context.say, keeper=context.keeper, observer=context.observer,
        judge=context.judge,
    )  # fmt: skip
    if trained.halved:
        times = "once" if trained.halved == 1 else f"{trained.halved} times"
        told = f"halved {times}, to {trained.micro_batch} of a batch's {settings.batch_size}"
        context.say(f"memory did not suffice for the records at once: {told}")
    fitting.phases.append(
        Phase(
            "epoch",
            trained.seconds,
            items=len(training),
            unit="record",
            batch_size=settings.batch_size,
            precision=settings.precision,
            micro_batch=trained.micro_batch,
            halved=trained.halved,
        )
    )
    if trained.course.saving:
        fitting.phases.append(Phase("checkpoint", trained.course.saving, unit="checkpoint"))
    return trained, {
        "parameters": parameters,
        "steps": trained.steps,
        "steps_an_epoch": batches.steps(len(training), settings.drop_last),
        "epochs": len(trained.history),
        "validation_records": len(validation),
        "kept_epoch": trained.kept_epoch,
        **fitting.batches.scale.facts(context.dataset.shape.unit),
        "memory": memory.to_json(),
        "disk": disk.to_json(),
    } | ({"frozen_parameters": frozen} if frozen else {})


def scored(
    fitting: Fitting, trained: Trained, batches: Batches, weights: dict[str, Any], facts: dict[str, Any]
) -> Outcome:
    """Score validation and test records with what was trained, and leave the run's outcome.

    Args:
        weights: tensors of the whole model, by name.
    """
    context = fitting.context
    watch = Stopwatch(engine.synchroniser(context.target))
    found = engine.score(fitting.accelerator, trained.model, batches, fitting.scored, context.task.kind)
    fitting.phases.append(Phase("evaluation", [watch.lap()], items=len(fitting.scored), unit="record"))
    return Outcome(
        probabilities=found,
        n_votes=len(batches.starts),
        history=trained.history,
        weights=weights,
        phases=fitting.phases,
        facts=facts,
        fitted_on=fitting.batches.scale.fitted_on,
    )
