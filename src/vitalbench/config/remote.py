"""What goes to an object store and to a cloud: under which name, and with which command."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from vitalbench.config.plan import Plan
from vitalbench.files import file_digest

_HERE_ONLY = {"publish_to", "pull_from", "scheduled", "targets"}
_SHOWN = 16  # hex digits, as of all hashes that are shown


def slice_name(folder: Path) -> str:
    """The name of a data set's folder in an object store: the hash of the slice its parts are made by.

    Args:
        folder: results/data/<data set>/<source>.
    """
    return file_digest(folder / "config.json")[:_SHOWN]


def cloud_command(suite: str, target: str, said: Mapping[str, Any]) -> str:
    """The command that runs the cells of one target on the machine that a cloud gave, with the knobs that were turned here.

    It starts within a job of the same folder, whose lock is not its own.

    >>> cloud_command("quick", "cpu", {"seeds": [0, 1], "scheduled": True, "download": True})
    "snakemake --nolock --config suite=quick targets='[cpu]' download=True seeds='[0, 1]'"
    """
    knobs = {key: value for key, value in sorted(said.items()) if key not in _HERE_ONLY | {"suite"}}
    turned = {"suite": suite, "targets": f"[{target}]"} | knobs
    return "snakemake --nolock --config " + " ".join(f"{key}={quote(str(value))}" for key, value in turned.items())


def cloud_objects(plan: Plan) -> list[str]:
    """The objects that a cloud leaves: one a target that cells are run on, none of a target that is only projected to."""
    address = (plan.knobs.publish_to or "").rstrip("/")
    return [f"{address}/runs/{plan.name}/{target}.tar" for target in plan.run_on]
