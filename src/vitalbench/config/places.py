"""What a job's image has to see of the machine it runs on."""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote, split

from vitalbench.config.plan import Plan
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json
from vitalbench.image import SOURCE_LABEL, receipt_of, source_digest
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE, RESULTS

KEY_FILE = "VITALBENCH_KEY_FILE"
_DRIVER = Path("/dev/nvidiactl")
# Apptainer hands them in after the image's own environment: the host's packages would stand before the image's.
_NOT_THE_HOSTS = ("--env PYTHONPATH=", "--env PYTHONHOME=")
_BUILT_BY = {CPU_IMAGE: "containers", CUDA_IMAGE: "cuda_image"}  # the rules


def folders(plan: Plan, environment: Mapping[str, str] = os.environ) -> dict[Path, str]:
    """The folders outside the project that its jobs use, each with whether they may write there: releases may only be read."""
    said = [(Path(root), "ro") for root in plan.roots.values()]
    if plan.knobs.backup:
        said.append((Path(plan.knobs.backup).expanduser(), "rw"))
    if environment.get(KEY_FILE):
        said.append((Path(environment[KEY_FILE]), "ro"))
    if Path(RESULTS).is_symlink():
        said.append((Path(RESULTS).resolve(), "rw"))
    project = Path.cwd().resolve()
    # By the name that jobs use and, where that leads through a link, by the one it stands for.
    found = {name: mode for path, mode in said for name in (path.absolute(), path.resolve())}
    return {path: mode for path, mode in found.items() if not path.is_relative_to(project)}


def apptainer_options(plan: Plan, said: str, driver: Path = _DRIVER) -> str:
    """What Apptainer is told beside what the user said: the folders to bind, and the driver's libraries where there is a driver."""
    wanted = [
        f"--bind {quote(f'{path}:{path}:{mode}')}" for path, mode in sorted(folders(plan).items()) if path.exists()
    ]
    wanted += ["--nv"] if driver.exists() else []
    wanted += _NOT_THE_HOSTS
    told = split(said)
    new = [option for option in wanted if not _holds(told, split(option))]
    return " ".join([*([said] if said else []), *new])


def _holds(told: list[str], option: list[str]) -> bool:
    return any(told[at : at + len(option)] == option for at in range(len(told)))


def check_images(plan: Plan, project: Path) -> None:
    """Refuse, before any job starts in one, an image that is not there or holds another source, and a folder it could not be shown.

    Raises:
        InputError, ConfigError: what is wrong, with the next command to type.
    """
    devices = {plan.targets[cell.target].device for cell in plan.running}
    for image in [CPU_IMAGE, *([CUDA_IMAGE] if "cuda" in devices else [])]:
        path, built = project / image, f"next: snakemake --cores 1 {_BUILT_BY[image]}"
        if not path.is_file():
            raise InputError(f"{image}: no such image, and the jobs are to run in it; {built}")
        receipt = receipt_of(path)
        held = dict(read_json(receipt)).get("labels", {}).get(SOURCE_LABEL) if receipt.is_file() else None
        if held != source_digest():
            told = f"holds source {held}" if held else f"has no receipt {receipt.name} beside it that names its source"
            raise InputError(f"{image}: it {told}, and this checkout is {source_digest()}; {built}")
    for path in folders(plan):
        if set(":,") & set(str(path)):
            raise ConfigError(f"{path}: Apptainer binds no path with a colon or a comma; give the folder another name")
