"""The folds of one design taken together: each seed's scores on all the patients that they tested."""

from collections import defaultdict
from dataclasses import dataclass

from vitalbench.cell_result import CellResult
from vitalbench.errors import InputError
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.score import Scores, score_folds
from vitalbench.results import Results


@dataclass(frozen=True)
class Folds:
    """What several folds come to.

    Attributes:
        folds: how many were run.
        by_seed: the scores of each seed that has them all.
        without: the seeds that lack one.
    """

    folds: int
    by_seed: dict[int, Scores]
    without: list[int]


def over_folds(results: Results, runs: list[CellResult]) -> Folds | None:
    """Score the folds of one data set, task, design and target together; None where there is one.

    Raises:
        InputError: a patient is tested in two folds, the folds ask different classes, or a run's predictions are not there.
    """
    found: dict[int, dict[int, CellResult]] = defaultdict(dict)
    for run in runs:
        found[run.cell.seed][run.cell.fold] = run
    most = max(found.values(), key=len).keys()
    if len(most) == 1:
        return None
    kind, suite = results.task(runs[0].cell.task).kind, results.suite
    by_seed = {}
    for seed, folds in found.items():
        if folds.keys() == most:
            read = [read_predictions(run.folder / "predictions.parquet", kind) for _, run in sorted(folds.items())]
            if any(one.classes != read[0].classes for one in read):
                raise InputError(
                    "the folds ask different classes, for what is rare differs among their training patients"
                )
            by_seed[seed] = score_folds(read, kind, suite["bootstrap"], suite["bootstrap_seed"])
    return Folds(len(most), by_seed, [seed for seed in found if seed not in by_seed])
