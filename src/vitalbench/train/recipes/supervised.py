"""Train a model on labelled records from scratch."""

import numpy as np

from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.phases import Phase
from vitalbench.train.context import SCORED, TRAINED_ON, Context, Outcome, TrainingFailure

_SHUFFLE_STREAM = 7  # keeps the shuffle's random stream apart from the crops'


def fit(context: Context) -> Outcome:
    """Train, then score validation and test records."""
    watch = Stopwatch()
    # Imported here: a control that needs no network should not wait for torch.
    from vitalbench.models import build, parameter_count
    from vitalbench.train.batches import Batches, Scale
    from vitalbench.train.engine import Examples, prepare_torch, score, synchroniser, train

    phases = [Phase("import", [watch.lap()])]
    design, settings = context.design, context.design.train
    if design.model is None or settings is None:
        raise TrainingFailure("the design names no model to train")
    accelerator = prepare_torch(context.target, context.seed)
    watch = Stopwatch(synchroniser(context.target))

    def examples(*splits: str) -> Examples:
        at = context.positions(*splits)
        return Examples(rows[at], context.labels[at], context.records["record_id"].iloc[at].tolist())

    rows = context.records["row"].to_numpy(dtype=np.intp)
    training, validation = examples(*TRAINED_ON), examples("val")
    if settings.shuffle_labels:
        order = np.random.default_rng([context.seed, _SHUFFLE_STREAM]).permutation(len(training))
        training = Examples(training.rows, training.labels[order], training.names)
    scale = Scale.fit(context.store, training.rows)
    batches = Batches(context.store, scale, design.window, settings.batch_size)
    phases.append(Phase("load", [watch.lap()], items=len(training), unit="record"))
    model = build(
        design.model.name,
        design.model.options,
        leads=len(context.store.leads),
        samples=batches.length,
        classes=len(context.task.classes),
    )
    parameters = parameter_count(model)
    phases.append(Phase("build", [watch.lap()]))
    context.say(f"{parameters:,} parameters; {len(training)} records to train on, {len(validation)} to validate")
    trained = train(
        accelerator, model, batches, settings, context.task.kind, training, validation,
        seed=context.seed, target=context.target, say=context.say,
    )  # fmt: skip
    phases.append(
        Phase(
            "epoch",
            trained.seconds,
            items=len(training),
            unit="record",
            batch_size=settings.batch_size,
            precision="fp32",
        )
    )
    found = score(accelerator, trained.model, batches, rows[context.positions(*SCORED)], context.task.kind)
    return Outcome(
        probabilities=found,
        n_votes=len(batches.starts),
        history=trained.history,
        weights=trained.model.state_dict(),
        phases=phases,
        facts={
            "parameters": parameters,
            "steps": trained.steps,
            "steps_an_epoch": batches.steps(len(training), settings.drop_last),
            "epochs": len(trained.history),
            "kept_epoch": trained.kept_epoch,
            "mean_mv": scale.mean,
            "std_mv": scale.std,
        },
        fitted_on=scale.fitted_on,
    )
