"""Whether a search's files are those it was chosen from, and whether its trials were kept to training and validation records."""

from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.chain import SHOWN, differing
from vitalbench.files import read_json
from vitalbench.search.trial_job import SEEN
from vitalbench.split.fitted import rows_hash

CHOSEN = "chosen.json"


def broken(folder: Path, sha256: str, split: Path, processes: int) -> list[str]:
    """A line for each thing of a search that is not as it was, or not as it must be.

    Args:
        folder: of the search.
        sha256: of chosen.json, as a run that was trained with it states it.
        split: the split of the run, which says who may be seen.
        processes: of the target; of several, a trial's file tells what the first of them read, which is a part.
    """
    problems = differing("search", {CHOSEN: sha256}, folder)
    if problems:
        return problems
    problems = differing("search", read_json(folder / CHOSEN)["files"], folder)
    table = pd.read_csv(split, dtype=str)
    allowed = table.loc[table["split"].isin(SEEN), "record_id"]
    expected = {"records": len(allowed), "sha256": rows_hash(allowed)}
    for name in read_json(folder / CHOSEN)["files"]:
        if (folder / name).is_file():
            problems += _outside(folder / name, read_json(folder / name), expected, processes)
    return problems


def _outside(file: Path, told: dict[str, Any], expected: dict[str, Any], processes: int) -> list[str]:
    """Whether a trial may have seen, or says it read, other records than the split's training and validation ones."""
    held = {"permitted": told["permitted"]}
    if told["status"] == "measured" and processes == 1:
        held["read"] = told["read"]
    return [
        f"search: {file}: {name} {said['records']} records, {said['sha256'][:SHOWN]}; the split's training and validation "
        f"records are {expected['records']}, {expected['sha256'][:SHOWN]}"
        for name, said in held.items()
        if said != expected
    ]
