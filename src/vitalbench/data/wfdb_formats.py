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

_GAIN = re.compile(r"([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)(?:\(([+-]?\d+)\))?(?:/(\S+))?")
_FORMAT = re.compile(r"(16|212)(?:x1)?(?:\+(\d+))?")
# signal(5): the lowest value of each format marks a sample that was not recorded.
MARKS = {"80": -128, "212": -2048, "310": -512, "311": -512}
MARK = -32768
_LARGEST_HEADER = 1 << 20  # bytes; those of releases have thousands
_BLOCK = 65536
_SIGNAL_FIELDS = 9  # file, format, gain, resolution, zero, first value, checksum, block size, description


@dataclass(frozen=True)
class Header:
    """What the header of a single-segment record in one sample file says."""

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
    gain: list[float]
    baseline: list[int]
    checksum: list[int]
    comments: list[str]
    digital: NDArray[np.integer]  # (leads, samples)
    mark: int  # what the format writes for a sample that was not recorded


class ShortFile(Exception):
    """A sample file with fewer bytes than its header promises."""


def read_header(path: Path) -> Header | None:
    """Read and parse a header file; None where it uses what this module leaves to the library.

    Raises:
        OSError: it is not there, or no file of a header's size.
    """
    content = _read(path)
    try:
        return parse_header(content.decode("utf-8", errors="replace"))
    except ValueError:  # numbers of more digits than a number has
        return None


def _read(path: Path, needed: int | None = None) -> bytes:
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
    calibration = [_GAIN.fullmatch(gain) for gain in gains]
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


def unpack_212(packed: NDArray[np.uint8], values: int, interleaved: bool = False) -> NDArray[np.int16]:
    """Unpack format 212: two 12-bit two's complement values in three bytes, the middle byte holding the high bits of both.

    Args:
        packed: at least ceil(1.5 x values) bytes.
        values: how many to unpack.
        interleaved: lay them out in memory in the order they are stored, and not each position by itself.

    Returns:
        (2, ceil(values / 2)): the values of even position, and those of odd position.

    >>> unpack_212(np.array([0x01, 0xF0, 0xFF], dtype=np.uint8), 2)
    array([[ 1],
           [-1]], dtype=int16)
    """
    pairs = -(-values // 2)
    if len(packed) < 3 * pairs:  # the last value stands alone, in two bytes
        packed = np.concatenate([packed, np.zeros(3 * pairs - len(packed), dtype=np.uint8)])
    unpacked = np.empty((pairs, 2), dtype=np.int16).T if interleaved else np.empty((2, pairs), dtype=np.int16)
    scratch = np.empty((2, min(pairs, _BLOCK)), dtype=np.int16)
    for start in range(0, pairs, _BLOCK):  # by blocks, because what stays in the cache need not be fetched nine times
        count = min(_BLOCK, pairs - start)
        even, odd = unpacked[:, start : start + count]
        value, low = scratch[:, :count]
        # Little-endian 16-bit words, three bytes apart: first and middle byte; middle and last.
        first = np.ndarray(count, dtype="<i2", buffer=packed, offset=3 * start, strides=(3,))
        second = np.ndarray(count, dtype="<i2", buffer=packed, offset=3 * start + 1, strides=(3,))
        np.left_shift(first, 4, out=value)  # the twelve bits to the top, so that shifting back extends the sign
        np.right_shift(value, 4, out=even)
        low[:] = second
        np.left_shift(low, 8, out=value)  # the middle byte alone; its high half becomes bits 8 to 11 and the sign
        value >>= 4
        value &= -256
        low >>= 8
        low &= 255
        np.bitwise_or(value, low, out=odd)
    return unpacked


def read_samples(path: Path, header: Header) -> NDArray[np.int16]:
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
        unpacked = unpack_212(stored, values, interleaved=leads != 2)
        if leads == 2:  # the two positions are the two leads
            return unpacked
        flat = unpacked.T.reshape(-1)[:values]
    return np.ascontiguousarray(flat.reshape(header.samples, leads).T)
