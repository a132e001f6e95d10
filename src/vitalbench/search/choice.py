"""The end of a search: the best of its trials, and the same trials as a study that Optuna's tools read."""

from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.config.design import Design
from vitalbench.config.plan import SearchPlace
from vitalbench.errors import InputError
from vitalbench.files import file_digest, write_json
from vitalbench.results import Results
from vitalbench.search.study import write_study
from vitalbench.search.trial_job import results_before

_ENDS = (
    "refused",
    "not-allowed",
    "failed",
)  # what is told of a search without a value, where several things went wrong


def best_of(told: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The trial with the best value; of several the first. None where none has a value."""
    found = [trial for trial in told if trial["value"] is not None]
    if not found:
        return None
    sign = 1 if found[0]["direction"] == "lower" else -1
    return min(found, key=lambda trial: (sign * trial["value"], trial["trial"]))


def _why_none(told: list[dict[str, Any]]) -> tuple[str, str]:
    """Status and reason of a search none of whose trials has a value."""
    status = next(status for status in _ENDS if any(trial["status"] == status for trial in told))
    first = next(trial for trial in told if trial["status"] == status)
    return status, f"none of {len(told)} trials was measured; trial {first['trial']}: {first['reason']}"


def chosen_of(place: SearchPlace, told: list[dict[str, Any]], files: dict[str, str]) -> dict[str, Any]:
    """What a search leaves.

    Args:
        told: its trials' files, in their order.
        files: their SHA-256 by path below the search's folder.

    Raises:
        InputError: trials were not kept to the same records: they are of different splits.
    """
    kept = {trial["permitted"]["sha256"] for trial in told}
    if len(kept) != 1:
        raise InputError(
            f"search {place.path}: its trials are of {len(kept)} different splits; remove them and search again"
        )
    best = best_of(told)
    status, reason = ("measured", "") if best else _why_none(told)
    return {
        **place.keys,
        "status": status,
        "reason": reason,
        "metric": told[0]["metric"],
        "direction": told[0]["direction"],
        "trial": best["trial"] if best else None,
        "value": best["value"] if best else None,
        "parameters": best["parameters"] if best else None,
        "trials": len(told),
        "measured": sum(trial["value"] is not None for trial in told),
        "permitted": told[0]["permitted"],
        "files": files,
    }


def finish(results: Results, place: SearchPlace, design: Design) -> dict[str, Any]:
    """Write chosen.json and the study of a search whose trials have all ended; returns what was chosen.

    Raises:
        InputError: a trial is missing.
    """
    if design.search is None:
        raise InputError(f"{results.folder}: design '{place.design}' says of no search")
    told = results_before(results, place, design.search.trials)
    folder = results.search(place)
    paths = [results.folder / layout.TRIAL.format(**place.keys, trial=layout.trial_name(at)) for at in range(len(told))]
    chosen = chosen_of(place, told, {_below(path, folder): file_digest(path) for path in paths})
    write_study(results.folder / layout.STUDY.format(**place.keys), place.path, design, told, paths)
    write_json(results.folder / layout.CHOSEN.format(**place.keys), chosen)
    return chosen


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
