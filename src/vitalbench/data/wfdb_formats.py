"""WFDB formats 16 and 212 decoded straight from their bytes; what this module does not know it leaves to the field's library.

The header and both formats are as the WFDB Applications Guide gives them (header(5), signal(5)); the PhysioNet Challenge's `.mat`
files are format 16 behind 24 bytes of MATLAB header. The library spends milliseconds a record on the general case; releases of
tens of thousands of records are nearly all this one.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.data.unpack import unpack_212

GAIN = re.compile(r"([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)(?:\(([+-]?\d+)\))?(?:/(\S+))?")
_FORMAT = re.compile(r"(16|212)(?:x1)?(?:\+(\d+))?")
# signal(5): the lowest value of each format marks a sample that was not recorded.
MARKS = {"80": -128, "212": -2048, "310": -512, "311": -512}
MARK = -32768
_LARGEST_HEADER = 1 << 20  # bytes; those of releases have thousands
LONGEST_LINE = 500  # characters; patterns try a run of digits in as many ways as the square of its length
_SIGNAL_FIELDS = 9  # file, format, gain, resolution, zero, first value, checksum, block size, description


@dataclass(frozen=True)
class Header:
    """What the header of a single-segment record in one sample file says."""

    name: str
    rate_hz: float
    samples: int
    file: str
    bits: int  # 16 or 212
    offset: int  # bytes before the samples
    leads: list[str]
    units: list[str]
    gain: list[float]  # units a physical unit
    baseline: list[int]
    checksum: list[int]
    comments: list[str]


@dataclass(frozen=True)
class Recording:
    """A record as its files state it, whoever read them."""

    rate_hz: float
    leads: list[str]
    units: list[str]
    gain: list[float]  # 0 of a signal that is not calibrated
    baseline: list[int]
    checksum: list[int]
    comments: list[str]
    digital: NDArray[np.integer]  # (leads, samples)
    mark: int  # what the format writes for a sample that was not recorded


class ShortFile(Exception):
    """A sample file with fewer bytes than its header promises."""


def read_header(path: Path | str) -> Header | None:
    """Read and parse a header file; None where it uses what this module leaves to the library.

    Raises:
        OSError: it is not there, or no file of a header's size.
    """
    content = _read(path)
    try:
        return parse_header(content.decode("utf-8", errors="replace"))
    except ValueError:  # numbers of more digits than a number has
        return None


def _read(path: Path | str, needed: int | None = None) -> bytes:
    """Read a file, or the `needed` bytes it begins with; by the system's own calls, for a release has tens of thousands.

    Raises:
        OSError: it is no regular file (a pipe is not waited for), or too large for a header, which is read whole.
        ShortFile: it has fewer bytes than are needed.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if needed is None and found.st_size > _LARGEST_HEADER:
            raise OSError(errno.EFBIG, f"{found.st_size:,} bytes are no header")
        if needed is not None and found.st_size < needed:
            raise ShortFile(f"{found.st_size} bytes, its header needs {needed}")
        wanted = found.st_size if needed is None else needed
        content = os.read(handle, wanted)
        while len(content) < wanted and (more := os.read(handle, wanted - len(content))):
            content += more
    finally:
        os.close(handle)
    return content


def parse_header(text: str) -> Header | None:
    """Parse a header; None where it uses what this module leaves to the library.

    >>> header = parse_header("a 1 100 2\\na.dat 16 1000(0)/mV 16 0 1 3 0 II\\n")
    >>> header.rate_hz, header.samples, header.leads, header.gain, header.checksum
    (100.0, 2, ['II'], [1000.0], [3])
    """
    lines = [line.strip() for line in text.splitlines()]
    comments = [line.lstrip("#").strip() for line in lines if line.startswith("#")]
    lines = [line for line in lines if line and not line.startswith("#")]
    if max(map(len, lines), default=0) > LONGEST_LINE:
        return None
    record = lines[0].split() if lines else []
    if len(record) < 4 or not (record[1].isdecimal() and record[3].isdecimal()):
        return None
    leads, samples = int(record[1]), int(record[3])
    try:
        rate = float(record[2])
    except ValueError:
        return None
    if leads == 0 or samples == 0 or len(lines) != 1 + leads:
        return None
    fields = [line.split(None, _SIGNAL_FIELDS - 1) for line in lines[1:]]
    if any(len(signal) < _SIGNAL_FIELDS for signal in fields):
        return None
    files, formats, gains, _, zeros, _, checksums, blocks, names = zip(*fields, strict=True)
    stored = _FORMAT.fullmatch(formats[0])
    if len({*files}) != 1 or len({*formats}) != 1 or {*blocks} != {"0"} or stored is None:
        return None
    calibration = [GAIN.fullmatch(gain) for gain in gains]
    try:
        gain = [float(found[1]) for found in calibration if found]
        baseline = [
            int(found[2] if found[2] is not None else zero)
            for found, zero in zip(calibration, zeros, strict=True)
            if found
        ]
        checksum = [int(value) for value in checksums]
    except ValueError:
        return None
    if len(gain) != leads or not all(gain):
        return None
    return Header(
        name=record[0],
        rate_hz=rate,
        samples=samples,
        file=files[0],
        bits=int(stored[1]),
        offset=int(stored[2] or 0),
        leads=list(names),
        units=[found[3] or "mV" for found in calibration if found],
        gain=gain,
        baseline=baseline,
        checksum=checksum,
        comments=comments,
    )


def _needed(header: Header) -> int:
    """Bytes the samples take."""
    values = header.samples * len(header.leads)
    return values * 2 if header.bits == 16 else (values * 3 + 1) // 2


def read_samples(path: Path | str, header: Header) -> NDArray[np.int16]:
    """Read the sample file of a header.

    Returns:
        (leads, samples), contiguous.

    Raises:
        ShortFile: the file ends before the header's last sample.
        OSError: it cannot be read.
    """
    needed = header.offset + _needed(header)
    content = np.frombuffer(_read(path, needed), dtype=np.uint8)
    leads, values = len(header.leads), header.samples * len(header.leads)
    stored = content[header.offset :]
    if header.bits == 16:
        flat = stored[: 2 * values].view("<i2")
    else:
        return unpack_212(stored, leads, header.samples)
    return np.ascontiguousarray(flat.reshape(header.samples, leads).T)
