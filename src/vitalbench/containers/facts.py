"""What an image is told apart by: the facts that lie in it as a file, and on it as labels."""

import platform
from importlib.metadata import PackagePath, distribution
from pathlib import Path

import vitalbench
from vitalbench.containers.debian import differences, told
from vitalbench.files import digest, file_digest
from vitalbench.image import DEBIAN, LOCK, LOCK_LABEL, PINS, SOURCE_LABEL, pin_digest, source_digest

LABELS = {
    "version": "org.opencontainers.image.version",
    "source": SOURCE_LABEL,
    "lock": LOCK_LABEL,
    "system": "org.vitalbench.system",
    "debian": "org.vitalbench.debian",
    "torch": "org.vitalbench.torch",
    "python": "org.vitalbench.python",
} | {Path(file).name: label for label, file in PINS.items() if file != LOCK}


def installed(package: str) -> str:
    """A package's version and a hash of the hashes that its wheel recorded of its files: two builds of one version differ in it.

    Left out is what an installer makes: byte code, scripts that name the environment (outside the packages' folder), its own notes.
    """
    found = distribution(package)
    own = {str(file): file.hash.value for file in found.files or [] if file.hash and not _made_by_installer(file)}
    return f"{found.version} {digest(own)}"


def _made_by_installer(file: PackagePath) -> bool:
    return file.suffix == ".pyc" or file.parts[0] == ".." or file.parts[0].endswith(".dist-info")


def facts(root: Path, system: Path, listed: Path) -> dict[str, str]:
    """Version, hashes of the source, the lock file and the system's packages, how these stand to the list, torch, and the Python.

    Beside them, by its name, the hash of each other file that fixes versions (PINS) and is there.

    Args:
        root: the folder that holds envs/.
        system: the list of the system's packages with their versions.
        listed: the list to hold it against.
    """
    pins = {Path(file).name: listed if file == DEBIAN else root / file for file in PINS.values() if file != LOCK}
    return {
        "version": vitalbench.__version__,
        "source": source_digest(),
        "lock": pin_digest(root / LOCK),
        "system": file_digest(system)[:16],
        "debian": told(differences(system.read_text(encoding="utf-8"), listed.read_text(encoding="utf-8"))),
        "torch": installed("torch"),
        "python": platform.python_version(),
    } | {name: pin_digest(path) for name, path in pins.items() if path.is_file()}


def label_lines(found: dict[str, str]) -> str:
    """The facts as Apptainer reads labels: a name and a value a line.

    >>> label_lines({"version": "0.1.0"})
    'org.opencontainers.image.version 0.1.0\\n'
    """
    return "".join(f"{LABELS[name]} {value}\n" for name, value in found.items())
