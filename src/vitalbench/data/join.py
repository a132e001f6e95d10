"""Join: a data set's parts made one store, a part at a time, so that memory does not grow with their records.

What is kept of a record while others are read is a few dozen bytes: hashes of its samples, its patient and its row.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.held_parts import Parts, hold
from vitalbench.data.origins import ORIGIN, ranks
from vitalbench.data.part import HDF5_FORMAT, sealed_bytes
from vitalbench.data.quarantine import hold_quarantined, write_findings
from vitalbench.data.standardise import FINDINGS, part_files, store_key
from vitalbench.data.table_file import write_parquet
from vitalbench.data.versions import keep, version_of
from vitalbench.errors import InputError
from vitalbench.files import atomic, file_digest, read_json, write_json
from vitalbench.privacy.access_log import note
from vitalbench.privacy.vault import SealedWriter

MANIFEST_VERSION = 3
_ROW = 2  # where the column `row` stands in the table of records
_SHOWN = 16  # hex digits of the content's hash, as of all hashes that configurations and receipts show


def _join_signals(config: DatasetBuild, parts: Parts, out: Path, folder: Path) -> None:
    """Write the virtual dataset to `out`; it names the parts as they are found from `folder`, where it goes in the end."""
    shape = config.shape
    leads = len(shape.names)
    whole = (leads, *shape.space)
    sealed = ("sealed", (sealed_bytes(whole, shape.dtype),), "u1")
    arrays = (
        sealed if config.encrypt else (shape.array, whole, shape.dtype),
        ("gain", (leads,), "<f4"),
        ("baseline", (leads,), "<f4"),
    )
    with h5py.File(out, "w", libver=HDF5_FORMAT) as file:
        for name, tail, kind in arrays:
            layout = h5py.VirtualLayout((parts.records, *tail), dtype=kind)
            layout.dcpl.set_obj_track_times(False)  # h5py leaves a virtual dataset the time it was made
            start = 0
            for path, count in zip(parts.paths, parts.counts, strict=True):
                if count:
                    with h5py.File(path) as part:
                        there = part[name].shape
                    source = h5py.VirtualSource(str(path.relative_to(folder)), name, there, dtype=kind)
                    layout[start : start + count] = source[:count]
                start += count
            file.create_virtual_dataset(name, layout)
        file.attrs.update(shape.attributes)


def _write_records(parts: Parts, path: Path, config: DatasetBuild) -> None:
    """Write the table of records, a row group a part; `row` is a record's position in the store."""
    schema = parts.schema.insert(_ROW, pa.field("row", pa.int64()))

    def write(target: IO[bytes] | SealedWriter) -> None:
        start = 0
        with pq.ParquetWriter(target, schema) as writer:
            for table in parts.tables():
                table.insert(_ROW, "row", range(start, start + len(table)))
                start += len(table)
                writer.write_table(pa.Table.from_pandas(table, schema, preserve_index=False))

    write_parquet(path, store_key(config), write)


def _content(parts: Parts) -> str:
    """The hash of what training can depend on: every record's samples, calibration, labels and covariates, in no order of parts."""
    hashes = np.empty(parts.records, dtype=f"V{hashlib.sha256().digest_size}")
    at = 0
    for path, table in zip(parts.paths, parts.tables(), strict=True):
        with h5py.File(path) as file:
            calibration = np.concatenate([file["gain"][: len(table)], file["baseline"][: len(table)]], axis=1)
        text = table.to_json(orient="records", lines=True, double_precision=15)
        lines = text.splitlines() if len(table) else []
        for line, numbers in zip(lines, calibration.astype("<f4"), strict=True):
            hashes[at] = hashlib.sha256(line.encode() + numbers.tobytes()).digest()
            at += 1
    return hashlib.sha256(b"".join(sorted(hashes.tolist()))).hexdigest()[:_SHOWN]


@dataclass(frozen=True)
class _Counted:
    """Of records with the same samples, the one that counts: of the source that comes first, the first by its id."""

    rank: int
    record_id: str
    labels: dict[str, list[str]]


def _label_sets(row: dict[Any, Any]) -> dict[str, list[str]]:
    return {
        name.removeprefix("labels:"): sorted(map(str, value))
        for name, value in row.items()
        if name.startswith("labels:") and value is not None
    }


def _other_labels(counted: dict[str, list[str]], own: dict[str, list[str]]) -> str:
    """What two records with the same samples are said to show, where that differs: of the label set that tells most apart."""
    differ = [name for name in own if own[name] != counted.get(name, own[name])]
    if not differ:
        return ""
    name = max(differ, key=lambda labels: len({*own[labels]} ^ {*counted[labels]}))
    there, here = (" ".join(labels) or "none" for labels in (counted[name], own[name]))
    return f", with other labels: {name} {there} there, {here} here"


