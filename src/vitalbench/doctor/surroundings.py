"""What the machine stands in: Apptainer, a scheduler, the registry that packages come from."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalbench.compiled import missing
from vitalbench.doctor.finding import Finding, answer, complaint
from vitalbench.image import installs, starter

_SLURM_PLUGIN = "snakemake-executor-plugin-slurm"


def loops() -> Finding:
    """The loops in C, without which the same is done more slowly."""
    absent = missing()
    if absent:
        told = f"not compiled: {', '.join(absent)}; the same is done without them, several times more slowly"
        return Finding("loops in C", False, told, "apt install gcc, then sh envs/setup.sh .venv source")
    return Finding("loops in C", True, "compiled")


def apptainer() -> Finding:
    """Apptainer, or Singularity where only that is here."""
    program = starter()
    if program is None:
        return Finding("apptainer", False, "not in the path; nothing but --sdm apptainer needs it", installs())
    if why := complaint(program, "--version"):
        return Finding(
            "apptainer", False, f"{program} is in the path and does not start: {why}", f"{program} --version"
        )
    told = answer(program, "--version") or program
    return Finding("apptainer", True, f"{told.removeprefix('apptainer version ')}: snakemake --sdm apptainer")


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


def registry() -> Finding:
    """The package registry that pip is set up with, asked for one small package."""
    asked = answer(sys.executable, "-m", "pip", "index", "versions", "uv", seconds=30)
    if asked is None:
        told = "pip's package index does not answer; what is installed runs, nothing can be installed"
        return Finding("registry", False, told, f"{Path(sys.executable).name} -m pip index versions uv")
    return Finding("registry", True, "pip's package index answers")
