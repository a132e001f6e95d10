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
TITLE_LABEL = "org.opencontainers.image.title"
# By the name of an image's file, what its definition calls it: neither the CPU nor the CUDA image is taken for the other.
TITLES = {"cpu.sif": "vitalbench", "cuda.sif": "vitalbench-cuda", "cloud.sif": "vitalbench-cloud"}
LOCK, DEBIAN, CLOUD = "envs/lock.txt", "containers/debian.txt", "envs/cloud.txt"
# What fixes the versions that an image is built of, by the label that holds each file's hash. All images stand on the base, and
# the base on all of them but CLOUD, which the cloud's image adds.
PINS = {
    LOCK_LABEL: LOCK,
    "org.vitalbench.pinned.bootstrap": "envs/bootstrap.txt",
    "org.vitalbench.pinned.torch": "envs/torch.txt",
    "org.vitalbench.pinned.torch-cuda": "envs/torch-cuda.txt",
    "org.vitalbench.pinned.debian": DEBIAN,
    "org.vitalbench.pinned.cloud": CLOUD,
}
_CLOUD_IMAGE = "cloud.sif"
_RELEASES = "https://github.com/apptainer/apptainer/releases"
_RELEASE = "1.4.5"  # the one tried here
_SOURCE = (".py", ".c", ".csv", ".html", ".css", ".js")


def starter() -> str | None:
    """The program that builds and starts images: Apptainer's or, where only that is here, Singularity's; None without either.

    In the order in which Snakemake looks for them (9.27.1, `deployment/singularity.py`).
    """
    return next((name for name in ("apptainer", "singularity") if shutil.which(name)), None)


def installs(system: Path = Path("/etc/os-release")) -> str:
    """The command that installs Apptainer on this system, from where its project says (apptainer.org/docs/admin, installation).

    >>> installs(Path("none"))
    "sed -n '/^## Apptainer/,/^## /p' docs/CONTAINERS.md"
    """
    text = system.read_text(encoding="utf-8", errors="replace") if system.is_file() else ""
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    kinds = f"{told.get('ID', '')} {told.get('ID_LIKE', '')}".replace('"', "").split()
    if "ubuntu" in kinds:
        return "sudo add-apt-repository -y ppa:apptainer/ppa && sudo apt-get install -y apptainer"
    if "debian" in kinds:
        package = f"apptainer_{_RELEASE}_$(dpkg --print-architecture).deb"
        return f"wget {_RELEASES}/download/v{_RELEASE}/{package} && sudo apt-get install -y ./{package}"
    if "fedora" in kinds and told["ID"] == "fedora":
        return "sudo dnf install -y apptainer"
    if {"rhel", "fedora", "centos"} & set(kinds):
        return "sudo dnf install -y epel-release && sudo dnf install -y apptainer"
    return "sed -n '/^## Apptainer/,/^## /p' docs/CONTAINERS.md"


def receipt_of(image: Path) -> Path:
    """The receipt that lies beside an image.

    >>> receipt_of(Path("containers/cpu.sif")).name
    'cpu.json'
    """
    return image.with_suffix(".json")


def pin_digest(file: Path) -> str:
    """Hash a file that fixes versions, of a project or of an image's own folder: what packages are compared by."""
    return file_digest(file)[:16]


def pins_of(name: str) -> dict[str, str]:
    """Those of PINS that an image of a file of that name is of."""
    return {label: file for label, file in PINS.items() if file != CLOUD or name == _CLOUD_IMAGE}


def otherwise(labels: Mapping[str, str], project: Path, name: str = "") -> str | None:
    """What an image's labels say that it is otherwise than here: its kind, its source, its packages; None where it is the same.

    Args:
        labels: of the image.
        project: the checkout.
        name: of the file that it is to be, which says its kind.
    """
    wanted, title = TITLES.get(name), labels.get(TITLE_LABEL)
    if wanted and title and title != wanted:
        return f"is titled {title}, and {name} is {wanted}"
    if labels.get(SOURCE_LABEL) is None:
        return "has no label of its source"
    if labels[SOURCE_LABEL] != source_digest():
        return f"holds source {labels[SOURCE_LABEL]}, and this checkout is {source_digest()}"
    return otherwise_pinned(labels, project, name)


def otherwise_pinned(labels: Mapping[str, str], project: Path, name: str = "") -> str | None:
    """The first of the files in PINS that an image was built of another version of than is here; arguments as of `otherwise`.

    A project without such a file, such as a copy of what a user edits, leaves it unasked.
    """
    for label, file in pins_of(name).items():
        if (project / file).is_file():
            here = pin_digest(project / file)
            if label not in labels:
                return f"does not say of which {file} it was built, and here that is {here}"
            if labels[label] != here:
                return f"holds the packages of {file} {labels[label]}, and here that is {here}"
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
    """The image this process runs in, or None on the bare machine: its name, SHA-256 and what it was built from.

    Name and SHA-256 are None where a cloud runs it in the form of OCI, which is no file there and tells no digest within.
    """
    named = environment.get("APPTAINER_CONTAINER") or environment.get("SINGULARITY_CONTAINER")
    built_from = dict(read_json(facts)) if facts.is_file() else {}
    if named:
        return {"name": Path(named).name, "sha256": image_digest(Path(named))} | built_from
    return {"name": None, "sha256": None} | built_from if built_from else None
