"""Take an image that was built elsewhere, pulled or carried here: held against what is expected, then put in its place."""

import re
import shutil
from pathlib import Path
from typing import Any

from vitalbench.containers.inspect import labels
from vitalbench.containers.receipt import told_of
from vitalbench.containers.sif import fault
from vitalbench.errors import InputError
from vitalbench.files import atomic, file_digest, read_json, write_json
from vitalbench.image import otherwise, receipt_of

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def expected(said: str) -> tuple[str, dict[str, Any]]:
    """The SHA-256 that an image is to have, and what else is told of it.

    Args:
        said: the digest itself, in hex; or a JSON file that holds it: an image's receipt, or the provenance of a run in the image.

    Raises:
        InputError: it is neither, or the run was on the bare machine.
    """
    if digest := _HEX.fullmatch(said.lower()):
        return digest[1], {}
    path = Path(said)
    if not path.is_file():
        raise InputError(
            f"--expect {said}: neither a SHA-256 (64 hex digits) nor a file; a receipt or a run's provenance.json has one"
        )
    told = read_json(path)
    if "image" in told and not isinstance(told["image"], str):  # a receipt names the file there
        if told["image"] is None:
            raise InputError(f"{path}: this run was on the bare machine, in no image")
        return str(told["image"]["sha256"]), {}
    return str(told["sha256"]), dict(told)


def take(image: Path, said: str, out: Path, project: Path) -> dict[str, Any]:
    """Put an image where the rules look for it, with its receipt; nothing is written unless it is the one expected.

    Args:
        image: the file that came from elsewhere; it may lie at `out` already.
        said: what `expected` reads.
        out: one of the layout's images.
        project: whose source and packages it has to hold.

    Raises:
        InputError: the file is damaged or another one, cannot be read here, or holds other source or packages.
    """
    if not image.is_file():
        raise InputError(f"{image}: no such file")
    digest, told = expected(said)
    if why := fault(image):
        raise InputError(f"{image}: {why}; fetch it again")
    found = file_digest(image)
    if found != digest:
        raise InputError(f"{image}: SHA-256 {found}, expected {digest}: damaged on the way, or another image")
    held = labels(image)
    if held is None:
        raise InputError(f"{image}: `apptainer inspect --json` reads no labels of it; see `vitalbench doctor`")
    if why := otherwise(held, project):
        raise InputError(
            f"{image}: it {why}; check out what it was built from (its label `version` is {_version(held)})"
        )
    if not (out.exists() and out.samefile(image)):
        with atomic(out, 0o755) as temporary:
            shutil.copyfile(image, temporary)
    content = told | told_of(out) | {"taken_from": image.name, "expected_by": said}
    write_json(receipt_of(out), content)
    return content


def _version(held: dict[str, str]) -> str:
    return held.get("org.opencontainers.image.version", "not told")
