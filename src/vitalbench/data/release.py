"""Acquire: know where a release's files are, that they are the release, and what of it is there."""

import shutil
from pathlib import Path
from typing import Any

from vitalbench.config.dataset import DatasetBuild, Source
from vitalbench.data.checksums import Listed, content_hash
from vitalbench.data.datasets import load, record_files
from vitalbench.data.index import part_index, write_index
from vitalbench.data.standardise import store_key
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.errors import InputError
from vitalbench.files import digest, file_digest, write_json
from vitalbench.progress import say

_NAMED = 5  # how many stray files a message names


def _stray_files(root: Path, listed: set[str]) -> list[str]:
    """Sample files below the listed records' folders that no row of the index names."""
    folders = {Path(file).parent for file in listed}
    found = (path.relative_to(root) for folder in sorted(folders) for path in (root / folder).glob("*.dat"))
    return sorted(str(path) for path in found if str(path.with_suffix("")) not in listed)


def _downloaded(config: DatasetBuild, files: list[str], listed: Listed) -> dict[str, Any]:
    """What identifies a download: the hash of its whole tree is known from the list before any record is here."""
    if config.download is None:
        raise InputError(f"{config.release}: its configuration has no section 'download'")
    # An archive brings all that is listed; loose files are fetched where the data set uses them.
    used = listed.select([*config.index_files, *files])
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
    twice = index["record_id"][index["record_id"].duplicated()]
    if len(twice):
        raise InputError(f"{root}: record {twice.iloc[0]} is listed twice")
    escaping = [file for file in index["file"] if Path(file).is_absolute() or ".." in Path(file).parts]
    if escaping:
        raise InputError(f"{root}: the index names a file outside the release: {escaping[0]!r}")
    stray = _stray_files(root, set(index["file"]))
    if stray:
        say(f"{len(stray)} sample files are in no row of the index and are left alone: {', '.join(stray[:_NAMED])}")
    expected = config.expected
    description = {
        "source": source,
        "root": str(root.resolve()) if source == "local" else root.name,
        "version": config.version,
        "records": len(index),
        "patients": int(index["patient_id"].nunique()),
        "complete": bool(source != "generated" and expected and len(index) == expected.records),
        "stray_files": stray,
        "index": {name: file_digest(root / name) for name in config.index_files},
    }
    if listed:
        files = [name for file in index["file"] for name in record_files(module, str(file), config)]
        description |= _downloaded(config, files, listed)
    write_index(part_index(index, name, config, source), out.with_name("index.parquet"), store_key(config))
    write_json(out, description | {"digest": digest(description["index"])})
    say(
        f"{config.release} {config.version}: {description['records']} records of {description['patients']} patients, {source}"
    )
    return description
