"""Sealed folders: files beside a manifest that states the hash of each. They are there whole or not at all, and damage shows.

A checkpoint is one. Whatever else a long run should not do twice (features of a frozen backbone, a part at a time) is kept the same
way: sealed under the run's id, and made again where it is missing or `damage` finds something.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitalbench.chain import SHOWN
from vitalbench.errors import InputError
from vitalbench.files import atomic_folder, digest, file_digest, read_json, write_json

MANIFEST = "manifest.json"


def seal(folder: Path, facts: dict[str, Any], write: Callable[[Path], None]) -> None:
    """Make `folder` of what `write` puts into the folder it is given, with a manifest of the facts and every file's hash.

    Raises:
        OSError: the folder is already there, or the disk is full; nothing is left then.
    """
    with atomic_folder(folder) as temporary:
        write(temporary)
        files = {
            path.relative_to(temporary).as_posix(): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
            for path in sorted(temporary.rglob("*"))
            if path.is_file()
        }
        body = {**facts, "files": files}
        write_json(temporary / MANIFEST, body | {"seal": digest(body)})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a sealed folder.

    Raises:
        InputError: it is missing, or not as it was written.
    """
    found = read_json(folder / MANIFEST)
    body = {key: value for key, value in found.items() if key != "seal"}
    if found.get("seal") != digest(body):
        raise InputError(f"{folder / MANIFEST}: not as it was written")
    return body


def damage(folder: Path) -> str:
    """What is wrong with a sealed folder, in a few words; nothing where every file has the bytes it was sealed with."""
    try:
        files = read_manifest(folder)["files"]
        for name, stated in files.items():
            if (here := file_digest(folder / name)) != stated["sha256"]:
                return f"{name}: sealed as {stated['sha256'][:SHOWN]}, here {here[:SHOWN]}"
    except InputError as error:
        return str(error).removeprefix(f"{folder}/")
    except OSError as error:
        return f"{Path(str(error.filename)).name}: {(error.strerror or 'not readable').lower()}"
    return ""


def size_of(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def copy_sealed(folder: Path, to: Path) -> None:
    """Copy a sealed folder, atomically, and hold the copy against its manifest; a copy that is there and sound is kept.

    Raises:
        OSError: the copy cannot be written. InputError: what arrived is damaged; nothing is left then.
    """
    if to.is_dir():
        if not damage(to):
            return
        shutil.rmtree(to)
    with atomic_folder(to) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
        if wrong := damage(temporary):
            raise InputError(f"{to}: the copy is damaged: {wrong}")
