"""What a job's image has to see of the machine it runs on."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote, split

from vitalbench.config.knobs import Knobs
from vitalbench.config.plan import Plan
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json
from vitalbench.image import otherwise, otherwise_pinned, receipt_of
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE, RESULTS

KEY_FILE = "VITALBENCH_KEY_FILE"
DRIVER = Path("/dev/nvidiactl")
# Apptainer hands them in after the image's own environment: the host's packages would stand before the image's.
_NOT_THE_HOSTS = ("--env PYTHONPATH=", "--env PYTHONHOME=")
_BUILT_BY = {CPU_IMAGE: ("containers", "cpu_image"), CUDA_IMAGE: ("cuda_image", "cuda_image")}  # target and rule


@dataclass(frozen=True)
class Place:
    """What lies outside the project and its jobs use: what names it, where it is, whether they may write, if it is a folder."""

    said: str
    path: Path
    mode: str
    folder: bool = True

    def bind(self) -> str:
        """As Apptainer is told of it."""
        return f"{self.path}:{self.path}:{self.mode}"


def builds(image: str, again: bool = False) -> str:
    """The command that builds an image; `again` also where Snakemake takes the file that is there for up to date."""
    target, rule = _BUILT_BY[image]
    return f"snakemake --cores 1 {target}" + (f" --forcerun {rule}" if again else "")


def builds_otherwise(image: str, labels: Mapping[str, str], project: Path) -> str:
    """The command that builds anew an image that is otherwise than here: from its base on where that holds other packages."""
    again = builds(image, again=True)
    return again + (" base_image" if otherwise_pinned(labels, project, Path(image).name) else "")


def unbindable(path: Path) -> str | None:
    """Why Apptainer cannot be told of a path, where it cannot."""
    return "Apptainer binds no path with a colon or a comma" if set(":,") & set(str(path)) else None


def outside(roots: Iterable[Path], knobs: Knobs, environment: Mapping[str, str] = os.environ) -> list[Place]:
    """What the jobs use outside the project, in the order it is said: releases may only be read.

    Args:
        roots: the folders of releases.
    """
    said = [Place("data_root", Path(root), "ro") for root in roots]
    if knobs.backup:
        said.append(Place("backup", Path(knobs.backup), "rw"))
    if environment.get(KEY_FILE):
        said.append(Place("key file", Path(environment[KEY_FILE]), "ro", folder=False))
    results = Path(RESULTS)
    # As deep as whoever has results on several disks puts links: a suite's and the records', and what lies one below.
    below = [results, *sorted(results.glob("*")), *sorted(results.glob("*/*"))]
    said += [Place(str(path), _leads_to(path), "rw") for path in below if path.is_symlink() and not path.is_file()]
    # Where a site keeps images: a run says which one it is in, and looks at it from within.
    images = [Path(CPU_IMAGE).parent, Path(CPU_IMAGE), Path(CUDA_IMAGE)]
    said += [
        Place(str(path), _leads_to(path), "ro", folder=path.suffix != ".sif") for path in images if path.is_symlink()
    ]
    return said


def _leads_to(link: Path) -> Path:
    """What a link says, from the root on: that name has to be there too, where it leads on through another link."""
    return Path(os.path.normpath(link.parent.resolve() / link.readlink()))


def folders(plan: Plan, environment: Mapping[str, str] = os.environ) -> dict[Path, str]:
    """What a plan's jobs use outside the project, each with whether they may write there, by every name they may use."""
    project = Path.cwd().resolve()
    # By the name that jobs use and, where that leads through a link, by the one it stands for.
    found = {
        name: place.mode
        for place in outside(plan.roots.values(), plan.knobs, environment)
        for name in (place.path.absolute(), place.path.resolve())
    }
    return {path: mode for path, mode in found.items() if not path.is_relative_to(project)}


def apptainer_options(plan: Plan, said: str, driver: Path = DRIVER) -> str:
    """What Apptainer is told beside what the user said: the folders to bind, and the driver's libraries where there is a driver.

    Raises:
        ConfigError: what the user said has a quote without an end.
    """
    wanted = [
        f"--bind {quote(f'{path}:{path}:{mode}')}" for path, mode in sorted(folders(plan).items()) if path.exists()
    ]
    wanted += ["--nv"] if driver.exists() else []
    wanted += _NOT_THE_HOSTS
    try:
        told = split(said)
    except ValueError as error:
        raise ConfigError(
            f"--apptainer-args: {said!r} cannot be read as a shell's words: {str(error).lower()}"
        ) from None
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
        path = project / image
        if not path.is_file():
            raise InputError(f"{image}: no such image, and the jobs are to run in it; next: {builds(image)}")
        receipt, again = receipt_of(path), f"next: {builds(image, again=True)}"
        if not receipt.is_file():
            take = f"vitalbench image take {image} --out {image} --expect SHA256"
            raise InputError(
                f"{image}: it has no receipt {receipt.name} beside it; next: {take}, or {builds(image, again=True)}"
            )
        told = read_json(receipt)
        labels = told.get("labels") or {}
        if not isinstance(labels, dict):
            raise InputError(f"{receipt}: damaged: key 'labels' is {labels!r}, not a mapping; {again}")
        if why := otherwise(labels, project, path.name):
            raise InputError(f"{image}: it {why}; next: {builds_otherwise(image, labels, project)}")
        if told.get("bytes", path.stat().st_size) != path.stat().st_size:
            size = f"{path.stat().st_size} bytes, not {told['bytes']}"
            raise InputError(f"{image}: it is not the image that {receipt.name} tells of: {size}; {again}")
    for folder in folders(plan):
        if why := unbindable(folder):
            raise ConfigError(f"{folder}: {why}; give the folder another name")
