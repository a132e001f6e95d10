"""The container image that a process runs in: which one, and what it was built from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vitalbench
from vitalbench.errors import InputError
from vitalbench.files import digest, file_digest, read_json

FACTS = Path("/opt/vitalbench/image.json")  # within an image: what it was built from
SOURCE_LABEL = "org.vitalbench.source"
_SOURCE = (".py", ".c", ".csv", ".html", ".css", ".js")


def receipt_of(image: Path) -> Path:
    """The receipt that lies beside an image.

    >>> receipt_of(Path("containers/cpu.sif")).name
    'cpu.json'
    """
    return image.with_suffix(".json")


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
