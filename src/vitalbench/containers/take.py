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
from vitalbench.image import TITLE_LABEL, TITLES, otherwise, receipt_of
from vitalbench.layout import CPU_IMAGE

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
        if not isinstance(told["image"], dict):
            raise InputError(f"{path}: damaged: key 'image' is {told['image']!r}, neither a name nor what a run says")
        return _digest(told["image"].get("sha256"), f"{path}: key 'image.sha256'"), {}
    return _digest(told["sha256"], f"{path}: key 'sha256'"), dict(told)


def _digest(said: object, where: str) -> str:
    found = _HEX.fullmatch(said.lower()) if isinstance(said, str) else None
    if found is None:
        raise InputError(f"{where} is {said!r}, no SHA-256 (64 hex digits)")
    return found[1]


def refuse_place(out: Path) -> None:
    """Refuse a place that an image and the receipt beside it cannot have, or that would be another file's.

    Raises:
        InputError: it is no name that ends in .sif, or a folder, or in no folder that is there.
    """
    if out.suffix != ".sif":
        raise InputError(f"--out {out if out.name else repr('')}: an image's name ends in .sif, such as {CPU_IMAGE}")
    if out.is_dir():
        raise InputError(f"--out {out}: this is a folder")
    if not out.parent.is_dir():
        told = f"--out {out}: there is no folder {out.parent} here ({Path.cwd()})"
        raise InputError(f"{told}; next: cd to the project's folder, or mkdir {out.parent}")


def take(image: Path, said: str, out: Path, project: Path) -> dict[str, Any]:
    """Put an image where the rules look for it, with its receipt; nothing is written unless it is the one expected.

    Args:
        image: the file that came from elsewhere; it may lie at `out` already.
        said: what `expected` reads.
        out: where it is to lie, one of the layout's images; the receipt takes its place beside it.
        project: whose source and packages it has to hold.

    Raises:
        InputError: `out` is no place for it; or the file is damaged or another one, cannot be read here,
            or is of another kind, source or packages than are to be there.
    """
    refuse_place(out)
    if not image.is_file():
        raise InputError(f"{image}: {'a folder, no image' if image.is_dir() else 'no such file'}")
    digest, told = expected(said)
    if why := fault(image):
        raise InputError(f"{image}: {why}; fetch it again")
    found = file_digest(image)
    if found != digest:
        raise InputError(f"{image}: SHA-256 {found}, expected {digest}: damaged on the way, or another image")
    held = labels(image)
    if held is None:
        raise InputError(f"{image}: `apptainer inspect --json` reads no labels of it; see `vitalbench doctor`")
    if why := otherwise(held, project, out.name):
        if held.get(TITLE_LABEL) in set(TITLES.values()) - {TITLES.get(out.name)}:
            raise InputError(f"{image}: it {why}; next: another --out, or the image that this is to be")
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
