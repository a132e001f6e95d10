"""The images that rules run in, and what a job in one sees of the machine: each tried, not only looked at."""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from vitalbench.config.knobs import Knobs
from vitalbench.config.places import DRIVER, Place, builds, builds_otherwise, outside, unbindable
from vitalbench.containers.debian import told
from vitalbench.containers.facts import LABELS
from vitalbench.containers.inspect import labels
from vitalbench.containers.sif import fault
from vitalbench.doctor.disks import WRITE
from vitalbench.doctor.finding import Finding, complaint
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json
from vitalbench.image import installs, otherwise, receipt_of, starter
from vitalbench.layout import CPU_IMAGE, CUDA_IMAGE

_WHAT = {CPU_IMAGE: "image", CUDA_IMAGE: "CUDA image"}
_NEEDED_FOR = {
    CPU_IMAGE: "nothing but --sdm apptainer needs it",
    CUDA_IMAGE: "only a GPU's jobs with --sdm apptainer need it",
}
_SEES_A_GPU = "import torch, sys; sys.exit(None if torch.cuda.is_available() else 'its torch sees no GPU')"
# What is tried in an image: to read a file or a folder.
_READ = 'if [ -d "$1" ]; then ls -A "$1"; else head -c 1 "$1"; fi >/dev/null'


def image(project: Path, name: str) -> Finding:
    """An image: whether it is whole and its receipt's, holds this source and these packages, and starts here.

    Args:
        name: its path below the project, one of the layout's.
    """
    path, here = project / name, starter()
    if not path.is_file():
        return Finding(_WHAT[name], False, f"{name} is not built; {_NEEDED_FOR[name]}", builds(name) if here else "")
    try:
        why = fault(path) or _not_the_receipts(path)
    except (OSError, InputError) as error:
        why = str(error)
    if why:
        return Finding(_WHAT[name], False, f"{name}: {why}", builds(name, again=True))
    if not here:
        return Finding(_WHAT[name], False, f"{name} is here, and Apptainer is not", installs())
    held = labels(path) or {}
    if why := otherwise(held, project, path.name):
        return Finding(_WHAT[name], False, f"{name} {why}", builds_otherwise(name, held, project))
    if why := complaint(here, "exec", str(path), "true"):
        return Finding(_WHAT[name], False, f"{name} does not start: {why}", f"{here} exec {path} true")
    if name == CUDA_IMAGE and DRIVER.exists():
        look = (here, "exec", "--nv", str(path), "python", "-c")
        if why := complaint(*look, _SEES_A_GPU, seconds=120):
            return Finding(_WHAT[name], False, f"{name}: {why}", " ".join((*look, "'import torch; torch.cuda.init()'")))
    # Taken with a switch turned, so it is told and stops nothing.
    system = held.get(LABELS["debian"], told([]))
    other = "" if system == told([]) else f"; of Debian's packages {system}"
    return Finding(
        _WHAT[name], True, f"{name} is its receipt's, holds this source and these packages, and starts{other}"
    )


def _not_the_receipts(path: Path) -> str | None:
    """Why a file is not what the receipt beside it tells of; hashes the whole file."""
    receipt = receipt_of(path)
    if not receipt.is_file():
        return f"no receipt {receipt.name} is beside it"
    expected, found = read_json(receipt)["sha256"], file_digest(path)
    return None if expected == found else f"not what {receipt.name} tells of: SHA-256 {found}, not {expected}"


def binds(project: Path, knobs: Knobs, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """What jobs use outside the project: whether it is there for this user and, where an image starts, in the image too."""
    there, here = [name for name in (CPU_IMAGE, CUDA_IMAGE) if (project / name).is_file()], starter()
    within = next(
        (name for name in there if here and complaint(here, "exec", str(project / name), "true") is None), None
    )
    roots = [Path(knobs.data_root).expanduser()] if knobs.data_root else []
    return [_bind(place, project / within if within else None) for place in outside(roots, knobs, environment)]


def _bind(place: Place, image: Path | None) -> Finding:
    path, verb, tried = place.path.absolute(), *(("written", WRITE) if place.mode == "rw" else ("read", _READ))
    kind = "folder" if place.folder else "file"
    if path.exists() and not (path.is_dir() if place.folder else path.is_file()):
        return Finding(place.said, False, f"{path} is no {kind}", f"ls -ld {quote(str(path))}")
    if not path.exists() or complaint("sh", "-c", tried, "sh", str(path)):
        return Finding(place.said, False, f"{path} is nothing that can be {verb}", f"ls -ld {quote(str(path))}")
    if why := unbindable(path):
        return Finding(place.said, False, f"{path} can be {verb}, not in an image: {why}", "give it another name")
    if image is None:
        return Finding(place.said, True, f"{path} can be {verb}; no image starts here to try it in")
    within = (starter() or "apptainer", "exec", "--bind", place.bind(), str(image))
    if why := complaint(*within, "sh", "-c", tried, "sh", str(path)):
        return Finding(
            place.said,
            False,
            f"{path} can be {verb}, not in {image.name}: {why}",
            " ".join(map(quote, (*within, "ls", "-ld", str(path)))),
        )
    return Finding(place.said, True, f"{path} can be {verb}, in {image.name} too")
