"""Acquire: know where a release's files are, that they are the release, and what of it is there."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild, Source
from vitalbench.config.header_files import annotation_file, header_files
from vitalbench.config.index_tables import index_tables
from vitalbench.data.checksums import Listed, content_hash, safe_name
from vitalbench.data.datasets import FAULT, RECORDING, load, record_files, sound
from vitalbench.data.fetch import index_names
from vitalbench.data.index import part_index, write_index
from vitalbench.data.standardise import store_key
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.errors import InputError
from vitalbench.files import digest, file_digest, write_json
from vitalbench.progress import say

_SAMPLES = ("*.dat", "*.mat", "*.png")
HEADERS = "headers"  # what the hash of all headers is called among those of tables
_NAMED = 5  # how many stray files a message names


def _stray_files(root: Path, index: pd.DataFrame) -> list[str]:
    """Sample files below the sound records' folders that no row of the index names, though it be at fault."""
    listed, folders = set(index["file"]), {Path(file).parent for file in sound(index)["file"]}
    found = (
        path.relative_to(root) for folder in sorted(folders) for kind in _SAMPLES for path in (root / folder).glob(kind)
    )
    return sorted(str(path) for path in found if not {str(path), str(path.with_suffix(""))} & listed)


def _here(index: pd.DataFrame, root: Path, module: ModuleType, config: DatasetBuild) -> pd.DataFrame:
    """The rows of which every file is in the folder, and those at fault."""
    at_fault = index[FAULT] != "" if FAULT in index.columns else pd.Series(False, index=index.index)
    there = [
        fault or all((root / name).is_file() for name in record_files(module, str(file), config))
        for file, fault in zip(index["file"], at_fault.tolist(), strict=True)
    ]
    if not any(there):
        raise InputError(f"{root}: holds no file of any of the {len(index):,} records that its index lists")
    if not all(there):
        say(f"{root}: the files of {sum(there):,} of {len(index):,} records are here; the others are left out")
    return index[there].reset_index(drop=True)


def _inside(files: Iterable[str], root: Path) -> None:
    """Refuse an index of which any row names a file elsewhere: whoever wrote that is not to be trusted with the others."""
    for file in files:
        try:
            safe_name(file)
        except InputError:
            raise InputError(f"{root}: the index names a file outside the release: {file[:200]!r}") from None


def _content(path: Path) -> str:
    """The hash of a file; empty of one that cannot be read, whose record is at fault: a folder, or a link that leads nowhere."""
    try:
        return file_digest(path)
    except OSError:
        return ""


def index_digests(root: Path, config: DatasetBuild) -> dict[str, str]:
    """The hash of each table that lists the records; where headers do, one for all of them, which are read once more for it."""
    found = {path.relative_to(root).as_posix(): file_digest(path) for path in index_tables(root, config)}
    if config.header_folders:
        headers = list(header_files(root, config.header_folders))
        beside = [annotation_file(name, config.annotations) for name in headers]
        read = [*headers, *(name for name in beside if name and (root / name).is_file())]
        found[HEADERS] = digest([[name, _content(root / name)] for name in read])
    return found


def _tell_faults(index: pd.DataFrame, root: Path) -> None:
    if len(sound(index)) == len(index):
        return
    counts = index[FAULT][index[FAULT] != ""].value_counts()
    told = "; ".join(f"{count:,} x {fault}" for fault, count in counts.head(_NAMED).items())
    say(
        f"{root}: {int(counts.sum()):,} of {len(index):,} rows of the index are at fault; their records are quarantined: {told}"
    )


def some_patients(index: pd.DataFrame, patients: int, root: Path) -> pd.DataFrame:
    """The rows of as many patients, in their order: of those whose ids' hashes come first, so each more is one more.

    Raises:
        InputError: the release has fewer.
    """
    known = sound(index)["patient_id"].unique()
    if patients > len(known):
        raise InputError(f"{root}: subset.patients is {patients:,}; the release has {len(known):,} patients")
    chosen = sorted(known, key=lambda patient: hashlib.sha256(f"subset/{patient}".encode()).digest())[:patients]
    return index[index["patient_id"].isin(chosen)].reset_index(drop=True)


def _listed_twice(index: pd.DataFrame, twice: NDArray[np.intp], config: DatasetBuild) -> str:
    """Where records of one name stand: in which rows of the table, or in which folders, where headers list them."""
    if config.header_folders:
        first = index["record_id"] == index["record_id"].iloc[twice[0]]
        files = " and ".join(dict.fromkeys(index["file"][first].head(_NAMED)))
        return f"{len(twice):,} records share their name with another, so none can be told apart by it: {files}"
    rows = ", ".join(str(row + 1) for row in twice[:4])
    return f"{', '.join(config.index_files)}: one record is listed in several rows: {rows}, counted below the head"


