"""Where a record holds nothing: spans of one value, as a record is filled up with or a lead that came off leaves.

What is no recording is neither like nor unlike another's samples, so a comparison leaves it out.
"""

import numpy as np
from numpy.typing import NDArray

# Of 184 real twelve-lead records no lead of 175 stays at one value for 0.3 s, and of none do all leads for 0.03 s.
_IN_A_LEAD, _IN_ALL = 15, 5  # samples at the common rate: 0.3 s and 0.1 s
_MANY = 6  # leads that do not stay at one value together by chance
_MARGIN = 10  # samples at the common rate beside a span, which band limits disturb
_POINTS = 5  # of a grid that lie in any span: four alike in a row, and a lead is looked at closely

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def gaps_of(signals: Floats, step: float) -> Mask | None:
    """(records, leads, samples): samples of a span of one value in their lead, or a shorter one in all leads; None without any.

    Args:
        signals: (records, leads, samples).
        step: samples a sample at the common rate.
    """
    found = np.zeros(signals.shape, dtype=bool)
    lines = _suspects(signals, round(_IN_A_LEAD * step))
    found[lines] = _spans(signals[lines][:, 1:] == signals[lines][:, :-1], round(_IN_A_LEAD * step))
    if signals.shape[1] >= _MANY:
        some = np.flatnonzero(_suspects(signals[:, :1], round(_IN_ALL * step))[:, 0])
        alike = (signals[some, :, 1:] == signals[some, :, :-1]).all(axis=1)
        found[some] |= _spans(alike, round(_IN_ALL * step))[:, None]
    return found if found.any() else None


def _suspects(signals: Floats, shortest: int) -> Mask:
    """(records, leads): where a coarse look does not rule out a span of so many samples."""
    coarse = signals[..., :: max(shortest // _POINTS, 1)]
    alike = coarse[..., 1:] == coarse[..., :-1]
    suspect: Mask = (alike[..., 2:] & alike[..., 1:-1] & alike[..., :-2]).any(axis=-1)
    return suspect


def _spans(alike: Mask, shortest: int) -> Mask:
    """(lines, samples): samples of a span of so many; `alike` has (lines, samples - 1), whether each has the value before it."""
    lines, samples = len(alike), alike.shape[1] + 1
    if samples < shortest:
        return np.zeros((lines, samples), dtype=bool)
    so_far = np.zeros((lines, samples), dtype=np.int32)
    np.cumsum(alike, axis=1, out=so_far[:, 1:])
    begun = so_far[:, shortest - 1 :] - so_far[:, : samples + 1 - shortest] == shortest - 1
    inside = np.zeros((lines, samples + 1), dtype=np.int32)
    inside[:, : begun.shape[1]] += begun
    inside[:, shortest:] -= begun
    found: Mask = np.cumsum(inside, axis=1)[:, :samples] > 0
    return found


def bridged(signals: Floats, gaps: Mask) -> Floats:
    """The signals with a straight line across each gap, the record's end going on with its start: it rings least."""
    out = signals.astype(np.float32)
    at = np.arange(signals.shape[-1])
    for record, lead in np.argwhere(gaps.any(axis=-1) & ~gaps.all(axis=-1)):
        gap = gaps[record, lead]
        out[record, lead, gap] = np.interp(at[gap], at[~gap], signals[record, lead, ~gap], period=len(at))
    return out


def recorded(gaps: Mask, kept: int) -> Mask:
    """(records, leads, kept): of so many samples at the common rate, those that no gap and no margin of one reaches."""
    samples = gaps.shape[-1]
    before = np.concatenate(
        [np.zeros((*gaps.shape[:2], 1), np.int32), np.cumsum(gaps, axis=-1, dtype=np.int32)], axis=-1
    )
    at, step = np.arange(kept), samples / kept
    low = np.floor((at - _MARGIN) * step).astype(np.intp).clip(0, samples)
    high = np.ceil((at + _MARGIN) * step + 1).astype(np.intp).clip(0, samples)
    clear: Mask = before[..., high] == before[..., low]
    return clear
