"""What the machine stands in: containers, a scheduler, folders, the registry that packages come from."""

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalbench import layout
from vitalbench.compiled import missing
from vitalbench.config.knobs import Knobs
from vitalbench.containers.build import labels
from vitalbench.containers.facts import LABELS
from vitalbench.doctor.finding import Finding, answer
from vitalbench.image import source_digest

_SLURM_PLUGIN = "snakemake-executor-plugin-slurm"


def loops() -> Finding:
    """The loops in C, without which the same is done more slowly."""
    absent = missing()
    if absent:
        told = f"not compiled: {', '.join(absent)}; the same is done without them, several times more slowly"
        return Finding("loops in C", False, told, "apt install gcc, then sh envs/setup.sh .venv source")
    return Finding("loops in C", True, "compiled")


def apptainer() -> Finding:
    """Apptainer."""
    told = answer("apptainer", "--version")
    if told is None:
        return Finding(
            "apptainer", False, "not in the path; nothing but --sdm apptainer needs it", "see docs/CONTAINERS.md"
        )
    return Finding("apptainer", True, f"{told.removeprefix('apptainer version ')}: snakemake --sdm apptainer")


def image(project: Path) -> Finding:
    """The image that rules run in, whether it holds the source that is here, and whether this user can start it."""
    path, build = project / layout.CPU_IMAGE, "snakemake --cores 1 containers"
    if not path.is_file():
        return Finding("image", False, f"{layout.CPU_IMAGE} is not built", build if shutil.which("apptainer") else "")
    held = labels(path).get(LABELS["source"])
    if held is None:
        return Finding("image", False, f"{layout.CPU_IMAGE} carries no label of its source, or Apptainer is not here")
    if held != source_digest():
        return Finding("image", False, f"{layout.CPU_IMAGE} holds another source than this checkout", build)
    if answer("apptainer", "exec", str(path), "true") is None:
        return Finding("image", False, f"{layout.CPU_IMAGE} does not start", f"apptainer exec {path} true")
    return Finding("image", True, f"{layout.CPU_IMAGE} holds this source and starts")


def slurm() -> Finding:
    """SLURM's controller, its partitions, and what submits to it."""
    if shutil.which("sinfo") is None:
        return Finding("SLURM", False, "sinfo is not in the path: jobs run on this machine")
    partitions = answer("sinfo", "--noheader", "--format=%P %D %T %G", seconds=10)
    if partitions is None:
        return Finding("SLURM", False, "its controller does not answer", "scontrol ping")
    told = ", ".join(" ".join(line.split()) for line in partitions.splitlines())
    try:
        told += f"; {_SLURM_PLUGIN} {version(_SLURM_PLUGIN)}"
    except PackageNotFoundError:
        return Finding("SLURM", False, f"{told}; {_SLURM_PLUGIN} is not installed", "make slurm")
    return Finding("SLURM", True, f"{told}: snakemake --profile profiles/slurm")


def folders(knobs: Knobs) -> list[Finding]:
    """The folders that are bound into containers: whether they are there, and can be read or written."""
    found = []
    for key, folder, mode in (("data_root", knobs.data_root, os.R_OK), ("backup", knobs.backup, os.W_OK)):
        if folder is None:
            continue
        path = Path(folder).expanduser()
        verb = "written" if mode == os.W_OK else "read"
        if path.is_dir() and os.access(path, mode):
            found.append(Finding(key, True, f"{path} can be {verb}; a container sees it"))
        else:
            found.append(Finding(key, False, f"{path} is no folder that can be {verb}", f"ls -ld {path}"))
    return found


def registry() -> Finding:
    """The package registry that pip is set up with, asked for one small package."""
    asked = answer(sys.executable, "-m", "pip", "index", "versions", "uv", seconds=30)
    if asked is None:
        told = "pip's package index does not answer; what is installed runs, nothing can be installed"
        return Finding("registry", False, told, f"{Path(sys.executable).name} -m pip index versions uv")
    return Finding("registry", True, "pip's package index answers")
