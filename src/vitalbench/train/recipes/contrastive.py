"""Train an encoder to tell records apart whatever is done to them, without their labels (train/pretext/contrastive.py)."""

from vitalbench.train.context import Context, Outcome
from vitalbench.train.pretraining import pretrain


def fit(context: Context) -> Outcome:
    """Train the encoder; others start from it."""
    return pretrain(context)
