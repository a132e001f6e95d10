"""Where a result comes from: code, versions, machine. What makes runs differ is kept apart from what identifies them."""

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vitalbench
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
        "written": utc_now(),
        "executable": Path(sys.executable).name,
    }
