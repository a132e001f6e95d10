"""Train an encoder to fill in blanked spans of the training records, without their labels (train/pretext/masked.py)."""

from vitalbench.train.context import Context, Outcome
from vitalbench.train.pretraining import pretrain


def fit(context: Context) -> Outcome:
    """Train the encoder; others start from it."""
    return pretrain(context)
