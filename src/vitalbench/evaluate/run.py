"""Score a run: metrics.json, and the replicates that comparisons subtract."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.design import PRETRAINING
from vitalbench.config.schema import MACRO, Kind
from vitalbench.errors import InputError
from vitalbench.evaluate.predictions import read_predictions
from vitalbench.evaluate.score import ALL, Scores, score
from vitalbench.files import atomic, read_json, write_json

REPLICATES = "replicates.npz"
Key = tuple[str, str, str, str]


def _kept(scores: Scores, by_class: str | None) -> dict[Key, NDArray[np.float32]]:
    """The replicates worth keeping: all of the whole test split, the macro ones of its subgroups.

    Args:
        by_class: a grouping whose subgroups keep those of every class too.
    """
    with_interval = {
        (row["split"], row["subgroup"], row["metric"], row["label"]) for row in scores.rows if row["ci_low"] is not None
    }
    return {
        key: series.astype(np.float32)
        for key, series in scores.replicates.items()
        if key in with_interval
        and key[0] == "test"
        and (key[1] == ALL or key[3] == MACRO or key[1].partition("=")[0] == by_class)
    }


def evaluate_run(folder: Path, kind: Kind, resamples: int, seed: int) -> None:
    """Write metrics.json (and replicates.npz) into a run's folder; an unmeasured run gets an empty list with its status."""
    status = read_json(folder / "status.json")
    if status["status"] != "measured":
        write_json(folder / "metrics.json", {"run_id": status["run_id"], "status": status["status"], "rows": []})
        return
    config = read_json(folder / "config.json")
    if config["design"]["recipe"] in PRETRAINING:  # asked nothing of the task's classes
        write_json(folder / "metrics.json", {"run_id": status["run_id"], "status": "measured", "rows": []})
        return
    scores = score(read_predictions(folder / "predictions.parquet", kind), kind, resamples, seed)
    with atomic(folder / REPLICATES) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {"|".join(key): series for key, series in _kept(scores, _sources(config)).items()}
        np.savez(stream, **arrays)
    rows = [{key: _plain(value) for key, value in row.items()} for row in scores.rows]
    write_json(folder / "metrics.json", {"run_id": status["run_id"], "status": "measured", "rows": rows})


def _sources(config: dict[str, Any]) -> str | None:
    """The grouping by source of a run that is tested on others than it was trained on."""
    split = config.get("task", {}).get("split", {})
    return str(split["column"]).removeprefix("group:") if split.get("method") == "external" else None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def read_replicates(folder: Path) -> dict[Key, NDArray[np.float32]]:
    """The replicates a run kept, by (split, subgroup, metric, label)."""
    try:
        with np.load(folder / REPLICATES, allow_pickle=False) as file:
            found: dict[Key, NDArray[np.float32]] = {}
            for name in file.files:
                split, subgroup, metric, label = name.split("|", 3)
                found[split, subgroup, metric, label] = file[name]
            return found
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder / REPLICATES}: not readable: {error}") from None
