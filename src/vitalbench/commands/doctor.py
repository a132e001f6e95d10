"""Say what this machine can run, and why not the rest."""

import argparse
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.yaml_file import read_yaml
from vitalbench.measure.device import cpu_count, cpu_name, cuda_names, mismatch, total_memory_gb

_TOOLS = {
    "snakemake": "runs the workflow",
    "apptainer": "runs it in containers (--sdm apptainer)",
}
_PACKAGES = ("torch", "accelerate", "wfdb", "h5py", "scikit-learn")


def _where_jobs_run(profile: Path) -> str:
    settings = read_yaml(profile) or {}
    executor = settings.get("executor", "local")
    used = "used by itself" if profile.parent.name == "default" else f"--profile profiles/{profile.parent.name}"
    if executor == "local":
        return f"{used}; jobs run on this machine"
    plugin = f"snakemake-executor-plugin-{executor}"
    try:
        return f"{used}; jobs run through {plugin} {version(plugin)}"
    except PackageNotFoundError:
        return f"{used}; needs {plugin}, which is not installed"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--configs", type=Path, default=Path("configs"))


def run(args: argparse.Namespace) -> None:
    """Look round and print."""
    disk = shutil.disk_usage(Path.cwd()).free / 1e9
    print(f"processor     {cpu_name()}, {cpu_count()} cores usable")
    print(f"memory        {total_memory_gb():.1f} GB; {disk:.0f} GB of disk free here")
    print(f"GPU           {', '.join(cuda_names()) or 'none found by nvidia-smi'}")
    for package in _PACKAGES:
        try:
            print(f"{package:<14}{version(package)}")
        except PackageNotFoundError:
            print(f"{package:<14}MISSING: run make demo, or pip install -e .")
    for tool, use in _TOOLS.items():
        print(f"{tool:<14}{'found' if shutil.which(tool) else 'not found'}: {use}")
    folder = ConfigFolder(args.configs)
    for profile in sorted((folder.path.resolve().parent / "profiles").glob("*/config.yaml")):
        print(f"profile       {profile.parent.name}: {_where_jobs_run(profile)}")
    for name in folder.names("targets"):
        target = folder.target(name)
        why = mismatch(target.device, target.match)
        print(f"target        {name}: {'runs here' if why is None else f'does not run here: {why}'}")
