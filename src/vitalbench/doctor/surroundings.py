"""What the machine stands in: Apptainer, a scheduler, the registry that packages come from."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalbench.compiled import missing
from vitalbench.config.yaml_file import read_yaml
from vitalbench.doctor.finding import Finding, answer, complaint
from vitalbench.errors import ConfigError
from vitalbench.image import installs, starter

_SLURM_PLUGIN = "snakemake-executor-plugin-slurm"
_PARTITIONS = "profiles/slurm/partitions.yaml"
_ELSEWHERE = {"slurm_cluster", "cluster", "clusters"}  # keys of a partition of another cluster
_RING = "vitalbench.measure.token_ring"
_NO_JOBS = ("down", "drain", "fail", "unknown", "inval", "no_respond")  # states of nodes, as sinfo writes them


def loops() -> Finding:
    """The loops in C, without which the same is done more slowly, and the one without which a thing is not seen."""
    absent = missing()
    if absent:
        without = []
        if set(absent) - {_RING}:
            without.append("the same is done without them, several times more slowly")
        if _RING in absent:
            without.append("how far apart the threads of a measurement are is not seen (core_to_core_ns)")
        told = f"not compiled: {', '.join(absent)}; {'; '.join(without)}"
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


def slurm(project: Path) -> Finding:
    """SLURM's controller, its partitions and those that the profile submits to, its accounting, and what submits to it."""
    if shutil.which("sinfo") is None:
        return Finding("SLURM", False, "sinfo is not in the path: jobs run on this machine")
    listed = answer("sinfo", "--all", "--noheader", "--format=%P %a %D %T %G", seconds=10)
    if listed is None:
        return Finding("SLURM", False, "its controller does not answer", "scontrol ping")
    rows = [line.split() for line in listed.splitlines()]
    told = ", ".join(" ".join(row) for row in rows) or "no partition"
    try:
        told += f"; {_SLURM_PLUGIN} {version(_SLURM_PLUGIN)}"
    except PackageNotFoundError:
        return Finding("SLURM", False, f"{told}; {_SLURM_PLUGIN} is not installed", "make slurm")
    if not any(_takes_jobs(*row[1:4]) for row in rows if len(row) >= 4):
        return Finding(
            "SLURM", False, f"{told}: no partition is up with a node that takes jobs", "sinfo --list-reasons"
        )
    if wrong := _not_there(project / _PARTITIONS, {row[0].rstrip("*") for row in rows}):
        return Finding("SLURM", False, f"{told}: {wrong}", f"generate-slurm-partition-config > {_PARTITIONS}")
    submit = "snakemake --profile profiles/slurm"
    if why := complaint("sacct", "--noheader", seconds=10):
        # With its default, the plugin would ask sacct how jobs ended, and wait for ever.
        why = f"without accounting the end of a job would never be seen (sacct: {why.removeprefix('sacct: ')})"
        return Finding("SLURM", False, f"{told}: {why}", f"{submit} --slurm-status-command squeue")
    return Finding("SLURM", True, f"{told}: {submit}")


def _takes_jobs(available: str, nodes: str, state: str) -> bool:
    """Whether a row of sinfo's tells of nodes that take jobs, now or later; a star marks those that do not answer."""
    useless = state.endswith("*") or state.startswith(_NO_JOBS)
    return available == "up" and nodes != "0" and not useless


def _not_there(file: Path, listed: set[str]) -> str:
    """What is wrong with the profile's partitions, or nothing; one of another cluster is not looked for."""
    try:
        said = read_yaml(file)
    except ConfigError as error:
        return str(error)
    partitions = said.get("partitions") if isinstance(said, dict) else None
    if not isinstance(partitions, dict):
        return f"{file}: no mapping 'partitions'"
    own = [name for name, limits in partitions.items() if not (isinstance(limits, dict) and _ELSEWHERE & set(limits))]
    absent = [str(name) for name in own if str(name) not in listed]
    return f"{file}: names {', '.join(absent)}, which sinfo does not list" if absent else ""


def registry() -> Finding:
    """The package registry that pip is set up with, asked for one small package."""
    asked = answer(sys.executable, "-m", "pip", "index", "versions", "uv", seconds=30)
    if asked is None:
        told = "pip's package index does not answer; what is installed runs, nothing can be installed"
        return Finding("registry", False, told, f"{Path(sys.executable).name} -m pip index versions uv")
    return Finding("registry", True, "pip's package index answers")
