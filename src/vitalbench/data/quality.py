"""What may be wrong with the samples of a readable record."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.config.dataset import Quality, Signal
from vitalbench.data.datasets import Record

INVALID = -32768  # the mark of a sample that was not recorded, as stored
_MAINS_HZ = (50.0, 60.0)
_LINE_HZ = 1.0  # half the width of a mains line
_DRIFT_HZ = 1.0  # baseline wander below this is no part of the share


@dataclass(frozen=True)
class Finding:
    """One thing found wrong with a record, and whether it is kept out of the store for it."""

    record_id: str
    patient_id: str
    check: str
    detail: str
    action: str  # quarantined | flagged


def sample_checks(record: Record, signal: Signal, limits: Quality) -> list[tuple[str, str]]:
    """Check one record's samples.

    Returns:
        (check, detail) for every finding, the details naming the leads: `invalid-sample` (marked as not recorded: becomes
        NaN in physical units), `missing-lead` (one value from end to end), `negative-gain` (the header states one, which
        turns the lead over), `flat-lead` (one value for `flat_seconds` or longer), `clipping` (the lead's extreme, beyond
        `clipping_mv`, held for `clipping_seconds` or longer), `powerline` (more than `powerline_share` of a lead's power
        within 1 Hz of 50 or 60 Hz), `amplitude` (beyond `max_abs_mv` from the baseline).
    """
    found: list[tuple[str, str]] = []

    def tell(check: str, leads: NDArray[np.bool_], detail: str = "") -> None:
        if leads.any():
            found.append((check, "lead " + " ".join(np.array(signal.leads)[leads]) + detail))

    turned = record.gain < 0
    turned[list(record.turned)] = True
    tell("negative-gain", turned)
    digital = record.digital[:, : record.recorded]
    tell("invalid-sample", (digital == INVALID).any(axis=1))
    length, high, low = _longest_runs(digital)
    missing = length == digital.shape[1]
    tell("missing-lead", missing)
    tell("flat-lead", (length >= limits.flat_seconds * signal.rate_hz) & ~missing)
    physical = (digital - record.baseline[:, None]) / record.gain[:, None]
    physical[digital == INVALID] = 0.0  # what was not recorded has no voltage
    largest, smallest = physical.max(axis=1), physical.min(axis=1)
    held = limits.clipping_seconds * signal.rate_hz
    # A negative gain turns the signal over: its highest unit is its lowest millivolt.
    above, below = np.where(record.gain > 0, high, low), np.where(record.gain > 0, low, high)
    clipped = (above >= held) & (largest > limits.clipping_mv) | (below >= held) & (smallest < -limits.clipping_mv)
    tell("clipping", clipped & ~missing)
    share = mains_share(physical, signal.rate_hz)
    tell("powerline", share > limits.powerline_share, f": up to {share.max():.0%} of the power")
    peak = np.maximum(largest, -smallest)
    tell("amplitude", peak > limits.max_abs_mv, f": {peak.max():.1f} mV")
    return found


def _longest_runs(digital: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The longest run of one value in each lead; of its highest value; of its lowest. In samples."""
    leads, samples = digital.shape
    begins = np.ones((leads, samples), dtype=bool)
    np.not_equal(digital[:, 1:], digital[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)  # of the runs of all leads, one lead after the other
    lengths, lead = np.diff(starts, append=digital.size), starts // samples
    values = digital.reshape(-1)[starts]
    first = np.searchsorted(lead, np.arange(leads))

    def longest(held: NDArray[np.bool_] | bool) -> NDArray[np.intp]:
        return np.maximum.reduceat(np.where(held, lengths, 0), first)

    return longest(True), longest(values == digital.max(axis=1)[lead]), longest(values == digital.min(axis=1)[lead])


def mains_share(physical: NDArray[np.floating], rate_hz: int) -> NDArray[np.float64]:
    """The share of each lead's power that lies within 1 Hz of 50 or of 60 Hz, whichever is more.

    Args:
        physical: (leads, samples).
        rate_hz: samples a second; a mains frequency too near half of it to be told apart counts as absent.

    Returns:
        (leads,) from 0 to 1; power is counted above 1 Hz.
    """
    seen = [mains for mains in _MAINS_HZ if mains + _LINE_HZ < rate_hz / 2]
    if not seen:
        return np.zeros(len(physical))
    samples = physical.shape[1]
    centred = physical - physical.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred * np.hanning(samples), axis=1)) ** 2
    frequency = np.fft.rfftfreq(samples, 1 / rate_hz)
    total = power[:, frequency > _DRIFT_HZ].sum(axis=1)
    lines = [power[:, np.abs(frequency - mains) <= _LINE_HZ].sum(axis=1) for mains in seen]
    share: NDArray[np.float64] = np.divide(np.max(lines, axis=0), total, out=np.zeros(len(physical)), where=total > 0)
    return share
