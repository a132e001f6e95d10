"""Train an encoder to tell whether the halves of a record were exchanged, without labels (train/pretext/order.py)."""

from vitalbench.train.context import Context, Outcome
from vitalbench.train.pretraining import pretrain


def fit(context: Context) -> Outcome:
    """Train the encoder; others start from it."""
    return pretrain(context)
