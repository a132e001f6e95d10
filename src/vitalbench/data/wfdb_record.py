"""WFDB records: every declared property checked as they are read; written for stand-ins."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.dataset import Signal
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.header_lines import hold_name
from vitalbench.data.sample_file import hold_size, hold_values, size_within
from vitalbench.data.wfdb_formats import MARK, MARKS, Recording, ShortFile, read_header, read_samples
from vitalbench.data.wfdb_library import read_by_library, reason, refuse_outside
from vitalbench.files import write_text

WATERMARK = "vitalbench stand-in: generated, not a recording of a person"


# Units a millivolt and the unit of 0 mV beyond which a header is wrong, whatever the amplifier.
_GAINS = (1e-3, 1e9)
_LARGEST_BASELINE = 2**31


def read_recording(path: Path, root: Path | None = None) -> Recording:
    """Read one record as its files state it, by the fast reader where it can and else by the library.

    Args:
        path: without extension.
        root: the release's folder, out of which no link is followed; the record's own by default.

    Raises:
        UnreadableRecord: a file is missing, short, long or damaged, or leads elsewhere.
    """
    root = path.parent if root is None else root
    at = os.fspath(path)  # names as texts: paths of objects cost as much as the samples of a short record
    try:
        size_within(f"{at}.hea", root)
        header = read_header(f"{at}.hea")
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{path.name}.hea is not there") from None
    except OSError as error:
        raise UnreadableRecord("bad-header", f"{path.name}.hea: {reason(error)}") from None
    if header is None:
        return read_by_library(path, root)
    hold_name(path, header.name)
    refuse_outside(path, [header.file])
    stored = at.removesuffix(path.name) + header.file
    try:
        values = header.samples * len(header.leads)
        hold_size(header.file, size_within(stored, root), str(header.bits), values, header.offset)
        hold_values(path, values)
        digital = read_samples(stored, header)
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{header.file} is not there") from None
    except ShortFile as error:
        raise UnreadableRecord("short-file", f"{header.file}: {reason(error)}") from None
    except (OSError, ValueError) as error:
        raise UnreadableRecord("bad-file", f"{header.file}: {reason(error)}") from None
    return Recording(
        header.rate_hz,
        header.leads,
        header.units,
        header.gain,
        header.baseline,
        header.checksum,
        header.comments,
        digital,
        MARKS.get(str(header.bits), MARK),
    )


def read_wfdb(path: Path, signal: Signal, root: Path | None = None) -> Record:
    """Read one record and hold it against its own header and the data set's declared shape.

    Args:
        path: without extension.
        signal: the leads (in this order), rate and duration that every record of the data set has.
        root: the release's folder, out of which no link is followed; the record's own by default.

    Raises:
        UnreadableRecord: a file is missing, short, long, damaged or elsewhere; the checksum, rate, leads or length differ.
    """
    record = read_recording(path, root)
    names = [name.upper() for name in record.leads]
    wanted = [name.upper() for name in signal.leads]
    if sorted(names) != sorted(wanted):
        raise UnreadableRecord("wrong-leads", f"leads {' '.join(names) or 'none'}, not {' '.join(wanted)}")
    if record.rate_hz != signal.rate_hz:
        raise UnreadableRecord("wrong-rate", f"{record.rate_hz:.10g} Hz, not {signal.rate_hz}")
    if any(unit.lower() != "mv" for unit in record.units):
        raise UnreadableRecord("wrong-unit", f"units {' '.join(sorted(set(record.units)))}, not mV")
    if record.digital.shape[1] != signal.samples:
        raise UnreadableRecord("wrong-length", f"{record.digital.shape[1]} samples, not {signal.samples}")
    sums = record.digital.sum(axis=1, dtype=np.int64) % 65536
    if [value % 65536 for value in record.checksum] != sums.tolist():
        raise UnreadableRecord("bad-checksum", f"{path.name}: the samples do not match the checksums of their header")
    if record.digital.dtype != np.int16 and (record.digital.min() < -32768 or record.digital.max() > 32767):
        raise UnreadableRecord("wrong-range", "samples exceed 16 bits")
    uncalibrated = [name for name, gain in zip(record.leads, record.gain, strict=True) if not gain]
    if uncalibrated:
        raise UnreadableRecord(
            "wrong-unit", f"lead {' '.join(uncalibrated)}: not calibrated, its gain is 0 or left out"
        )
    smallest, largest = _GAINS
    if not all(smallest <= abs(gain) <= largest for gain in record.gain) or any(
        abs(value) > _LARGEST_BASELINE for value in record.baseline
    ):
        raise UnreadableRecord("bad-header", f"{path.name}.hea: a gain or baseline that no amplifier has")
    order = [names.index(name) for name in wanted]
    digital = np.ascontiguousarray(record.digital[order], dtype=np.int16)
    if record.mark != MARK:
        digital = np.where(digital == record.mark, np.int16(MARK), digital)
    return Record(
        digital=digital,
        gain=np.array(record.gain, dtype=np.float32)[order],
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
