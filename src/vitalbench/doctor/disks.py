"""Where a run writes: whether there is a folder that takes files, and how much is free on each disk it leads to."""

import shutil
from pathlib import Path

from vitalbench.config.knobs import Knobs
from vitalbench.doctor.finding import Finding, complaint
from vitalbench.layout import RESULTS

_NEEDED_GB = 10  # what the environment, the image and the default suite take together
_RESULTS_GB = 2  # the default suite's results and records, and the room to write them anew
# What is tried: to write a file into a folder and take it away again.
WRITE = 'new=$(mktemp "$1/.vitalbench-XXXXXX") && rm "$new"'


def results(here: Path) -> Finding:
    """The folder of results: whether it can be written, or made."""
    path = here / RESULTS
    if path.is_symlink() and not path.exists():
        told = f"{path} leads to {path.readlink()}, where nothing is"
        return Finding(RESULTS, False, told, f'mkdir -p "$(readlink {RESULTS})"')
    if path.exists() and not path.is_dir():
        return Finding(RESULTS, False, f"{path} is a file, and is to be a folder", f"mv {RESULTS} {RESULTS}.old")
    folder, said = (path, str(path)) if path.exists() else (here, f"{path} is not there yet, and its folder")
    if why := complaint("sh", "-c", WRITE, "sh", str(folder)):
        return Finding(RESULTS, False, f"{said} cannot be written: {why}", f"ls -ld {folder} && df {folder}")
    leads = f" ({path.resolve()})" if path.is_symlink() else ""
    return Finding(RESULTS, True, f"{said}{leads} can be written")


def disks(here: Path, knobs: Knobs) -> list[Finding]:
    """The disks that the project's folder, its results and their copies lie on, each once.

    Releases are only read, so what is free where `data_root` leads says nothing.
    """
    places = [(here, _NEEDED_GB, _elsewhere(here / RESULTS, here))]
    below = [here / RESULTS, here / RESULTS / "data", here / RESULTS / knobs.suite]
    places += [(path, _RESULTS_GB, _elsewhere(path, here)) for path in below]
    if knobs.backup:
        places += [(Path(knobs.backup), _RESULTS_GB, "snakemake --cores all --config backup=FOLDER")]
    found, seen = [], set()
    for path, needed, command in places:
        if path.is_dir() and (disk := _device(path)) not in seen:
            seen.add(disk)
            free = shutil.disk_usage(path).free / 1e9
            works = free >= needed
            leads = f" ({path.resolve()})" if path.resolve() != path.absolute() else ""
            told = f"{free:.{0 if works else 1}f} GB free in {path}{leads}" + (
                "" if works else f", and {needed} are needed"
            )
            found.append(Finding("free disk", works, told, "" if works else command))
    return found


def _device(path: Path) -> int:
    return path.stat().st_dev


def _elsewhere(path: Path, here: Path) -> str:
    """The command that puts a folder of results on another disk and leaves a link, with what it holds; typed in `here`."""
    name = path.relative_to(here)
    if path.is_symlink():
        return f"cp -a {name}/. FOLDER && ln -sfn FOLDER {name}"
    if path.is_dir():
        return f"mv {name} FOLDER && ln -s FOLDER/{path.name} {name}"
    return f"ln -s FOLDER {name}"
