"""WFDB format 212 unpacked: two 12-bit two's complement values in three bytes, the middle byte holding the high bits of both.

By a loop in C (unpack_212.c) where the installation could compile it, and else by numpy in a handful of passes: the same
samples, at a third of the speed on a record of half an hour.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitalbench.compiled import loop

_BLOCK = 65536

_IN_C = loop(
    Path(__file__).with_name("unpack_212.c"), ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p
)


def _blocks(pairs: int) -> Iterator[tuple[int, int]]:
    """(start, count) of blocks of pairs that stay in the processor's cache over all the passes of an unpacking."""
    return ((start, min(_BLOCK, pairs - start)) for start in range(0, pairs, _BLOCK))


def _padded(packed: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The bytes with zeros behind them where there are fewer: the last pair may be half of one, and words reach beyond it."""
    return packed if len(packed) >= size else np.concatenate([packed, np.zeros(size - len(packed), dtype=np.uint8)])


def _unpack_flat(packed: NDArray[np.uint8], values: int) -> NDArray[np.int16]:
    """Unpack format 212: two 12-bit two's complement values in three bytes, the middle byte holding the high bits of both.

    Args:
        packed: at least ceil(1.5 x values) bytes.
        values: how many to unpack.

    Returns:
        (values,), in the order they are stored.

    >>> _unpack_flat(np.array([0x01, 0xF0, 0xFF], dtype=np.uint8), 2)
    array([ 1, -1], dtype=int16)
    """
    pairs = -(-values // 2)
    packed = _padded(packed, 3 * pairs + 1)
    words = np.empty(pairs, dtype="<u4")
    scratch = np.empty(min(pairs, _BLOCK), dtype="<u4")
    for start, count in _blocks(pairs):
        # Little-endian 32-bit words, three bytes apart: a pair, and a byte of the next.
        word, high = words[start : start + count], scratch[:count]
        word[:] = np.ndarray(count, dtype="<u4", buffer=packed, offset=3 * start, strides=(3,))
        # Each half of the word takes one value's twelve bits at its top, so that shifting back extends the sign.
        np.left_shift(word, 16, out=high)
        high &= 0xF0000000
        word <<= 4
        word &= 0x0FF0FFF0
        word |= high
        value = word.view("<i2")
        value >>= 4
    return words.view("<i2")[:values]


def _unpack_two_leads(packed: NDArray[np.uint8], samples: int) -> NDArray[np.int16]:
    """Unpack format 212 of two leads, whose samples take turns; cheaper than parting them afterwards.

    Args:
        packed: 3 x samples bytes.
        samples: of each lead.

    Returns:
        (2, samples).

    >>> _unpack_two_leads(np.array([0x01, 0xF0, 0xFF], dtype=np.uint8), 1)
    array([[ 1],
           [-1]], dtype=int16)
    """
    unpacked = np.empty((2, samples), dtype=np.int16)
    scratch = np.empty((2, min(samples, _BLOCK)), dtype=np.int16)
    for start, count in _blocks(samples):
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


def unpack_by_numpy(packed: NDArray[np.uint8], leads: int, samples: int) -> NDArray[np.int16]:
    """As `unpack_212`, without compiled code."""
    if leads == 2:
        return _unpack_two_leads(packed, samples)
    return np.ascontiguousarray(_unpack_flat(packed, leads * samples).reshape(samples, leads).T)


def unpack_212(packed: NDArray[np.uint8], leads: int, samples: int) -> NDArray[np.int16]:
    """Unpack format 212.

    Args:
        packed: contiguous, at least ceil(1.5 x leads x samples) bytes; the leads' samples take turns.
        leads: how many.
        samples: of each.

    Returns:
        (leads, samples), contiguous.

    Raises:
        ValueError: there are fewer bytes.

    >>> unpack_212(np.array([0x01, 0xF0, 0xFF], dtype=np.uint8), 2, 1)
    array([[ 1],
           [-1]], dtype=int16)
    """
    if len(packed) < (3 * leads * samples + 1) // 2:
        raise ValueError(f"{len(packed)} bytes hold fewer than {leads} x {samples} values of 12 bits")
    if _IN_C is None:
        return unpack_by_numpy(packed, leads, samples)
    packed = np.ascontiguousarray(packed)
    unpacked = np.empty((leads, samples), dtype=np.int16)
    _IN_C(packed.ctypes.data, leads, samples, unpacked.ctypes.data)
    return unpacked
