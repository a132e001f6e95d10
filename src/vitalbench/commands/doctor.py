"""Say what this machine can run, why not the rest, and the next command to type.

Ends with 0 whatever it found, since it tells and refuses nothing; with 2 where configs/ cannot be read or is wrong.
"""

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.yaml_file import read_yaml
from vitalbench.doctor import images, machine, surroundings
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE
from vitalbench.measure.device import cpu_count, cpu_name, mismatch, total_memory_gb

_MAKE = {"slurm": "make slurm"} | dict.fromkeys(("kubernetes", "aws-batch", "googlebatch"), "make cloud")
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
        return f"{used}; needs {plugin}, which is not installed" + (
            f"; next: {_MAKE[executor]}" if executor in _MAKE else ""
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--offline", action="store_true", help="ask nothing of the network")


def run(args: argparse.Namespace) -> None:
    """Look round and print."""
    folder = ConfigFolder(args.configs)
    knobs = folder.knobs({})
    print(f"processor     {cpu_name()}, {cpu_count()} cores usable")
    print(f"memory        {total_memory_gb():.1f} GB")
    for package in _PACKAGES:
        try:
            print(f"{package:<14}{version(package)}")
        except PackageNotFoundError:
            print(f"{package:<14}MISSING: run make demo, or pip install -e .")
    project = folder.path.resolve().parent
    looked = [machine.memory(), machine.disk(Path.cwd()), machine.gpu(), machine.clock()]
    looked += [surroundings.loops(), surroundings.apptainer()]
    looked += [images.image(project, name) for name in (CPU_IMAGE, CUDA_IMAGE)]
    looked += images.binds(project, knobs)
    looked += [surroundings.slurm()]
    looked += [] if args.offline else [surroundings.registry()]
    for finding in looked:
        print(finding.line())
    for profile in sorted((project / "profiles").glob("*/config.yaml")):
        print(f"profile       {profile.parent.name}: {_where_jobs_run(profile)}")
    for name in folder.names("targets"):
        target = folder.target(name)
        why = mismatch(target.device, target.match)
        print(f"target        {name}: {'runs here' if why is None else f'does not run here: {why}'}")
    print("make demo needs none of what says `no` but disk and memory")
