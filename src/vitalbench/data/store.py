"""The store: a data set's parts joined by a virtual dataset, with a table of its records; and the reader that training uses."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.schema import DatasetBuild
from vitalbench.data.standardise import FINDINGS
from vitalbench.errors import InputError
from vitalbench.files import atomic, digest, write_json, write_text

MANIFEST_VERSION = 1


def join(config: DatasetBuild, release: dict[str, Any], parts: list[Path], out: Path) -> None:
    """Join parts to `out` (store.h5), with records.parquet, quality.csv and manifest.json beside it.

    Every row of the records table has `row`, its position in the store; parts stay where they are and are referred to.
    """
    tables: list[pd.DataFrame] = []
    counts: list[int] = []
    for path in parts:
        with h5py.File(path) as file:
            counts.append(int(file.attrs["records"]))
        table = pd.read_parquet(path.with_suffix(".parquet"))
        if len(table) != counts[-1]:
            raise InputError(
                f"{path}: holds {counts[-1]} records, its table {len(table)}; delete both to build the part again"
            )
        tables.append(table)
    records = pd.concat(tables, ignore_index=True)
    records.insert(2, "row", range(len(records)))
    if records.empty:
        raise InputError(
            f"{out.parent}: no record of {config.release} could be stored; see {out.parent / 'quality.csv'}"
        )
    leads, samples = len(config.signal.leads), config.signal.samples
    with atomic(out) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        for name, tail, kind in (
            ("signals", (leads, samples), "<i2"),
            ("gain", (leads,), "<f4"),
            ("baseline", (leads,), "<f4"),
        ):
            layout = h5py.VirtualLayout((len(records), *tail), dtype=kind)
            start = 0
            for path, count in zip(parts, counts, strict=True):
                if count:
                    with h5py.File(path) as part:
                        source = h5py.VirtualSource(
                            str(path.relative_to(out.parent)), name, part[name].shape, dtype=kind
                        )
                    layout[start : start + count] = source[:count]
                start += count
            file.create_virtual_dataset(name, layout)
        file.attrs.update(leads=config.signal.leads, rate_hz=config.signal.rate_hz, unit="mV")
    with atomic(out.with_name("records.parquet")) as temporary:
        records.to_parquet(temporary, index=False)
    findings = pd.concat(
        [pd.read_csv(path.with_suffix(".findings.csv"), dtype=str) for path in parts], ignore_index=True
    )
    repeated = records[records["digest"].duplicated(keep=False)].sort_values(["digest", "record_id"])
    first = repeated.groupby("digest")["record_id"].transform("first")
    duplicates = repeated.assign(check="duplicate", detail="same samples as " + first, action="flagged")[
        repeated["record_id"] != first
    ]
    findings = pd.concat([findings, duplicates[FINDINGS]], ignore_index=True)
    write_text(out.with_name("quality.csv"), findings.to_csv(index=False, lineterminator="\n"))
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "release": release,
        "records": len(records),
        "patients": int(records["patient_id"].nunique()),
        "parts": dict(zip((path.name for path in parts), counts, strict=True)),
        "content": digest(records[["record_id", "patient_id", "digest"]].sort_values("record_id").to_numpy().tolist()),
    }
    write_json(out.with_name("manifest.json"), manifest)


class Store:
    """Random access to a store's signals, in millivolt, with memory use independent of its size.

    Parts hold contiguous arrays, so they are mapped and batches are gathered from the mapping; the operating system keeps
    what is used often.
    """

    def __init__(self, path: Path) -> None:
        try:
            with h5py.File(path) as file:
                self.leads = [str(name) for name in file.attrs["leads"]]
                self.rate_hz = int(file.attrs["rate_hz"])
                self.records, _, self.samples = file["signals"].shape
                self._gain = file["gain"][:].astype(np.float32)
                self._baseline = file["baseline"][:].astype(np.float32)
                pieces = [
                    (piece.file_name, piece.vspace.get_select_bounds()) for piece in file["signals"].virtual_sources()
                ]
        except (OSError, KeyError) as error:
            raise InputError(f"{path}: not a store: {error}") from None
        self._starts = np.array(sorted(bounds[0][0] for _, bounds in pieces))
        ordered = sorted(pieces, key=lambda piece: piece[1][0][0])
        self._maps = [self._map(path.parent / name) for name, _ in ordered]

    @staticmethod
    def _map(path: Path) -> NDArray[np.int16]:
        with h5py.File(path) as file:
            signals = file["signals"]
            mapped = np.memmap(path, dtype="<i2", mode="r", offset=signals.id.get_offset(), shape=signals.shape)
        return np.asarray(mapped)  # a plain view: indexing numpy's memmap class costs more than the copy it does

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
        digital = np.empty((len(rows), len(self.leads), length), dtype=np.int16)
        part = np.searchsorted(self._starts, rows, side="right") - 1
        for at, (row, piece, first) in enumerate(zip(rows.tolist(), part.tolist(), starts.tolist(), strict=True)):
            digital[at] = self._maps[piece][row - self._starts[piece], :, first : first + length]
        physical = digital.astype(np.float32)
        baseline = self._baseline[rows]
        if baseline.any():
            physical -= baseline[:, :, None]
        physical /= self._gain[rows][:, :, None]
        return physical
