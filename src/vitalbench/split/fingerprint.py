"""What stays of a record whatever its name, start, scale or rate.

`prepare` brings records to one band and one scale; `describe` says in a few hundred numbers what a shift in time leaves alone.
Constants are shares of the common rate, so that slower signals than an ECG's are treated alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from vitalbench.errors import InputError
from vitalbench.split.gaps import bridged, gaps_of, recorded

COMMON_RATE_HZ = 50.0  # records are compared at this rate, or at their own where it is lower
_TOP = 0.4  # of the common rate: the band ends at 20 Hz, inside what any resampling of an ECG keeps
_BOTTOM = 0.01  # of the common rate: it begins at 0.5 Hz, above the wander of the baseline
_SLOPE = 0.2  # the band's upper edge falls over this share of itself
_CROSS_LAGS = (0, 1, 2, 3, 5, 8, 12)  # samples between two leads: 0 to 240 ms
_OWN_LAGS = 100  # samples: 2 s, in which a heart beats at least once
_LEADS = 24  # leads described; the number of pairs grows with the square
SIZE = 256  # numbers a record is described in
_WHITEN_FLOOR = 1e-3  # of the largest variance: directions of less are noise

Floats = NDArray[np.float32]


def prepare(signals: Floats, rate_hz: float) -> Floats:
    """Band-limit, resample and standardise: (records, leads, samples) to (records, leads, samples at the common rate).

    Amplitudes are weighted by the root of the frequency, so that steep waves count as much as slow ones. Every lead has mean 0 and
    deviation 1, so offset and scale, of a record or of a lead, are gone. A flat lead is 0, and so are the gaps of one
    (split/gaps.py), and nothing else is: whoever compares knows by the zeros what was not recorded.

    Raises:
        InputError: no axis of the records is time.
    """
    if not rate_hz:
        raise InputError("records without a rate, such as images, have no course in time to be described by")
    samples = signals.shape[-1]
    rate = min(COMMON_RATE_HZ, rate_hz)
    kept = max(int(samples * rate / rate_hz) // 2 * 2, 2)
    gaps = gaps_of(signals, rate_hz / rate)
    whole = signals if gaps is None else bridged(signals, gaps)
    spectrum = fft.rfft(whole.astype(np.float32, copy=False), axis=-1)[..., : kept // 2 + 1]
    hz = np.arange(spectrum.shape[-1]) * (rate_hz / samples)
    bottom, top = _BOTTOM * rate, _TOP * rate
    rise, fall = (2 * hz / bottom - 1).clip(0, 1), ((1 + _SLOPE - hz / top) / _SLOPE).clip(0, 1)
    banded: Floats = fft.irfft(spectrum * (rise * fall * np.sqrt(hz)).astype(np.float32), kept, axis=-1)
    spread = banded.std(axis=-1, keepdims=True)
    if gaps is not None:
        some = gaps.any(axis=(1, 2))
        clear = recorded(gaps[some], kept)
        banded[some] *= clear
        energy = np.square(banded[some]).sum(axis=-1, keepdims=True)
        spread[some] = np.sqrt(energy / clear.sum(axis=-1, keepdims=True).clip(1))
    flat = spread < 1e-6 * np.abs(signals).max(initial=1e-3)
    banded /= np.where(flat, 1, spread)
    banded *= ~flat
    return banded


def describe(prepared: Floats) -> Floats:
    """(records, features): how leads follow one another within a quarter of a second, and their mean autocorrelation over two.

    Both are averages over time: a shift moves them little, white noise adds to few of them.
    """
    some = prepared[:, :_LEADS]
    records, leads, samples = some.shape
    upper = np.triu_indices(leads, 1)
    between = []
    for lag in (lag for lag in _CROSS_LAGS if lag < samples // 2):
        product = np.matmul(some[..., : samples - lag], some[..., lag:].swapaxes(1, 2)) / (samples - lag)
        between.append(product.reshape(records, -1) if lag else product[:, upper[0], upper[1]])
    power = np.square(np.abs(fft.rfft(some, 2 * samples, axis=-1))).mean(axis=1)
    own = fft.irfft(power, 2 * samples, axis=-1)[:, 1 : min(_OWN_LAGS, samples // 2) + 1] / samples
    return np.hstack([_unit(np.hstack(between)), _unit(own)]).astype(np.float32)


def _unit(rows: Floats) -> Floats:
    """Rows of length 1; a row of zeros stays one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return scaled


@dataclass(frozen=True)
class Projection:
    """Principal directions of a sample's features, whitened: descriptions in them are compared by their angle."""

    mean: Floats
    axes: Floats  # (features, numbers)

    @classmethod
    def fit(cls, features: Floats) -> "Projection":
        """Fit on the features of some records of a store."""
        mean = features.mean(axis=0)
        variance, axes = np.linalg.eigh(
            np.cov((features - mean).T.astype(np.float64), ddof=0).reshape(2 * features.shape[1:])
        )
        best = np.argsort(variance)[::-1][:SIZE]
        scale = np.sqrt(np.maximum(variance[best], 0) + _WHITEN_FLOOR * max(variance[best[0]], 1e-12))
        return cls(mean, (axes[:, best] / scale).astype(np.float32))

    def __call__(self, features: Floats) -> Floats:
        """(records, at most SIZE numbers) of length 1."""
        return _unit(np.asarray((features - self.mean) @ self.axes, dtype=np.float32))
