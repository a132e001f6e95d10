"""WFDB records that the fast reader leaves to the field's library: other formats, several files or segments, skew, mixed rates.

The library joins segments, averages the samples of a frame and moves skewed leads; after that no checksum of a header can be held
against the result. So each file is held first: where it lies, its length, its own checksums.
"""

from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from vitalbench.data.datasets import UnreadableRecord
from vitalbench.data.header_lines import hold_lines
from vitalbench.data.sample_file import COMPRESSED, FORMATS, hold_size, hold_values, size_within
from vitalbench.data.wfdb_formats import MARK, MARKS, Recording

_GAP = "~"  # a segment, or a file of the layout's leads, that is not there
_CALIBRATION = ("sig_name", "units", "adc_gain", "baseline", "fmt", "samps_per_frame")


def reason(error: Exception) -> str:
    """An error of another library in one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def refuse_outside(path: Path, files: list[str]) -> None:
    """Refuse a header that names files anywhere but beside itself."""
    if any("/" in name or "\\" in name or name in (".", "..") for name in files):
        raise UnreadableRecord("bad-header", f"{path.name}.hea names a file outside its own folder")


def _header(path: Path, root: Path) -> Any:
    """A header as the library understands it; `uncalibrated` names the signals to which it gives a gain of its own."""
    described = path.with_name(path.name + ".hea")
    try:
        size_within(described, root)
        uncalibrated = hold_lines(path, described.read_text(encoding="utf-8", errors="replace"))
        header = wfdb.rdheader(str(path))
    except FileNotFoundError:
        raise UnreadableRecord("missing-file", f"{described.name} is not there") from None
    except UnreadableRecord:
        raise
    except Exception as error:  # noqa: BLE001 - on damaged files the library raises what comes, down to bare Exception
        raise UnreadableRecord("bad-header", f"{described.name}: {reason(error)}") from None
    header.uncalibrated = uncalibrated
    return header


def _segments(path: Path, header: Any, root: Path) -> dict[Path, Any]:
    """The header of every segment that has samples, held against the record's own."""

    def bad(what: str) -> UnreadableRecord:
        return UnreadableRecord("bad-header", f"{path.name}.hea: {what}")

    names, lengths = list(header.seg_name), list(header.seg_len)
    refuse_outside(path, names)
    if header.n_seg != len(names) or sum(lengths) != header.sig_len:
        raise bad(f"says {header.sig_len} samples, its segments {sum(lengths)}")
    found: dict[Path, Any] = {}
    for name, length in zip(names, lengths, strict=True):
        if name == _GAP:
            continue
        at = path.with_name(name)
        segment = _header(at, root)
        if isinstance(segment, wfdb.MultiRecord):
            raise bad(f"segment {name} is of segments, too")
        if segment.fs != header.fs:
            raise bad(f"segment {name} is at {segment.fs:g} Hz, the record at {header.fs:g}")
        if segment.sig_len != length:
            raise bad(f"segment {name} has {length} samples, its own header says {segment.sig_len}")
        if length:
            found[at] = segment
    first = next(iter(found), path)
    for at, segment in found.items() if header.layout == "fixed" else ():
        if any(getattr(segment, field) != getattr(found[first], field) for field in _CALIBRATION):
            other = f"{at.name}: another gain, baseline, unit or lead than {first.name}"
            raise UnreadableRecord("unsupported-format", other)
    return found


