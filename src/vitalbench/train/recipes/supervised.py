"""Train a model on labelled records: from scratch, or from the encoder of a pre-training run (fine-tuning)."""

from vitalbench.measure.clock import Stopwatch
from vitalbench.train.context import Context, Outcome


def fit(context: Context) -> Outcome:
    """Train, then score validation and test records."""
    watch = Stopwatch()
    # Imported here: a control that needs no network should not wait for torch.
    from vitalbench.train.fitting import prepare, scored, train
    from vitalbench.train.strategy import full_weights

    fitting = prepare(context, watch.lap())
    trained, facts = train(fitting, fitting.stepped, fitting.batches)
    return scored(fitting, trained, fitting.batches, full_weights(trained.model), facts)
