"""What the Snakefile asks for: the plan, validated before the DAG is built, its slices written."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.places import apptainer_options, check_images
from vitalbench.config.plan import Plan
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import ConfigError, InputError, VitalbenchError, told_as_line
from vitalbench.image import installs, starter
from vitalbench.layout import DATA, RESULTS
from vitalbench.unfinished import miss_parts


def refuse_arrays(arrays: str | None) -> None:
    """End with exit code 2 where jobs are to be submitted as arrays, which lose work.

    SLURM's executor plugin (2.8.0, the newest; read and tried) starts the first job in every task of an array that is too large for
    one argument; gives every task the first job as its target, so that one that fails or ends before it fails others and removes
    what they left (the plugin's issue 447); and, with a limit on jobs, never submits the jobs of an array beyond it.

    Args:
        arrays: the rules whose jobs are submitted as arrays, or nothing.
    """
    if arrays:
        told = f"--slurm-array-jobs {arrays}: SLURM's plugin loses jobs of arrays (docs/SCALING.md, 'Many small cells')"
        _end(ConfigError(f"{told}; next: leave it out; many cells are few submissions with --groups, as said there"))


def apptainer_told(plan: Plan, said: str) -> str:
    """What Apptainer is told beside what the user said; ends with exit code 2 and one line where that cannot be read.

    Args:
        said: `--apptainer-args`.
    """
    try:
        return apptainer_options(plan, said)
    except VitalbenchError as error:
        _end(error)


def refuse_images(plan: Plan, project: Path) -> None:
    """End with exit code 2 and one line where jobs cannot start in their images, or would run other code than is here."""
    try:
        check_images(plan, project)
    except VitalbenchError as error:
        _end(error)


def refuse_without_apptainer() -> None:
    """End with exit code 2 and one line where jobs are to run in images and nothing here starts one."""
    if starter() is None:
        told = "--sdm apptainer: neither apptainer nor singularity is in the path"
        _end(ConfigError(f"{told}; next: {installs()}, or leave out --sdm: the numbers are the same"))


# Each is one half of a key, as Amazon's tools and as Snakemake's plugin read it.
_KEYS = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"),
)


def refuse_without_store(
    knobs: Knobs, plugin: str = "snakemake_storage_plugin_s3", environment: Mapping[str, str] = os.environ
) -> None:
    """End with exit code 2 and one line where a knob names an object store and what reads and writes one is missing, or half a key.

    Args:
        plugin: the module of Snakemake's storage plugin.
        environment: where a key may stand.
    """
    key = "publish_to" if knobs.publish_to else "pull_from"
    if find_spec(plugin) is None:
        told = (
            f"{knobs.said_in(key)}: {getattr(knobs, key)} needs {plugin.replace('_', '-')}, which is not installed here"
        )
        _end(ConfigError(f"{told}; next: make cloud, then . .venv-cloud/bin/activate and the same again"))
    for pair in _KEYS:
        there = [name for name in pair if environment.get(name)]
        if len(there) == 1:
            (absent,) = set(pair) - set(there)
            _end(ConfigError(f"{knobs.said_in(key)}: {there[0]} is set and {absent} is not; next: export {absent}=..."))


def refuse_without_address(target: str, key: str) -> NoReturn:
    """End with exit code 2 and one line where a target is asked for whose object store no knob names.

    Args:
        target: of the workflow.
        key: the knob.
    """
    _end(ConfigError(f"{target}: no object store is named; next: snakemake {target} --config {key}=s3://BUCKET/PREFIX"))


def _end(error: VitalbenchError) -> NoReturn:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


def load(config: Mapping[str, Any], configs: Path, main: bool = True) -> Plan:
    """Resolve the suite that the knobs name and write its slices.

    Args:
        config: what `snakemake --config` and `--configfile` said; it stands above configs/config.yaml.
        configs: the project's configs/.
        main: whether this is the process that decides what runs. A job's own process, on whatever machine, reads what that one
            wrote, and writes only where files are not shared and nothing is there.

    Ends the process with exit code 2 and one line on a wrong configuration: a workflow has nothing to say beyond it.
    """
    try:
        _refuse_no_folder(Path(RESULTS))
        folder = ConfigFolder(configs)
        plan = make_plan(folder, folder.knobs(dict(config)))
        write_slices(plan, folder, Path(RESULTS), missing_only=not main)
        if main:
            for name, source in plan.sources.items():
                miss_parts(Path(RESULTS) / DATA.format(dataset=name, source=source))
    except VitalbenchError as error:
        _end(error)
    except OSError as error:
        told = told_as_line(error)
        if told is None:
            raise
        _end(InputError(told))
    return plan


def _refuse_no_folder(results: Path) -> None:
    if results.is_dir() or not (results.exists() or results.is_symlink()):
        return
    if results.is_symlink():
        raise InputError(
            f"{results}: leads to {results.readlink()}, and no folder is there; next: mkdir -p $(readlink {results})"
        )
    raise InputError(f"{results}: a file, and results go to a folder of that name; next: mv {results} {results}.old")
