"""WFDB records: every declared property checked as they are read; written for stand-ins."""

import os
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.dataset import Harmonise, Signal
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.harmonise import hold_shape, to_shape
from vitalbench.data.header_lines import hold_name
from vitalbench.data.sample_file import hold_size, hold_values, size_within
from vitalbench.data.wfdb_formats import MARK, MARKS, Recording, ShortFile, read_header, read_samples
from vitalbench.data.wfdb_library import read_by_library, reason, refuse_outside
from vitalbench.files import write_text

WATERMARK = "vitalbench stand-in: generated, not a recording of a person"

# The header of a matrix in a MATLAB file of level 4: kind, rows, columns, whether imaginary, length of the name, the name.
_MATLAB, _MATLAB_INT16, _MATLAB_NAME = struct.Struct("<5i4s"), 30, b"val\0"
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


def _leads_of(record: Recording, leads: Sequence[str], more_leads: bool) -> list[int]:
    """Where the leads of a data set stand in a record: found by their names, which no position tells."""
    names, wanted = [name.upper() for name in record.leads], [name.upper() for name in leads]
    missing = [name for name in wanted if names.count(name) != 1]
    if missing or not (more_leads or len(names) == len(wanted)):
        raise UnreadableRecord("wrong-leads", f"leads {' '.join(names) or 'none'}, not {' '.join(wanted)}")
    return [names.index(name) for name in wanted]


def _record(path: Path, record: Recording, leads: list[int], uncalibrated_gain: float | None) -> Record:
    """Some leads of a recording as they are stored, held against what samples and amplifiers can be."""
    digital = record.digital[leads]
    gains = [record.gain[lead] or uncalibrated_gain or 0.0 for lead in leads]
    baselines = [record.baseline[lead] for lead in leads]
    if digital.dtype != np.int16 and (digital.min() < -32768 or digital.max() > 32767):
        raise UnreadableRecord("wrong-range", "samples exceed 16 bits")
    uncalibrated = [record.leads[lead] for lead, gain in zip(leads, gains, strict=True) if not gain]
    if uncalibrated:
        raise UnreadableRecord(
            "wrong-unit", f"lead {' '.join(uncalibrated)}: not calibrated, its gain is 0 or left out"
        )
    smallest, largest = _GAINS
    if not all(smallest <= abs(gain) <= largest for gain in gains) or any(
        abs(value) > _LARGEST_BASELINE for value in baselines
    ):
        raise UnreadableRecord("bad-header", f"{path.name}.hea: a gain or baseline that no amplifier has")
    samples = np.ascontiguousarray(digital, dtype=np.int16)
    if record.mark != MARK:
        samples = np.where(samples == record.mark, np.int16(MARK), samples)
    return Record(
        digital=samples,
        gain=np.array(gains, dtype=np.float32),
        baseline=np.array(baselines, dtype=np.float32),
        generated=any(WATERMARK in comment for comment in record.comments),
    )


def read_whole(
    path: Path, wanted: Sequence[str], root: Path | None = None, harmonise: Harmonise | None = None
) -> tuple[Record, float]:
    """Read a recording of any rate and length, held against its own header.

    Args:
        path: without extension.
        wanted: the leads that are taken, by their names and in this order.
        root: the release's folder, out of which no link is followed; the record's own by default.
        harmonise: whether it may have others, and what gain stands for an uncalibrated one.

    Returns:
        The recording, and its samples a second.

    Raises:
        UnreadableRecord: a file is missing, short, long, damaged or elsewhere; the checksum, leads, unit or gain are wrong.
    """
    recording = read_recording(path, root)
    leads = _leads_of(recording, wanted, bool(harmonise and harmonise.more_leads))
    units = {recording.units[lead] for lead in leads}
    if any(unit.lower() != "mv" for unit in units):
        raise UnreadableRecord("wrong-unit", f"units {' '.join(sorted(units))}, not mV")
    sums = recording.digital.sum(axis=1, dtype=np.int64) % 65536
    if [value % 65536 for value in recording.checksum] != sums.tolist():
        raise UnreadableRecord("bad-checksum", f"{path.name}: the samples do not match the checksums of their header")
    return _record(path, recording, leads, harmonise.uncalibrated_gain if harmonise else None), recording.rate_hz


def read_wfdb(path: Path, signal: Signal, root: Path | None = None, harmonise: Harmonise | None = None) -> Record:
    """Read one record and hold it against its own header and the data set's declared shape.

    Args:
        path: without extension.
        signal: the leads (in this order), rate and duration that every record of the data set has.
        root: the release's folder, out of which no link is followed; the record's own by default.
        harmonise: which other shapes are brought to that one; by default none is.

    Raises:
        UnreadableRecord: a file is missing, short, long, damaged or elsewhere; the checksum, rate, leads or length differ.
    """
    record, rate_hz = read_whole(path, signal.leads, root, harmonise)
    hold_shape(rate_hz, record.digital.shape[1], signal, harmonise)
    turned = tuple(np.flatnonzero(record.gain < 0).tolist())
    return replace(to_shape(record, rate_hz, signal), turned=turned)


def write_wfdb(
    path: Path,
    digital: NDArray[np.int16],
    leads: tuple[str, ...],
    rate_hz: int,
    gain: int,
    comments: tuple[str, ...] = (),
    matlab: bool = False,
) -> None:
    """Write one generated record in WFDB format 16 with the stand-in's watermark in its header.

    Args:
        path: without extension; the folder exists.
        digital: (leads, samples).
        leads: their names.
        rate_hz: samples a second.
        gain: units a millivolt.
        comments: lines of the header behind its signals, before the watermark.
        matlab: the samples go into a `.mat` of MATLAB's level 4, as the PhysioNet Challenges have them.
    """
    checksums = digital.astype(np.int64).sum(axis=1) % 65536
    lines = [f"{path.name} {len(leads)} {rate_hz} {digital.shape[1]}"]
    file, form = (f"{path.name}.mat", f"16x1+{_MATLAB.size}") if matlab else (f"{path.name}.dat", "16")
    lines += [
        f"{file} {form} {gain}.0(0)/mV 16 0 {first} {checksum} 0 {lead}"
        for lead, first, checksum in zip(leads, digital[:, 0], checksums, strict=True)
    ]
    head = _MATLAB.pack(_MATLAB_INT16, *digital.shape, 0, len(_MATLAB_NAME), _MATLAB_NAME) if matlab else b""
    path.with_name(file).write_bytes(head + np.ascontiguousarray(digital.T, dtype="<i2").tobytes())
    said = [f"# {comment}" for comment in (*comments, WATERMARK)]
    path.with_suffix(".hea").write_text("\n".join([*lines, *said]) + "\n", encoding="ascii")


def mark_folder(root: Path) -> None:
    """Say in a file what the folder holds, for the person who finds it."""
    write_text(
        root / "STAND-IN.txt",
        f"{WATERMARK}.\nWritten in a release's own layout, so that its reader can be run without it.\n",
    )
