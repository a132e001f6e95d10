"""Whether a suite came to its end: what a gate, or a baseline, must not be read from."""

from vitalbench.results import Results
from vitalbench.tables import read_table

_BAD = ("failed", "refused")
_SAID = {"leak": "leaks"}


def problems(results: Results) -> list[str]:
    """The cells that failed, were refused or never ran to their end, and the splits that leak: a line each."""
    found = [
        f"{result.cell.path} {result.status}: {result.reason}"
        for result in results.cells
        if result.status in _BAD or result.unfinished
    ]
    rows = list(read_table("leakage", results.table("leakage")))
    audited = {(row["dataset"], row["task"], str(row["fold"])) for row in rows}
    used = {(run.cell.dataset, run.cell.task, str(run.cell.fold)): None for run in results.measured}
    found += [
        f"{' '.join(split[:2])} fold {split[2]}: no check of its split is told"
        for split in used
        if split not in audited
    ]
    return found + [
        f"{row['dataset']} {row['task']} fold {row['fold']} {_SAID.get(row['verdict'], row['verdict'])}: {row['check']} "
        f"{row['split']} {row['found']}"
        for row in rows
        if row["verdict"] not in ("clean", "noted")
    ]
