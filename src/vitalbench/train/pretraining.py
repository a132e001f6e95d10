"""Train an encoder on records without their labels, whatever it is asked: the body of every pre-training recipe."""

from vitalbench.measure.clock import Stopwatch
from vitalbench.train.context import Context, Outcome


def pretrain(context: Context) -> Outcome:
    """Train; nothing is scored, since nothing was asked of the task's classes."""
    watch = Stopwatch()
    # Imported here, as in the recipes: a control that needs no network should not wait for torch.
    from vitalbench.train.fitting import prepare, train
    from vitalbench.train.strategy import full_weights

    fitting = prepare(context, watch.lap())
    trained, facts = train(fitting, fitting.stepped, fitting.batches)
    return Outcome(
        probabilities=None,
        history=trained.history,
        weights=full_weights(trained.model),
        phases=fitting.phases,
        facts=facts,
        fitted_on=fitting.batches.scale.fitted_on,
    )
