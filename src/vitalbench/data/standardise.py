"""Standardise: one part of a release, read, checked and written as HDF5, or kept as it is where nothing of it changed."""

import errno
import hashlib
import shutil
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pandas as pd

from vitalbench.config.dataset import DatasetBuild, Source
from vitalbench.data.datasets import FAULT, NOTICE, Record, UnreadableRecord, load, record_files
from vitalbench.data.index import hidden_ids
from vitalbench.data.part import HDF5_FORMAT, PartWriter
from vitalbench.data.quality import Finding
from vitalbench.data.questions import questions
from vitalbench.data.table_file import write_table
from vitalbench.errors import InputError
from vitalbench.files import atomic, digest, file_digest, read_json, write_json, write_text
from vitalbench.privacy.key import Key, need_key
from vitalbench.privacy.vault import RowVault
from vitalbench.progress import say

FINDINGS = ["record_id", "patient_id", "check", "detail", "action"]


def part_files(part: Path) -> dict[str, Path]:
    """A part's files by what they hold, its HDF5 file given."""
    return {
        "signals": part,
        "records": part.with_suffix(".parquet"),
        "findings": part.with_suffix(".findings.csv"),
        "receipt": part.with_suffix(".json"),
    }


def _dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def sample_digest(record: Record) -> str:
    """What tells one record's samples from another's: 16 hex digits of the SHA-256 of its integers."""
    return hashlib.sha256(np.ascontiguousarray(record.digital).tobytes()).hexdigest()[:16]


def _state(path: Path) -> list[int] | None:
    """What tells a changed file without reading it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _inputs(rows: pd.DataFrame, config: DatasetBuild, module: ModuleType, root: Path, source: str, code: str) -> str:
    """The hash of everything a part's content depends on."""
    # Windows of one recording are of the same files.
    files = [name for file in rows["file"].unique() for name in record_files(module, str(file), config)]
    used = config.model_dump(
        include={"module": True, config.shape_key: True, "harmonise": True, "codec": True, "quality": True},
        exclude={"quality": {"max_quarantined"}},  # a question to the store
    )
    table = rows.to_json(orient="split", double_precision=15)
    return digest(
        {"rows": table, "config": used, "files": [_state(root / name) for name in files]}
        | {"source": source, "code": code}
    )


def store_key(config: DatasetBuild) -> Key | None:
    """The key that a data set's store is sealed with; None for one that is not."""
    return need_key(f"{config.release}: encrypt: true") if config.encrypt else None


def _unchanged(part: Path, inputs: str) -> bool:
    """Whether a part of these inputs is there, whole."""
    files = part_files(part)
    if not all(path.is_file() for path in files.values()):
        return False
    try:
        receipt = read_json(files["receipt"])
    except InputError:  # damaged: made again
        return False
    made = {name: file_digest(path) for name, path in files.items() if name != "receipt"}
    return bool(receipt.get("inputs") == inputs and receipt.get("sha256") == made)


def standardise(
    rows: pd.DataFrame, config: DatasetBuild, source: Source, root: Path, part: Path, code: str = ""
) -> None:
    """Write one part: `part` (HDF5, data/part.py), and beside it the table of its records, what was found wrong, and a receipt.

    All four are written aside before the first takes its name, so what fails leaves the part that was there.

    Args:
        rows: the part's rows of the index.
        source: generated | local.
        root: the release's folder.
        part: the HDF5 file. A part made from the same rows, files, configuration and code is kept, not made again.
        code: the hash of the code that makes it.

    Raises:
        InputError: a generated record in what was given as a release.
    """
    key = store_key(config)
    inputs = _inputs(rows, config, load(config.module), root, source, code + (key.fingerprint if key else ""))
    if _unchanged(part, inputs):
        say(f"{part.name}: unchanged, kept")
        return
    aside = part.parent / f".{part.stem}"
    shutil.rmtree(aside, ignore_errors=True)  # of a build that was killed
    try:
        try:
            told = _write_part(rows, config, source, root, aside / part.name, inputs)
        except RuntimeError as error:  # as the HDF5 library says it where there is no room
            raise OSError(
                errno.EIO, f"could not be written ({' '.join(str(error).split())[:200]})", str(part)
            ) from None
        for name, path in part_files(aside / part.name).items():
            path.replace(part_files(part)[name])
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    say(told)  # once it is there: whoever reads the line may look


def _write_part(rows: pd.DataFrame, config: DatasetBuild, source: Source, root: Path, part: Path, inputs: str) -> str:
    """Write a part's four files; returns what to tell of it."""
    module, key, files = load(config.module), store_key(config), part_files(part)
    hidden = hidden_ids(config, source)
    findings: list[Finding] = []
    kept: list[int] = []
    digests: list[str] = []

    def report(row: dict[str, Any], check: str, detail: str, action: str) -> None:
        findings.append(Finding(row["record_id"], row["patient_id"], check, detail, action))

    with atomic(part) as temporary, h5py.File(temporary, "w", libver=HDF5_FORMAT) as file:
        shape, vault = config.shape, RowVault(key, part.name) if key else None
        whole = (len(shape.names), *shape.space)
        writer = PartWriter(file, len(rows), whole, config.codec, vault, shape.dtype, shape.array)
        for at, row in enumerate(_dicts(rows)):
            if row.get(FAULT):
                report(row, "bad-row", row[FAULT], "quarantined")
                continue
            try:
                record: Record = module.read_record(root, row, config)
            except UnreadableRecord as problem:
                detail = str(problem).replace(Path(row["file"]).name, "the record") if hidden else str(problem)
                report(row, problem.check, detail, "quarantined")
                continue
            if record.generated and source != "generated":
                raise InputError(
                    f"{root / row['file']}: a generated record in a folder given as {config.release} {config.version}"
                )
            checks = questions(record, config)
            if row.get(NOTICE):
                check, _, detail = str(row[NOTICE]).partition(": ")
                checks.append((check, detail))
            if record.recorded is not None:
                seconds = record.recorded / config.signal.rate_hz
                checks.append(("filled-up", f"{seconds:.4g} of {config.signal.seconds:g} s recorded, the rest is 0 mV"))
            bad = [check for check, _ in checks if check in config.quality.quarantine]
            for check, detail in checks:
                report(row, check, detail, "quarantined" if bad else "flagged")
            if bad:
                continue
            writer.add(record)
            kept.append(at)
            digests.append(sample_digest(record))
        writer.close()
    table = rows.iloc[kept].assign(digest=pd.array(digests, dtype="str")).reset_index(drop=True)
    # What is stored has no fault, and what was told of it stands in the findings; a file's name is an id, too.
    table = table.drop(columns=[FAULT, NOTICE, *(["file"] if hidden else [])], errors="ignore")
    write_table(table, files["records"], key)
    written = pd.DataFrame([asdict(finding) for finding in findings], columns=FINDINGS)
    write_text(files["findings"], written.to_csv(index=False, lineterminator="\n"))
    made = {name: file_digest(path) for name, path in files.items() if name != "receipt"}
    write_json(files["receipt"], {"inputs": inputs, "records": len(kept), "sha256": made})
    out_of_store = sum(finding.action == "quarantined" for finding in findings)
    return f"{part.name}: {len(kept)} records stored, {out_of_store} findings quarantine, {len(findings)} in all"
