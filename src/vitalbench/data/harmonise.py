"""Records of other rates, lengths and lead lists brought to the one shape that a data set's records have.

What already has that shape is stored as the release's own integers. Anything else is resampled by a polyphase filter
(scipy.signal.resample_poly: linear phase, its edge repeated at both ends), cut to its first seconds or filled up with 0 mV behind
its last, and rounded to a microvolt.
"""

from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from vitalbench.config.dataset import Harmonise, Signal
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.wfdb_formats import MARK

UNITS_PER_MV = 1000
_LARGEST = 32767


def hold_shape(rate_hz: float, samples: int, signal: Signal, harmonise: Harmonise | None) -> None:
    """Refuse a rate or a length that is not the data set's own and not one that is brought to it.

    Raises:
        UnreadableRecord: `wrong-rate` or `wrong-length`.
    """
    rates = [signal.rate_hz, *(harmonise.rates_hz if harmonise else [])]
    if rate_hz not in rates:
        raise UnreadableRecord("wrong-rate", f"{rate_hz:.10g} Hz, not {' or '.join(map(str, rates))}")
    if harmonise is None:
        if samples != signal.samples:
            raise UnreadableRecord("wrong-length", f"{samples} samples, not {signal.samples}")
        return
    shortest = harmonise.shortest_seconds or signal.seconds
    if samples < round(shortest * rate_hz):
        raise UnreadableRecord("wrong-length", f"{samples / rate_hz:.4g} s, less than {shortest:g}")


def to_shape(record: Record, rate_hz: float, signal: Signal) -> Record:
    """Bring a record to a data set's rate and length.

    Args:
        record: its leads are chosen already; (leads, samples) at `rate_hz`, a whole number.
        signal: what all records of the data set have.

    Raises:
        UnreadableRecord: `invalid-sample`: it would be resampled over a sample that was not recorded.
    """
    native, rate = record.digital.shape[1], round(rate_hz)
    if rate == signal.rate_hz and native == signal.samples:
        return record
    needed = -(-signal.samples * rate // signal.rate_hz)
    digital = record.digital[:, :needed]
    if rate == signal.rate_hz and native > signal.samples:
        return Record(np.ascontiguousarray(digital), record.gain, record.baseline, record.generated)
    if (digital == MARK).any():
        raise UnreadableRecord(
            "invalid-sample", "a sample that was not recorded, in a record that is resampled or filled up"
        )
    physical = (digital.astype(np.float64) - record.baseline[:, None].astype(np.float64)) / record.gain[:, None]
    if rate != signal.rate_hz:
        shared = gcd(rate, signal.rate_hz)
        physical = resample_poly(physical, signal.rate_hz // shared, rate // shared, axis=1, padtype="edge")
    recorded = min(physical.shape[1], signal.samples)
    filled = np.zeros((len(physical), signal.samples))
    filled[:, :recorded] = physical[:, :recorded]
    return _in_microvolt(filled, record.generated, recorded if recorded < signal.samples else None)


def _in_microvolt(physical: NDArray[np.float64], generated: bool, recorded: int | None) -> Record:
    """A record in microvolt; in tens, hundreds ... of them where a lead would not fit 16 bits."""
    units = np.full(len(physical), float(UNITS_PER_MV))
    peak = np.abs(physical).max(axis=1)
    while (over := peak * units > _LARGEST).any():
        units[over] /= 10
    digital = np.rint(physical * units[:, None]).astype(np.int16)
    return Record(digital, units.astype(np.float32), np.zeros(len(units), dtype=np.float32), generated, recorded)
