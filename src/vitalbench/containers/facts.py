"""What an image is told apart by: the facts that lie in it as a file, and on it as labels."""

import platform
from pathlib import Path

import vitalbench
from vitalbench.files import file_digest
from vitalbench.image import LOCK_LABEL, SOURCE_LABEL, lock_digest, source_digest

LABELS = {
    "version": "org.opencontainers.image.version",
    "source": SOURCE_LABEL,
    "lock": LOCK_LABEL,
    "system": "org.vitalbench.system",
    "python": "org.vitalbench.python",
}


def facts(root: Path, system: Path) -> dict[str, str]:
    """Version, hash of the source, of the lock file and of the system's packages, and the Python.

    Args:
        root: the folder that holds envs/.
        system: the list of the system's packages with their versions.
    """
    return {
        "version": vitalbench.__version__,
        "source": source_digest(),
        "lock": lock_digest(root),
        "system": file_digest(system)[:16],
        "python": platform.python_version(),
    }


def label_lines(found: dict[str, str]) -> str:
    """The facts as Apptainer reads labels: a name and a value a line.

    >>> label_lines({"version": "0.1.0"})
    'org.opencontainers.image.version 0.1.0\\n'
    """
    return "".join(f"{LABELS[name]} {value}\n" for name, value in found.items())


def package_differences(found: str, listed: str) -> list[str]:
    """A line for each of the system's packages that an image has in another version than the list that is kept.

    >>> package_differences("libc6 2.36-9\\ntar 1.34\\n", "libc6 2.36-8\\ntar 1.34\\n")
    ['libc6: listed 2.36-8, found 2.36-9']
    """
    new, old = (dict(line.split() for line in text.splitlines() if line.strip()) for text in (found, listed))
    return [
        f"{name}: listed {old.get(name, 'none')}, found {new.get(name, 'none')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
