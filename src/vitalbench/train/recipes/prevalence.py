"""The lower control: every record gets the training prevalence of each class. It knows no record, so its AUROC is one half."""

import numpy as np

from vitalbench.train.context import SCORED, TRAINED_ON, Context, Outcome


def fit(context: Context) -> Outcome:
    """Predict the prevalence among the training records."""
    training = context.positions(*TRAINED_ON)
    prevalence = context.labels[training].astype(np.float64).mean(axis=0)
    scored = len(context.positions(*SCORED))
    return Outcome(
        np.tile(prevalence, (scored, 1)),
        facts={"parameters": 0, "prevalence": prevalence.round(6).tolist()},
        fitted_on=context.records["row"].to_numpy(dtype=np.intp)[training],
    )
