"""A folder sealed into another, file by file under their names, with a sealed list of what belongs to it; and opened again.

A file opens under its own path alone; the list says which there were and which sealing of each is meant, so that a file that was
taken out, put in or exchanged for an older one is found before any is opened. It is written last: a folder without is not whole.
"""

import argparse
import json
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.files import atomic, to_json
from vitalbench.privacy.key import Key
from vitalbench.privacy.vault import open_stream, opened_bytes, seal_stream, sealed_bytes, sealing_of

LIST = ".vitalbench-sealed"
_NAMED = 5  # missing files that a message names
_OWNERS = 0o600


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of sealing and of opening."""
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument("--key", type=Path, metavar="FILE", help="a file with the key, which its owner alone may read")


def _files(folder: Path, out: Path) -> dict[str, Path]:
    """A folder's files by the names they are bound to."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; name a new folder")
    if folder.resolve() in [out.resolve(), *out.resolve().parents]:
        raise InputError(f"{out}: lies in {folder}; name a folder elsewhere")
    paths = sorted(folder.rglob("*"))
    links = [path for path in paths if path.is_symlink()]
    if links:
        raise InputError(f"{links[0]}: a link; what it leads to may lie outside the folder, so copy it first")
    other = [path for path in paths if not path.is_file() and not path.is_dir()]
    if other:
        raise InputError(f"{other[0]}: no file (a pipe, a socket or a device); take it out of the folder first")
    found = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    unwritable = [name for name in found if name.encode(errors="replace") != name.encode(errors="surrogateescape")]
    if unwritable:
        raise InputError(f"{folder}: the file {unwritable[0]!a} has a name that is not UTF-8; rename it first")
    return found


def seal_folder(folder: Path, out: Path, key: Key) -> int:
    """Seal every file of a folder into another, names kept, each bound to its path; returns how many."""
    files = _files(folder, out)
    if LIST in files:
        raise InputError(f"{files[LIST]}: this name is the list's of a sealed folder; is this one sealed already?")
    sealed = {}
    for name, path in files.items():
        with path.open("rb") as source, atomic(out / name) as temporary, temporary.open("wb") as target:
            seal_stream(key, name, source, target)
        sealed[name] = sealing_of(out / name)
    with atomic(out / LIST) as temporary:
        temporary.write_bytes(sealed_bytes(key, LIST, to_json(sealed).encode()))
    return len(files)


def _listed(folder: Path, files: dict[str, Path], key: Key, incomplete: bool) -> dict[str, str] | None:
    """What the list says, None where there is none and that is allowed."""
    if LIST in files:
        listed: dict[str, str] = json.loads(opened_bytes(key, LIST, files[LIST]))
        return listed
    if incomplete:
        return None
    raise InputError(
        f"{folder}: no {LIST}: the folder was not sealed to its end, or the list was taken out; "
        "--incomplete opens what is there"
    )


def _held_against(listed: dict[str, str], files: dict[str, Path], folder: Path, incomplete: bool) -> list[str]:
    """The files that are missing; an InputError for what is there and does not belong, or where none may be missing."""
    for name, path in files.items():
        if name not in listed:
            raise InputError(f"{path}: not in the list of what was sealed")
        if sealing_of(path) != listed[name]:
            raise InputError(f"{path}: another sealing of this file than the list's: exchanged, or an older one")
    missing = sorted(listed.keys() - files.keys())
    if missing and not incomplete:
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise InputError(
            f"{folder}: {len(missing)} of {len(listed)} files missing that were sealed: {named}; "
            "--incomplete opens the rest"
        )
    return missing


def unseal_folder(folder: Path, out: Path, key: Key, incomplete: bool = False) -> tuple[int, list[str]]:
    """Open every file of a sealed folder into another, for its owner alone. What does not open is not left.

    Args:
        incomplete: open what is there though files, or the list of them, are missing.

    Returns:
        How many were opened, and which are missing.

    Raises:
        InputError: a file is missing, was put in, exchanged or altered, or is sealed with another key.
    """
    files = _files(folder, out)
    listed = _listed(folder, files, key, incomplete)
    files.pop(LIST, None)
    missing = [LIST] if listed is None else _held_against(listed, files, folder, incomplete)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, path in files.items():
        with path.open("rb") as source, atomic(out / name, _OWNERS) as temporary, temporary.open("wb") as target:
            open_stream(key, name, source, target, path)
    return len(files), missing
