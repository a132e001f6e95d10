"""WFDB records: read with the library of the field, every declared property checked; written for stand-ins."""

from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from vitalbench.config.schema import Signal
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.files import write_text

WATERMARK = "vitalbench stand-in: generated, not a recording of a person"


# What the library raises on damaged input; anything else is a defect and should be seen as one.
_DAMAGE = (ValueError, IndexError, KeyError, TypeError, AttributeError, OSError, OverflowError)


def _parse(path: Path) -> Any:
    try:
        return wfdb.rdrecord(str(path), physical=False)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
    try:
        wfdb.rdheader(str(path))
    except _DAMAGE as error:
        raise UnreadableRecord(
            "bad-header", f"{path.name}.hea: {' '.join(str(error).split())[:120] or type(error).__name__}"
        ) from None
    raise UnreadableRecord("short-file", f"{path.name}.dat: {reason}")


def read_wfdb(path: Path, signal: Signal) -> Record:
    """Read one record and hold it against its own header and the data set's declared shape.

    Args:
        path: without extension.
        signal: the leads (in this order), rate and duration that every record of the data set has.

    Raises:
        UnreadableRecord: a file is missing, short or damaged; the checksum, rate, leads or length differ.
    """
    for extension in (".hea", ".dat"):
        if not path.with_suffix(extension).is_file():
            raise UnreadableRecord("missing-file", f"{path.name}{extension} is not there")
    record = _parse(path)
    if any("/" in str(name) or "\\" in str(name) for name in record.file_name):
        raise UnreadableRecord("bad-header", f"{path.name}.hea names a file outside its own folder")
    names = [str(name).upper() for name in record.sig_name or []]
    wanted = [name.upper() for name in signal.leads]
    if sorted(names) != sorted(wanted):
        raise UnreadableRecord("wrong-leads", f"leads {' '.join(names) or 'none'}, not {' '.join(wanted)}")
    if record.fs != signal.rate_hz:
        raise UnreadableRecord("wrong-rate", f"{record.fs} Hz, not {signal.rate_hz}")
    if any(str(unit).lower() != "mv" for unit in record.units):
        raise UnreadableRecord("wrong-unit", f"units {' '.join(sorted(set(map(str, record.units))))}, not mV")
    if record.d_signal.shape[0] != signal.samples:
        raise UnreadableRecord("wrong-length", f"{record.d_signal.shape[0]} samples, not {signal.samples}")
    declared = [int(value) % 65536 for value in record.checksum]
    if declared != [value % 65536 for value in record.calc_checksum()]:
        raise UnreadableRecord("bad-checksum", f"{path.name}.dat does not match the checksums of its header")
    if record.d_signal.min() < -32768 or record.d_signal.max() > 32767:
        raise UnreadableRecord("wrong-range", "samples exceed 16 bits")
    order = [names.index(name) for name in wanted]
    return Record(
        digital=np.ascontiguousarray(record.d_signal.T[order].astype(np.int16)),
        gain=np.array(record.adc_gain, dtype=np.float32)[order],
        baseline=np.array(record.baseline, dtype=np.float32)[order],
        generated=any(WATERMARK in comment for comment in record.comments),
    )


def write_wfdb(path: Path, digital: NDArray[np.int16], leads: tuple[str, ...], rate_hz: int, gain: int) -> None:
    """Write one generated record in WFDB format 16 with the stand-in's watermark in its header.

    Args:
        path: without extension; the folder exists.
        digital: (leads, samples).
        leads: their names.
        rate_hz: samples a second.
        gain: units a millivolt.
    """
    checksums = digital.astype(np.int64).sum(axis=1) % 65536
    lines = [f"{path.name} {len(leads)} {rate_hz} {digital.shape[1]}"]
    lines += [
        f"{path.name}.dat 16 {gain}.0(0)/mV 16 0 {first} {checksum} 0 {lead}"
        for lead, first, checksum in zip(leads, digital[:, 0], checksums, strict=True)
    ]
    path.with_suffix(".dat").write_bytes(np.ascontiguousarray(digital.T, dtype="<i2").tobytes())
    path.with_suffix(".hea").write_text("\n".join([*lines, f"# {WATERMARK}"]) + "\n", encoding="ascii")


def mark_folder(root: Path) -> None:
    """Say in a file what the folder holds, for the person who finds it."""
    write_text(
        root / "STAND-IN.txt",
        f"{WATERMARK}.\nWritten in a release's own layout, so that its reader can be run without it.\n",
    )
