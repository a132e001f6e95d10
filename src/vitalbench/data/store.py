"""The store: a data set's parts joined by a virtual dataset, with a table of its records; and the reader that training uses."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.part import PartSignals
from vitalbench.data.standardise import FINDINGS, part_files, store_key
from vitalbench.data.table_file import read_table, write_table
from vitalbench.data.versions import keep, version_of
from vitalbench.errors import InputError
from vitalbench.files import atomic, digest, read_json, write_json, write_text
from vitalbench.privacy.access_log import note
from vitalbench.privacy.vault import ROW_OVERHEAD

MANIFEST_VERSION = 2


def _read_part(part: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A part's records and its receipt, held against each other."""
    files = part_files(part)
    receipt = read_json(files["receipt"])
    try:
        table = read_table(files["records"])
        with h5py.File(part) as file:
            stored = int(file.attrs["records"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{part}: damaged ({error}); delete it to build the part again") from None
    if len({len(table), stored, receipt["records"]}) > 1:
        raise InputError(
            f"{part}: holds {stored} records, its table {len(table)}, its receipt {receipt['records']}; "
            "delete them to build the part again"
        )
    return table, receipt


def _join_signals(config: DatasetBuild, parts: list[Path], counts: list[int], out: Path) -> None:
    leads = len(config.signal.leads)
    sealed = ("sealed", (2 * leads * config.signal.samples + ROW_OVERHEAD,), "u1")
    arrays = (
        sealed if config.encrypt else ("signals", (leads, config.signal.samples), "<i2"),
        ("gain", (leads,), "<f4"),
        ("baseline", (leads,), "<f4"),
    )
    with atomic(out) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        for name, tail, kind in arrays:
            layout = h5py.VirtualLayout((sum(counts), *tail), dtype=kind)
            start = 0
            for path, count in zip(parts, counts, strict=True):
                if count:
                    with h5py.File(path) as part:
                        shape = part[name].shape
                    source = h5py.VirtualSource(str(path.relative_to(out.parent)), name, shape, dtype=kind)
                    layout[start : start + count] = source[:count]
                start += count
            file.create_virtual_dataset(name, layout)
        signal = config.signal
        file.attrs.update(leads=signal.leads, rate_hz=signal.rate_hz, samples=signal.samples, unit="mV")


def _duplicates(records: pd.DataFrame) -> pd.DataFrame:
    """A finding for every record whose samples another has too."""
    repeated = records[records["digest"].duplicated(keep=False)].sort_values(["digest", "record_id"])
    first = repeated.groupby("digest")["record_id"].transform("first")
    told = repeated.assign(check="duplicate", detail="same samples as " + first, action="flagged")
    return told[repeated["record_id"] != first][FINDINGS]


def _content(records: pd.DataFrame, store: Path) -> str:
    """The hash of what training can depend on: every record's samples, calibration, labels and covariates, in no order of parts."""
    with h5py.File(store) as file:
        calibration = np.concatenate([file["gain"][:], file["baseline"][:]], axis=1)
    order = np.argsort(records["record_id"].to_numpy().astype(str), kind="stable")
    table = records.drop(columns="row").iloc[order].to_json(orient="split", index=False, double_precision=15)
    return digest({"records": table, "calibration": calibration[order].tolist()})


def join(config: DatasetBuild, release: dict[str, Any], parts: list[Path], out: Path) -> None:
    """Join parts to `out` (store.h5), with records.parquet, quality.csv and manifest.json beside it.

    Every row of the records table has `row`, its position in the store; parts stay where they are and are referred to. The build
    is also kept as a version (data/versions.py).
    """
    found = [_read_part(path) for path in parts]
    counts = [len(table) for table, _ in found]
    records = pd.concat([table for table, _ in found], ignore_index=True)
    records.insert(2, "row", range(len(records)))
    if records.empty:
        raise InputError(
            f"{out.parent}: no record of {config.release} could be stored; see {part_files(parts[0])['findings']}"
        )
    _join_signals(config, parts, counts, out)
    note(out.parent, "joining the store", len(records))
    write_table(records, out.with_name("records.parquet"), store_key(config))
    findings = [pd.read_csv(part_files(path)["findings"], dtype=str) for path in parts]
    quality = pd.concat([*findings, _duplicates(records)], ignore_index=True)
    write_text(out.with_name("quality.csv"), quality.to_csv(index=False, lineterminator="\n"))
    made = {path.name: receipt["sha256"] for path, (_, receipt) in zip(parts, found, strict=True)}
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "version": version_of(made),
        "release": release,
        "config": config.model_dump(),
        "records": len(records),
        "patients": int(records["patient_id"].nunique()),
        "parts": {
            path.name: {"records": count, "sha256": made[path.name]} for path, count in zip(parts, counts, strict=True)
        },
        "content": _content(records, out),
    }
    keep(manifest, parts, out.parent / "versions")
    write_json(out.with_name("manifest.json"), manifest)


def read_records(store: Path) -> pd.DataFrame:
    """The table of a store's records.

    Raises:
        InputError: it is not beside the store, or damaged.
    """
    path = store.with_name("records.parquet")
    try:
        records = read_table(path)
    except FileNotFoundError:
        raise InputError(f"{store}: its table of records {path.name} is not beside it") from None
    note(store.parent, "table of records", len(records))
    return records


class Store:
    """Random access to a store's signals, in millivolt, with memory use independent of its size.

    Parts without a codec are mapped and batches gathered from the mapping; the operating system keeps what is used often.
    """

    def __init__(self, path: Path) -> None:
        try:
            with h5py.File(path) as file:
                self.leads = [str(name) for name in file.attrs["leads"]]
                self.rate_hz = int(file.attrs["rate_hz"])
                signals = file["sealed" if "sealed" in file else "signals"]
                self.records = len(signals)
                self.samples = int(file.attrs["samples"])
                self._gain = file["gain"][:].astype(np.float32)
                self._baseline = file["baseline"][:].astype(np.float32)
                pieces = [
                    (piece.vspace.get_select_bounds()[0][0], path.parent / piece.file_name)
                    for piece in signals.virtual_sources()
                ]
        except (OSError, KeyError) as error:
            raise InputError(f"{path}: not a store: {error}") from None
        note(path.parent, "signals", self.records)
        pieces.sort()
        self._starts = np.array([start for start, _ in pieces])
        self._parts = [PartSignals(part) for _, part in pieces]

    def read(
        self, rows: NDArray[np.intp], start: int | NDArray[np.intp] = 0, length: int | None = None
    ) -> NDArray[np.float32]:
        """Read records, or one crop of each.

        Args:
            rows: positions in the store.
            start: first sample, one for all or one a record.
            length: samples to read; all by default.

        Returns:
            (records, leads, length) in millivolt.
        """
        length = self.samples if length is None else length
        starts = np.broadcast_to(start, rows.shape)
        physical = np.empty((len(rows), len(self.leads), length), dtype=np.float32)
        begins = self._starts.tolist()
        part = np.searchsorted(self._starts, rows, side="right") - 1
        for at, (row, piece, first) in enumerate(zip(rows.tolist(), part.tolist(), starts.tolist(), strict=True)):
            physical[at] = self._parts[piece].record(row - begins[piece])[:, first : first + length]
        baseline = self._baseline[rows]
        if baseline.any():
            physical -= baseline[:, :, None]
        physical /= self._gain[rows][:, :, None]
        return physical
