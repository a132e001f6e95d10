"""What a job's image has to see of the machine it runs on."""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from vitalbench.config.plan import Plan

KEY_FILE = "VITALBENCH_KEY_FILE"
_DRIVER = Path("/dev/nvidiactl")


def folders(plan: Plan, environment: Mapping[str, str] = os.environ) -> dict[Path, str]:
    """The folders outside the project that its jobs use, each with whether they may write there: releases may only be read."""
    found: dict[Path, str] = {Path(root).resolve(): "ro" for root in plan.roots.values()}
    if plan.knobs.backup:
        found[Path(plan.knobs.backup).expanduser().resolve()] = "rw"
    if environment.get(KEY_FILE):
        found[Path(environment[KEY_FILE]).resolve()] = "ro"
    project = Path.cwd().resolve()
    return {path: mode for path, mode in found.items() if not path.is_relative_to(project)}


def apptainer_options(plan: Plan, said: str, driver: Path = _DRIVER) -> str:
    """What Apptainer is told beside what the user said: the folders to bind, and the driver's libraries where there is a driver."""
    wanted = [
        f"--bind {quote(f'{path}:{path}:{mode}')}" for path, mode in sorted(folders(plan).items()) if path.exists()
    ]
    wanted += ["--nv"] if driver.exists() else []
    return " ".join([*([said] if said else []), *(option for option in wanted if option not in said)])