def _release_records(index: pd.DataFrame) -> int:
    """How many records of the release an index lists: where its rows are windows, the recordings they are cut from."""
    return int(index[RECORDING].nunique()) if RECORDING in index.columns else len(index)


def _downloaded(config: DatasetBuild, files: list[str], listed: Listed) -> dict[str, Any]:
    """What identifies a download: the hash of its whole tree is known from the list before any record is here."""
    if config.download is None:
        raise InputError(f"{config.release}: its configuration has no section 'download'")
    # An archive brings all that is listed; loose files are fetched where the data set uses them.
    tables = index_names(config, listed.files)
    used = listed.select(dict.fromkeys([*tables, *files]))
    content = content_hash(listed.files if config.download.archive else used)
    if config.download.content not in (None, content):
        raise InputError(
            f"{listed.source}: the content of {config.release} {config.version} has the SHA-256 {content}; "
            f"download.content says {config.download.content}"
        )
    return {"url": config.download.url, "checksums": listed.sha256, "content": content, "trust": listed.trust}


def acquire(
    name: str, config: DatasetBuild, source: Source, local: Path | None, out: Path, listed: Listed | None = None
) -> dict[str, Any]:
    """Make a release available, describe it in `out` (release.json), and list its records in index.parquet beside it.

    Args:
        name: the data set's, which its ids are put under.
        config: the data set's configuration.
        source: `generated` writes the stand-in beside `out`; `local` takes the folder as it is; `download` takes what was fetched
            beside `out`.
        local: the folder, for `local`.
        listed: the publisher's list, for `download`.
        out: where release.json goes.

    Raises:
        InputError: the folder is not a readable release, holds a stand-in where recordings were asked for, or is not what the
            publisher lists.
    """
    module = load(config.module)
    if source == "generated":
        root = out.parent / "release"
        shutil.rmtree(root, ignore_errors=True)  # a stand-in of an older configuration
        module.write_standin(root, config)
    else:
        if local is None and listed is None:
            raise InputError("a local release needs the folder it is in")
        root = local or out.parent / "release"
        if any((root / name).is_file() for name in ("STAND-IN.txt", "standin_truth.csv")):
            raise InputError(
                f"{root}: this is a stand-in ({WATERMARK}); it cannot be used as {config.release} {config.version}"
            )
    index = module.read_index(root, config)
    if index.empty:
        raise InputError(f"{root}: its index lists no record")
    whole = _release_records(index)
    index = _here(index, root, module, config) if config.partial and source == "local" else index
    index = some_patients(index, config.subset.patients, root) if config.subset else index
    twice = np.flatnonzero(index["record_id"].duplicated(keep=False))
    if len(twice):
        raise InputError(f"{root}: {_listed_twice(index, twice, config)}")
    usable = sound(index)
    _inside(usable["file"], root)
    _tell_faults(index, root)
    stray = _stray_files(root, index)
    if stray:
        say(f"{len(stray)} sample files are in no row of the index and are left alone: {', '.join(stray[:_NAMED])}")
    expected, listed_here = config.expected, _release_records(index)
    itself = config.standin is not None and config.standin.whole
    subset = {"subset": {"patients": config.subset.patients, "of_records": whole}} if config.subset else {}
    description = {
        "source": source,
        "root": str(root.resolve()) if source == "local" else root.name,
        "version": config.version,
        "records": len(index),
        "patients": int(usable["patient_id"].nunique()),
        "bad_rows": len(index) - len(usable),
        "complete": bool((source != "generated" or itself) and expected and listed_here == expected.records),
        "stray_files": stray,
        "index": index_digests(root, config),
    } | subset
    if source != "generated" and expected and whole != expected.records:
        say(f"{root}: {whole:,} records; the release has {expected.records:,}: this is not the whole of it")
    if RECORDING in index.columns:
        description["recordings"] = listed_here
    if listed:
        files = [name for file in usable["file"].unique() for name in record_files(module, str(file), config)]
        description |= _downloaded(config, files, listed)
    write_index(part_index(index, name, config, source), out.with_name("index.parquet"), store_key(config))
    write_json(out, description | {"digest": digest(description["index"])})
    say(
        f"{config.release} {config.version}: {description['records']} records of {description['patients']} patients, {source}"
    )
    return description
