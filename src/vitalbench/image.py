"""The container image that a process runs in: which one, and what it was built from."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vitalbench
from vitalbench.errors import InputError
from vitalbench.files import digest, file_digest, read_json

FACTS = Path("/opt/vitalbench/image.json")  # within an image: what it was built from
SOURCE_LABEL = "org.vitalbench.source"
LOCK_LABEL = "org.vitalbench.lock"
LOCK = "envs/lock.txt"
_SOURCE = (".py", ".c", ".csv", ".html", ".css", ".js")


def starter() -> str | None:
    """The program that builds and starts images, by its name: Apptainer, or where only that is here Singularity; None without either.

    In the order in which Snakemake looks for them (9.27.1, `deployment/singularity.py`).
    """
    return next((name for name in ("apptainer", "singularity") if shutil.which(name)), None)


def receipt_of(image: Path) -> Path:
    """The receipt that lies beside an image.

    >>> receipt_of(Path("containers/cpu.sif")).name
    'cpu.json'
    """
    return image.with_suffix(".json")


def lock_digest(root: Path) -> str:
    """Hash the lock file of a project, or of an image's own folder: what packages are compared by."""
    return file_digest(root / LOCK)[:16]


def otherwise(labels: Mapping[str, str], project: Path) -> str | None:
    """What an image's labels say that it holds otherwise than a checkout: its source, its packages; None where it is the same.

    A project without a lock file, such as a copy of what a user edits, leaves the packages unasked.
    """
    if labels.get(SOURCE_LABEL) is None:
        return "has no label of its source"
    if labels[SOURCE_LABEL] != source_digest():
        return f"holds source {labels[SOURCE_LABEL]}, and this checkout is {source_digest()}"
    if (project / LOCK).is_file() and labels.get(LOCK_LABEL) != lock_digest(project):
        return f"holds the packages of lock file {labels.get(LOCK_LABEL)}, and {LOCK} here is {lock_digest(project)}"
    return None


def source_digest(package: Path = Path(vitalbench.__file__).parent) -> str:
    """Hash the package's own files, comments included: what an image and a checkout are compared by."""
    files = sorted(path for path in package.rglob("*") if path.suffix in _SOURCE and path.is_file())
    return digest({path.relative_to(package).as_posix(): file_digest(path) for path in files})


def image_digest(image: Path) -> str | None:
    """SHA-256 of an image; from its receipt where that is of a file of this size, since hashing takes a second a gigabyte.

    Returns None where the image cannot be read, as from within a container that does not see its folder.
    """
    try:
        size = image.stat().st_size
        told = read_json(receipt_of(image))
        if told.get("bytes") == size and told.get("modified_ns") == image.stat().st_mtime_ns:
            return str(told["sha256"])
    except OSError:
        return None
    except InputError:  # no receipt, or not one: the file itself says
        pass
    return file_digest(image)


def image_here(environment: Mapping[str, str] = os.environ, facts: Path = FACTS) -> dict[str, Any] | None:
    """The image this process runs in, or None on the bare machine: its name, SHA-256 and what it was built from."""
    named = environment.get("APPTAINER_CONTAINER") or environment.get("SINGULARITY_CONTAINER")
    if not named:
        return None
    image = Path(named)
    built_from = dict(read_json(facts)) if facts.is_file() else {}
    return {"name": image.name, "sha256": image_digest(image)} | built_from