def _hold_files(path: Path, header: Any, root: Path) -> None:
    """Every sample file that a header names: there, in the release, in a known format, as long as it must be."""
    files = [str(name) for name in header.file_name or []]
    if not files:
        raise UnreadableRecord("bad-header", f"{path.name}.hea: names no sample file")
    refuse_outside(path, files)
    for name in dict.fromkeys(files):
        leads = [lead for lead, file in enumerate(files) if file == name]
        form = str(header.fmt[leads[0]])
        if form not in FORMATS or any(str(header.fmt[lead]) != form for lead in leads):
            raise UnreadableRecord("unsupported-format", f"{name}: format {form}")
        try:
            size = size_within(path.with_name(name), root)
        except FileNotFoundError:
            raise UnreadableRecord("missing-file", f"{name} is not there") from None
        except (OSError, ValueError) as error:
            raise UnreadableRecord("bad-file", f"{name}: {reason(error)}") from None
        if header.sig_len is None:
            if form in COMPRESSED:
                raise UnreadableRecord("unsupported-format", f"{name}: format {form} of a length that is not stated")
            hold_values(path, size // 2)  # what the library takes the length from
        else:
            frame = sum(header.samps_per_frame[lead] or 1 for lead in leads)
            hold_size(name, size, form, frame * header.sig_len, header.byte_offset[leads[0]] or 0)


def _hold_samples(path: Path, record: Any, signals: list[NDArray[np.integer]]) -> None:
    if None in record.checksum:
        raise UnreadableRecord("no-checksum", f"{path.name}.hea: states no checksum of its samples")
    sums = [int(signal.sum(dtype=np.int64)) % 65536 for signal in signals]
    if [value % 65536 for value in record.checksum] != sums:
        raise UnreadableRecord("bad-checksum", f"{path.name}: the samples do not match the checksums of their header")
    for signal, form, frame in zip(signals, record.fmt, record.samps_per_frame, strict=True):
        if frame > 1 and (signal == MARKS.get(str(form), MARK)).any():
            raise UnreadableRecord(
                "invalid-sample", f"{path.name}: a sample that was not recorded, in a frame of several"
            )


def _read(path: Path, **how: bool) -> Any:
    try:
        return wfdb.rdrecord(str(path), physical=False, **how)
    except Exception as error:  # noqa: BLE001 - as above
        raise UnreadableRecord("bad-file", f"{path.name}: {reason(error)}") from None


def _hold_segment(path: Path, header: Any) -> None:
    """A record's or segment's samples, as they are in its files, against the checksums of its header."""
    frames = any(frame > 1 for frame in header.samps_per_frame)  # kept apart: they are averaged otherwise
    record = _read(path, smooth_frames=not frames, ignore_skew=True)
    _hold_samples(path, record, record.e_d_signal if frames else list(record.d_signal.T))


def read_by_library(path: Path, root: Path) -> Recording:
    """Read one record, every file of every segment held against its own header.

    Args:
        path: without extension.
        root: the release's folder.

    Returns:
        What the library delivers; its checksums are of that.

    Raises:
        UnreadableRecord: a file is missing, elsewhere, short, long, damaged, or of a kind that cannot be stored.
    """
    header = _header(path, root)
    several = isinstance(header, wfdb.MultiRecord)
    segments = _segments(path, header, root) if several else {path: header}
    for at, segment in segments.items():
        _hold_files(at, segment, root)  # first: most often a file is not as long as a hostile header says
    hold_values(path, (header.sig_len or 0) * int(header.n_sig or 0))
    for at, segment in segments.items():
        _hold_segment(at, segment)
    uncalibrated = {name for segment in segments.values() for name in segment.uncalibrated}
    try:
        record = _read(path)
        marks = [MARKS.get(str(form), MARK) for form in record.fmt]
        digital = np.where(record.d_signal == marks, MARK, record.d_signal).T
        return Recording(
            rate_hz=float(record.fs),
            leads=[str(name) for name in record.sig_name],
            units=[str(unit) for unit in record.units],
            gain=[
                0.0 if name in uncalibrated else float(gain)
                for name, gain in zip(record.sig_name, record.adc_gain, strict=True)
            ],
            baseline=[int(value) for value in record.baseline],
            checksum=(digital.sum(axis=1, dtype=np.int64) % 65536).tolist(),
            comments=list(record.comments),
            digital=digital,
            mark=MARK,
        )
    except (UnreadableRecord, TypeError, ValueError, AttributeError) as error:
        # Its files are good one by one, so it is how they belong together that cannot be stored.
        raise UnreadableRecord(
            "unsupported-format" if several else "bad-file", f"{path.name}: {reason(error)}"
        ) from None
