"""Standardise: one part of a release, read, checked and written as HDF5. A patient's part is a hash of the id."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from vitalbench.config.schema import DatasetBuild
from vitalbench.data.datasets import Record, UnreadableRecord, load
from vitalbench.data.quality import Finding, sample_checks
from vitalbench.errors import InputError
from vitalbench.files import atomic, write_text
from vitalbench.progress import say

FINDINGS = ["record_id", "patient_id", "check", "detail", "action"]


def part_of(patient_id: str, parts: int) -> int:
    """The part a patient's records go to: fixed by the id alone, so an added patient touches one part.

    >>> part_of("ptbxl/15709", 4) == part_of("ptbxl/15709", 4) < 4
    True
    """
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big") % parts


def part_rows(index: pd.DataFrame, name: str, part: int, parts: int) -> pd.DataFrame:
    """The rows of one part, ids namespaced as <dataset>/<id>."""
    spaced = index.assign(record_id=name + "/" + index["record_id"], patient_id=name + "/" + index["patient_id"])
    patients = {patient: part_of(patient, parts) for patient in spaced["patient_id"].unique()}
    return spaced[spaced["patient_id"].map(patients) == part].reset_index(drop=True)


def _dicts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _sample_digest(record: Record) -> str:
    return hashlib.sha256(np.ascontiguousarray(record.digital).tobytes()).hexdigest()[:16]


def standardise(name: str, config: DatasetBuild, release: dict[str, Any], root: Path, part: int, out: Path) -> None:
    """Write part number `part`: `out` (HDF5), and beside it the table of its records and what was found wrong.

    The file holds `signals` (records, leads, samples) int16 and `gain`, `baseline` (records, leads) float32, contiguous and
    uncompressed, so that a reader may map them; physical = (signal - baseline) / gain in millivolt.
    """
    module = load(config.module)
    rows = part_rows(module.read_index(root, config), name, part, config.parts)
    shape = (len(config.signal.leads), config.signal.samples)
    findings: list[Finding] = []
    kept: list[int] = []
    digests: list[str] = []

    def report(row: dict[str, Any], check: str, detail: str, action: str) -> None:
        findings.append(Finding(row["record_id"], row["patient_id"], check, detail, action))

    with atomic(out) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        # Sized for every row: quarantined ones leave room at the end, which `records` says is unused.
        signals = file.create_dataset("signals", (len(rows), *shape), dtype="<i2")
        gain = file.create_dataset("gain", (len(rows), shape[0]), dtype="<f4")
        baseline = file.create_dataset("baseline", (len(rows), shape[0]), dtype="<f4")
        for at, row in enumerate(_dicts(rows)):
            try:
                record: Record = module.read_record(root, row, config)
            except UnreadableRecord as problem:
                report(row, problem.check, str(problem), "quarantined")
                continue
            if record.generated and release["source"] != "generated":
                raise InputError(
                    f"{root / row['file']}: a generated record in a folder given as {config.release} {config.version}"
                )
            checks = sample_checks(record, config.signal, config.quality)
            bad = [check for check, _ in checks if check in config.quality.quarantine]
            for check, detail in checks:
                report(row, check, detail, "quarantined" if bad else "flagged")
            if bad:
                continue
            signals[len(kept)], gain[len(kept)], baseline[len(kept)] = record.digital, record.gain, record.baseline
            kept.append(at)
            digests.append(_sample_digest(record))
        file.attrs["records"] = len(kept)
    table = rows.iloc[kept].assign(digest=digests).reset_index(drop=True)
    with atomic(out.with_suffix(".parquet")) as temporary:
        table.to_parquet(temporary, index=False)
    written = pd.DataFrame([asdict(finding) for finding in findings], columns=FINDINGS)
    write_text(out.with_suffix(".findings.csv"), written.to_csv(index=False, lineterminator="\n"))
    out_of_store = sum(finding.action == "quarantined" for finding in findings)
    say(f"{name} part {part}: {len(kept)} records stored, {out_of_store} findings quarantine, {len(findings)} in all")
