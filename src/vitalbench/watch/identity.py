"""What of a run trackers are told beside its numbers: what it is called, and the configuration its result depends on."""

from dataclasses import dataclass
from typing import Any

from vitalbench.train.job import Job

_TOLD = ("cell", "design", "target", "code")  # of a data set and its task the names suffice, which `cell` holds


@dataclass(frozen=True)
class Identity:
    """A run's id, its suite, its cell's path and its configuration."""

    run_id: str
    suite: str
    cell: str
    config: dict[str, Any]

    @classmethod
    def of(cls, job: Job, run_id: str, suite: str) -> "Identity":
        """That of a job."""
        config = job.config()
        return cls(run_id, suite, job.cell.path, {name: config[name] for name in _TOLD})


def numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row of the history by name, without its epoch, which is the step."""
    return {name: float(value) for name, value in row.items() if name != "epoch" and isinstance(value, int | float)}


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested configuration as texts by dotted names.

    >>> flat({"train": {"epochs": 3}, "code": "x"})
    {'train.epochs': '3', 'code': 'x'}
    """
    found: dict[str, str] = {}
    for name, value in config.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": str(value)}
    return found
