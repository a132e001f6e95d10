"""WFDB formats 16 and 212 decoded straight from their bytes; what this module does not know it leaves to the field's library.

The header and both formats are as the WFDB Applications Guide gives them (header(5), signal(5)); the PhysioNet Challenge's `.mat`
files are format 16 behind 24 bytes of MATLAB header. The library spends milliseconds a record on the general case; releases of
tens of thousands of records are nearly all this one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GAIN = re.compile(r"([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)(?:\(([+-]?\d+)\))?(?:/(\S+))?")
_FORMAT = re.compile(r"(16|212)(?:\+(\d+))?")
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


class ShortFile(Exception):
    """A sample file with fewer bytes than its header promises."""


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


def unpack_212(packed: NDArray[np.uint8], values: int) -> NDArray[np.int16]:
    """Unpack format 212: two 12-bit two's complement values in three bytes, the second's high bits in the middle byte's high half.

    Args:
        packed: at least ceil(1.5 x values) bytes.
        values: how many to unpack.

    >>> unpack_212(np.array([0x01, 0xF0, 0xFF], dtype=np.uint8), 2)
    array([ 1, -1], dtype=int16)
    """
    pairs = -(-values // 2)
    whole = np.zeros(pairs * 3, dtype=np.uint8) if len(packed) < pairs * 3 else packed[: pairs * 3]
    if len(packed) < pairs * 3:
        whole[: len(packed)] = packed
    low, middle, high = (whole[start::3].astype(np.uint16) for start in range(3))
    unpacked = np.empty((pairs, 2), dtype=np.uint16)
    # Each value is moved to the top of its 16 bits, so that shifting it back as a signed number extends its sign.
    np.bitwise_or(low << 4, middle << 12, out=unpacked[:, 0])
    np.bitwise_or(high << 4, (middle & 0xF0) << 8, out=unpacked[:, 1])
    return (unpacked.view(np.int16) >> 4).reshape(-1)[:values]


def read_samples(path: Path, header: Header) -> NDArray[np.int16]:
    """Read the sample file of a header.

    Returns:
        (leads, samples), contiguous.

    Raises:
        ShortFile: the file ends before the header's last sample.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    needed = header.offset + _needed(header)
    if len(content) < needed:
        raise ShortFile(f"{len(content)} bytes, its header needs {needed}")
    leads = len(header.leads)
    if header.bits == 16:
        flat = np.frombuffer(content, dtype="<i2", offset=header.offset, count=header.samples * leads)
    else:
        flat = unpack_212(np.frombuffer(content, dtype=np.uint8, offset=header.offset), header.samples * leads)
    return np.ascontiguousarray(flat.reshape(header.samples, leads).T)
