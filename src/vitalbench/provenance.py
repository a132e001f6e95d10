"""Where a result comes from: code, versions, machine. What makes runs differ is kept apart from what identifies them."""

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vitalbench
from vitalbench.image import image_here
from vitalbench.measure.clock import utc_now
from vitalbench.measure.device import cpu_count, cpu_name, cuda_names, total_memory_gb

_PACKAGES = ("torch", "accelerate", "numpy", "scipy", "pandas", "h5py", "wfdb", "scikit-learn", "snakemake")


@cache
def _git(*arguments: str) -> str | None:
    folder = Path(vitalbench.__file__).parent
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def environment() -> dict[str, Any]:
    """What the code runs on: Python and every package that vitalbench needs, directly or not, as installed.

    Packages that merely lie beside (a test runner, an editor's) are left out, so that they cannot break a receipt.
    """
    found: dict[str, str] = {}
    waiting = [Requirement("vitalbench")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            stated = distribution(name).metadata  # once: each look at it parses the file
        except PackageNotFoundError:
            continue  # optional, and not here
        found[name] = stated["Version"]
        for text in stated.get_all("Requires-Dist") or []:
            further = Requirement(text)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append(further)
    found.pop("vitalbench", None)  # its code has a hash of its own
    machine = {"system": platform.system(), "machine": platform.machine()}
    return {"python": platform.python_version(), **machine, "packages": dict(sorted(found.items()))}


def environment_differences(stated: dict[str, Any]) -> list[str]:
    """A line for each part of a receipt's environment that is another here."""
    here = environment()
    old = {**stated.get("packages", {}), **{key: value for key, value in stated.items() if key != "packages"}}
    new = {**here["packages"], **{key: value for key, value in here.items() if key != "packages"}}
    return [
        f"environment: {name}: receipt {old.get(name, 'none')}, here {new.get(name, 'none')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def provenance() -> dict[str, Any]:
    """Code, software and hardware of this process, as JSON. Names no user, host or path."""
    changes = _git("status", "--porcelain")
    return {
        "vitalbench": vitalbench.__version__,
        "git_commit": _git("rev-parse", "HEAD"),
        "git_clean": None if changes is None else changes == "",
        "python": platform.python_version(),
        "packages": _versions(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": cpu_count(),
        "memory_gb": round(total_memory_gb(), 1),
        "gpus": list(cuda_names()),
        "image": image_here(),
        "written": utc_now(),
        "executable": Path(sys.executable).name,
    }
