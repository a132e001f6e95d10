"""Whether runs took means and spreads of the training records alone: the audit that only runs themselves can give."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from vitalbench.cell_result import CellResult
from vitalbench.results import Results
from vitalbench.split.fitted import rows_hash


def statistics_checks(results: Results, runs: Sequence[CellResult]) -> list[dict[str, Any]]:
    """The check of measured runs of one split: how many fitted statistics on other records. None where none fitted any.

    Args:
        runs: of one data set, task and fold.
    """
    said = [told for run in runs if run.measured and (told := run.read("provenance.json").get("statistics"))]
    if not said:
        return []
    cell = runs[0].cell
    split = pd.read_csv(results.split(cell.dataset, cell.task, cell.fold), dtype=str)
    expected = rows_hash(split.loc[split["split"] == "train", "record_id"])
    wrong = sum(statistics["sha256"] != expected for statistics in said)
    return [
        {
            "check": "statistics-fit",
            "split": "train",
            "found": wrong,
            "allowed": 0,
            "severity": "fatal",
            "verdict": "leak" if wrong else "clean",
        }
    ]
