"""Say what this machine can run, why not the rest, and the next command to type.

Ends with 0 whatever it found, since it tells and refuses nothing; with 2 where configs/ cannot be read or is wrong.
"""

import argparse
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.yaml_file import read_yaml
from vitalbench.doctor import disks, images, machine, surroundings
from vitalbench.errors import ConfigError, plain
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE
from vitalbench.measure.device import cpu_count, cpu_name, mismatch, total_memory_gb

_PACKAGES = ("torch", "accelerate", "wfdb", "h5py", "scikit-learn")
_CLOUD = ".venv-cloud"  # beside the project's environment; `make cloud` makes it
_CLOUDS = ("kubernetes", "aws-batch", "googlebatch")


def _where_jobs_run(profile: Path, project: Path) -> str:
    try:
        settings = read_yaml(profile)
    except ConfigError as error:
        return f"{error}: snakemake cannot use it"
    used = "used by itself" if profile.parent.name == "default" else f"--profile profiles/{profile.parent.name}"
    if settings is not None and not isinstance(settings, dict):
        return f"{profile} is no mapping, `key: value`, but a {type(settings).__name__}: snakemake cannot use it"
    executor = (settings or {}).get("executor", "local")
    if not isinstance(executor, str):
        return f"{profile}: key 'executor' is {executor!r}, not the name of one: snakemake cannot use it"
    if executor == "local":
        return f"{used}; jobs run on this machine"
    plugin = f"snakemake-executor-plugin-{executor}"
    try:
        return f"{used}; jobs run through {plugin} {version(plugin)}"
    except PackageNotFoundError:
        return f"{used}; needs {plugin}, " + _how_to_have(plugin, executor, project)


def _how_to_have(plugin: str, executor: str, project: Path) -> str:
    if executor == "slurm":
        return "which is not installed; next: make slurm"
    if executor not in _CLOUDS:
        return "which is not installed"
    packages = sorted((project / _CLOUD).glob("lib/python3*/site-packages"))
    there = next(iter(distributions(name=plugin, path=[str(path) for path in packages])), None) if packages else None
    if there is None:
        return "which is not installed; next: make cloud"
    return f"which {_CLOUD} has ({there.version}); next: . {_CLOUD}/bin/activate"


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
    here = Path.cwd()
    looked = [machine.memory(), *disks.disks(here, knobs), disks.results(here), machine.gpu(), machine.clock()]
    looked += [surroundings.loops(), surroundings.apptainer()]
    looked += [images.image(project, name) for name in (CPU_IMAGE, CUDA_IMAGE)]
    looked += images.binds(project, knobs)
    looked += [surroundings.slurm(project)]
    looked += [] if args.offline else [surroundings.registry()]
    for finding in looked:
        print(finding.line())
    for profile in sorted((project / "profiles").glob("*/config.yaml")):
        print(plain(f"profile       {profile.parent.name}: {_where_jobs_run(profile, project)}"))
    for name in folder.names("targets"):
        target = folder.target(name)
        why = mismatch(target.device, target.match)
        print(f"target        {name}: {'runs here' if why is None else f'does not run here: {why}'}")
    print("make demo needs none of what says `no` but disk, results and memory")