def _duplicates(parts: Parts) -> Iterator[pd.DataFrame]:
    """For each part a finding for every record whose samples another has too, but for the one of them that counts."""
    digests, times = np.unique(parts.digests, return_counts=True)
    repeated = digests[times > 1]
    if not len(repeated):
        return
    known: dict[str, int] = {}
    first: dict[str, _Counted] = {}
    for table in parts.tables():
        ranks(table[ORIGIN].unique() if ORIGIN in table.columns else [""], known)
        for row in table[np.isin(table["digest"].to_numpy().astype(bytes), repeated)].to_dict("records"):
            found = _Counted(known[row.get(ORIGIN, "")], row["record_id"], _label_sets(row))
            before = first.setdefault(row["digest"], found)
            if (found.rank, found.record_id) < (before.rank, before.record_id):
                first[row["digest"]] = found
    for table in parts.tables():
        rows = table[table["digest"].isin(first.keys())].to_dict("records")
        again = [(row, first[row["digest"]]) for row in rows if row["record_id"] != first[row["digest"]].record_id]
        told = pd.DataFrame([row for row, _ in again], columns=table.columns).assign(
            check="duplicate",
            detail=[f"same samples as {of.record_id}{_other_labels(of.labels, _label_sets(row))}" for row, of in again],
            action="flagged",
        )
        yield told[FINDINGS]


def _write_findings(parts: Parts, path: Path) -> None:
    """Write the table of findings: what was found of each part's records, then which are copies of others."""
    with path.open("w", encoding="utf-8", newline="") as target:
        write_findings([part_files(part)["findings"] for part in parts.paths], target)
        for table in _duplicates(parts):
            table.to_csv(target, header=False, index=False, lineterminator="\n")


def join(config: DatasetBuild, release: dict[str, Any], paths: list[Path], out: Path) -> None:
    """Join parts to `out` (store.h5), with records.parquet, quality.csv and manifest.json beside it.

    Every row of the records table has `row`, its position in the store; parts stay where they are and are referred to. The build
    is also kept as a version (data/versions.py), before any file of an earlier one is replaced; the manifest, last, says that all
    are.

    Args:
        release: what release.json says.
        paths: the parts' HDF5 files.

    Raises:
        InputError: a part is other than it was made, or no record can be stored.
        GateError: more records are quarantined than the data set allows. What was there before stays.
    """
    parts = hold(paths)
    findings = [part_files(path)["findings"] for path in paths]
    hold_quarantined(findings, parts.records, config.quality.max_quarantined, out.parent)
    if not parts.records:
        raise InputError(f"{out.parent}: no record of {config.release} could be stored; see {findings[0]}")
    note(out.parent, "joining the store", parts.records, encrypted=config.encrypt)
    sha256 = {path.name: made.sha256 for path, made in zip(paths, parts.made, strict=True)}
    with (
        atomic(out) as joined,
        atomic(out.with_name("quality.csv")) as found,
    ):  # of a step that fails, no file is replaced
        _join_signals(config, parts, joined, out.parent)
        manifest = {
            "manifest_version": MANIFEST_VERSION,
            "version": version_of(sha256),
            "release": release,
            "config": config.model_dump(include=set(DatasetBuild.model_fields)),
            "records": parts.records,
            "patients": parts.patients,
            "parts": {
                path.name: {"records": made.records, "sha256": made.sha256}
                for path, made in zip(paths, parts.made, strict=True)
            },
            "content": _content(parts),
        }
        keep(manifest, paths, out.parent / "versions")
        _write_findings(parts, found)
        _write_records(parts, out.with_name("records.parquet"), config)
    written = {name: file_digest(out.with_name(name)) for name in (out.name, "records.parquet", "quality.csv")}
    write_json(out.with_name("manifest.json"), manifest | {"files": written})


def hold_joined(store: Path) -> None:
    """Hold a store's own files against what its manifest says was written.

    Raises:
        InputError: one is missing, or other than when the store was joined.
    """
    again = f"`vitalbench store --data {store.parent}` makes it again"
    manifest = store.with_name("manifest.json")
    try:
        written = {name: str(sha256) for name, sha256 in read_json(manifest)["files"].items()}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{manifest}: damaged; {again}") from None
    for name, stated in written.items():
        path = store.with_name(name)
        if not path.is_file() or file_digest(path) != stated:
            raise InputError(f"{path}: missing, or other than when the store was joined; {again}")
