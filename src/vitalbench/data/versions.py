"""Older builds of a store: every build's parts are kept under the hash of their content, once for all builds that share them.

`versions/<version>.json` is a build's manifest, `versions/parts/` holds the files. They are copies, which share their blocks with
the parts where the file system can, and read-only: what happens to a part in place does not happen to them. A hard link would
cost nothing anywhere, and be damaged with its part.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitalbench.data.standardise import part_files
from vitalbench.errors import InputError, choices
from vitalbench.files import atomic, digest, file_digest, read_json, write_json
from vitalbench.privacy.access_log import note
from vitalbench.progress import say

_AT_ONCE = 1 << 30  # bytes a call


def version_of(made: Mapping[str, Mapping[str, str]]) -> str:
    """The name of a build: the hash of its parts' hashes.

    Args:
        made: for each part its files' SHA-256 by what they hold.
    """
    return digest({name: dict(files) for name, files in made.items()})


def _kept(folder: Path, file: Path, sha256: str) -> Path:
    return folder / "parts" / f"{sha256[:32]}{''.join(file.suffixes)}"


def _copy(source: Path, target: Path, sha256: str) -> None:
    """Copy a file, and read the copy again.

    Raises:
        InputError: it has another SHA-256.
    """
    with atomic(target) as temporary:
        try:
            with source.open("rb") as content, temporary.open("wb") as copy:
                while os.copy_file_range(content.fileno(), copy.fileno(), _AT_ONCE):
                    continue
        except (OSError, AttributeError):  # file systems, and systems, that do not have it
            shutil.copyfile(source, temporary)
        if file_digest(temporary) != sha256:
            raise InputError(f"{source}: was altered while it was copied to {target}; run again")


def _seal(path: Path) -> None:
    path.chmod(0o444)


def keep(manifest: Mapping[str, Any], parts: list[Path], folder: Path) -> None:
    """Keep a build: what is kept already is read and compared, so a damaged copy does not wait for the day it is needed.

    Args:
        manifest: the build's, with `version` and, for each of `parts`, the hashes of its files.
        parts: the HDF5 files.
        folder: where versions are kept.
    """
    for part in parts:
        for name, path in part_files(part).items():
            if name == "receipt":
                continue
            sha256 = manifest["parts"][part.name]["sha256"][name]
            kept = _kept(folder, path, sha256)
            whole = kept.is_file() and file_digest(kept) == sha256
            if whole:
                continue
            if kept.is_file():
                say(f"{kept}: damaged, kept anew")
            _copy(path, kept, sha256)
            _seal(kept)
    described = folder / f"{manifest['version']}.json"
    write_json(described, manifest)
    _seal(described)


def kept_files(folder: Path) -> dict[str, str]:
    """The SHA-256 that every kept file of every build must have, by path below `folder`.

    Raises:
        InputError: a build's manifest is not what it was called after.
    """
    files = {}
    for path in sorted(folder.glob("*.json")):
        manifest = read_json(path)
        try:
            made = {name: part["sha256"] for name, part in manifest["parts"].items()}
            named = version_of(made)
        except (KeyError, TypeError, AttributeError):
            named = ""
        if named != path.stem:
            raise InputError(f"{path}: damaged: no manifest of the build {path.stem}; delete it, that build is lost")
        files[path.name] = file_digest(path)
        for name, sha256 in made.items():
            for holds, file in part_files(folder / name).items():
                if holds != "receipt":
                    kept = _kept(folder, file, sha256[holds])
                    files[str(kept.relative_to(folder))] = sha256[holds]
    return files


def recover(folder: Path, version: str, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Put the parts of an older build into `out`/parts, each held against its hash; an access, logged where accesses are.

    Returns:
        The build's manifest, and its parts, ready to be joined.

    Raises:
        InputError: there is no such version, or a file of it is missing or altered.
    """
    known = sorted(path.stem for path in folder.glob("*.json"))
    if version not in known:
        raise InputError(f"{folder}: no version '{version}'; {choices(version, known)}")
    manifest: dict[str, Any] = read_json(folder / f"{version}.json")
    note(folder.parent, f"version {version}, recovered elsewhere", manifest["records"])
    parts = []
    for name, part in manifest["parts"].items():
        target = out / "parts" / name
        for holds, path in part_files(target).items():
            if holds == "receipt":
                continue
            kept = _kept(folder, path, part["sha256"][holds])
            if not kept.is_file() or file_digest(kept) != part["sha256"][holds]:
                raise InputError(f"{kept}: missing or altered; version {version} cannot be recovered")
            _copy(kept, path, part["sha256"][holds])
        write_json(part_files(target)["receipt"], {"inputs": "", "records": part["records"], "sha256": part["sha256"]})
        parts.append(target)
    return manifest, parts
