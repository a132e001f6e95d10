"""Older builds of a store: every build's parts are kept under the hash of their content, once for all builds that share them.

`versions/<version>.json` is a build's manifest, `versions/parts/` holds the files, linked and not copied where the file system can.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitalbench.data.standardise import part_files
from vitalbench.errors import InputError, choices
from vitalbench.files import digest, file_digest, read_json, write_json


def version_of(made: Mapping[str, Mapping[str, str]]) -> str:
    """The name of a build: the hash of its parts' hashes.

    Args:
        made: for each part its files' SHA-256 by what they hold.
    """
    return digest({name: dict(files) for name, files in made.items()})


def _kept(folder: Path, file: Path, sha256: str) -> Path:
    return folder / "parts" / f"{sha256[:32]}{''.join(file.suffixes)}"


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.link(source, temporary)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def keep(manifest: Mapping[str, Any], parts: list[Path], folder: Path) -> None:
    """Keep a build.

    Args:
        manifest: the build's, with `version` and, for each of `parts`, the hashes of its files.
        parts: the HDF5 files.
        folder: where versions are kept.
    """
    for part in parts:
        for name, path in part_files(part).items():
            if name == "receipt":
                continue
            kept = _kept(folder, path, manifest["parts"][part.name]["sha256"][name])
            if not kept.is_file():
                _link(path, kept)
    write_json(folder / f"{manifest['version']}.json", manifest)


def recover(folder: Path, version: str, out: Path) -> tuple[dict[str, Any], list[Path]]:
    """Put the parts of an older build into `out`/parts, each held against its hash.

    Returns:
        The build's manifest, and its parts, ready to be joined.

    Raises:
        InputError: there is no such version, or a file of it is missing or altered.
    """
    known = sorted(path.stem for path in folder.glob("*.json"))
    if version not in known:
        raise InputError(f"{folder}: no version '{version}'; {choices(version, known)}")
    manifest: dict[str, Any] = read_json(folder / f"{version}.json")
    parts = []
    for name, part in manifest["parts"].items():
        target = out / "parts" / name
        for holds, path in part_files(target).items():
            if holds == "receipt":
                continue
            kept = _kept(folder, path, part["sha256"][holds])
            if not kept.is_file() or file_digest(kept) != part["sha256"][holds]:
                raise InputError(f"{kept}: missing or altered; version {version} cannot be recovered")
            _link(kept, path)
        write_json(part_files(target)["receipt"], {"inputs": "", "records": part["records"], "sha256": part["sha256"]})
        parts.append(target)
    return manifest, parts
