"""The upper control of generated records: Bayes' rule on the severities they were drawn from. No design can expect to beat it."""

from vitalbench.data.datasets import load
from vitalbench.train.context import SCORED, Context, Outcome, TrainingFailure


def fit(context: Context) -> Outcome:
    """Score with the posterior, and state the AUROC that the generator's parameters allow."""
    standin = context.dataset.standin
    if standin is None or not any(column.startswith("truth:") for column in context.records.columns):
        raise TrainingFailure("the records carry no severities: only generated ones have an ideal observer")
    module, task = load(context.dataset.module), context.task
    scored = context.records.iloc[context.positions(*SCORED)]
    ceiling = module.ideal_auroc(task.labels, task.classes, standin)
    return Outcome(
        module.ideal_scores(scored, task.labels, task.classes, standin),
        facts={"parameters": 0, "attainable_auroc": dict(zip(task.classes, ceiling, strict=True))},
    )
