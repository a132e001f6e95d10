"""Are two records one recording? The best alignment of their samples, and where what it leaves over lies.

A high correlation alone does not say so: two recordings of a regular heart correlate at 0.85. What is left after the best alignment
tells them apart. Noise that was added to a copy is as strong between the beats as on them; what two recordings differ by lies on
the beats. `concentration` is the share of the remainder that lies there: near 0 for a copy, near 1 for a recording of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d

MIN_OVERLAP = 0.45  # of a record: copies that share half of their time, with room for rounding
MIN_SIMILARITY = 0.70  # a copy with noise at 6 dB keeps more
MAX_CONCENTRATION = 0.15  # of a copy with noise at 6 dB; docs/DATA.md has what it finds and what it takes for one
MIN_CONTRAST = (
    3.0  # a plain oscillation correlates with any other of its frequency, at many lags: no evidence of a copy
)
_FINE = 4  # alignments tried between two samples
_ACTIVE, _QUIET = 0.8, 0.5  # quantiles of activity: above the one, below the other
_SMOOTH = 5  # samples over which activity is averaged
_NEIGHBOURS = 10  # samples about a lag that are of one peak with it
_EDGE = 10  # samples at either end of a record, which its band limits disturb
_NO_NOISE = 0.02  # a remainder this small is rounding, wherever it lies

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Alignment:
    """The best alignment of some pairs, a value a pair.

    Attributes:
        similarity: |correlation| over leads, normalised where the two overlap.
        lag: samples by which the second has to be moved to lie on the first.
        concentration: share of the remainder that lies on the active samples; NaN where the similarity is below MIN_SIMILARITY.
        contrast: the similarity over its root mean square at all lags.
    """

    similarity: NDArray[np.float64]
    lag: NDArray[np.float64]
    concentration: NDArray[np.float64]
    contrast: NDArray[np.float64]

    @property
    def copies(self) -> NDArray[np.bool_]:
        """Which pairs are one recording."""
        alike = (self.similarity >= MIN_SIMILARITY) & (self.contrast >= MIN_CONTRAST)
        copy: NDArray[np.bool_] = alike & (self.concentration <= MAX_CONCENTRATION)
        return copy


def spectra(prepared: Floats) -> NDArray[np.complex64]:
    """The spectra that `align` multiplies, zero-padded so that lags in its range do not wrap."""
    samples = prepared.shape[-1]
    found: NDArray[np.complex64] = fft.rfft(prepared, _length(samples), axis=-1)
    return found


def _length(samples: int) -> int:
    return int(fft.next_fast_len(int(samples * (2 - MIN_OVERLAP)) + 1, True))


def _energies(prepared: Floats) -> NDArray[np.float64]:
    """(records, samples + 1): energy up to each sample."""
    energy = np.square(prepared).sum(axis=1, dtype=np.float64)
    return np.concatenate([np.zeros((len(energy), 1)), np.cumsum(energy, axis=1)], axis=1)


def align(prepared: Floats, spectrum: NDArray[np.complex64], a: NDArray[np.intp], b: NDArray[np.intp]) -> Alignment:
    """Align pairs of prepared records over all lags at which half of them overlaps.

    Args:
        prepared: (records, leads, samples), of which `spectrum` are the spectra.
        a, b: positions of the two records of each pair.
    """
    samples = prepared.shape[-1]
    length, reach = _length(samples), int(samples * (1 - MIN_OVERLAP))
    product = np.einsum("plf,plf->pf", spectrum[a], spectrum[b].conj())
    lags = np.arange(-reach * _FINE, reach * _FINE + 1)
    product[:, -1] *= (
        0.5 if length % 2 == 0 else 1.0
    )  # the highest frequency is split in two when the spectrum is padded
    correlation = fft.irfft(product, length * _FINE, axis=-1)[:, lags % (length * _FINE)] * _FINE
    whole = np.rint(lags / _FINE).astype(np.intp)
    late, early = np.maximum(whole, 0), np.maximum(-whole, 0)
    energy = _energies(prepared)
    of_a = energy[a][:, samples - early] - energy[a][:, late]
    of_b = energy[b][:, samples - late] - energy[b][:, early]
    similarity = np.abs(correlation) / np.sqrt(np.maximum(of_a * of_b, 1e-9))
    usual = np.maximum(np.sqrt(np.square(similarity).mean(axis=1)), 1e-9)
    # A regular heart correlates nearly as well a beat too early or too late, and a long overlap there may beat a short one at the
    # true lag. What is left over tells: where the best lag leaves beats, the second best is taken if it leaves noise.
    best = similarity.argmax(axis=1)
    at = _at_lag(prepared, spectrum, a, b, similarity, lags, best)
    similarity[np.abs(lags - lags[best][:, None]) < _NEIGHBOURS * _FINE] = 0
    second = _at_lag(prepared, spectrum, a, b, similarity, lags, similarity.argmax(axis=1))
    found, lag, concentration = np.where((at[2] > MAX_CONCENTRATION) & (second[2] <= MAX_CONCENTRATION), second, at)
    return Alignment(found, lag, concentration, found / usual)


def _at_lag(
    prepared: Floats,
    spectrum: NDArray[np.complex64],
    a: NDArray[np.intp],
    b: NDArray[np.intp],
    similarity: NDArray[np.float64],
    lags: NDArray[np.intp],
    chosen: NDArray[np.intp],
) -> NDArray[np.float64]:
    """(3, pairs): similarity, lag in samples and concentration of pairs at chosen positions of `lags`."""
    found = np.minimum(similarity[np.arange(len(a)), chosen], 1.0).astype(np.float64)
    lag = lags[chosen] / _FINE
    concentration = np.full(len(a), np.nan)
    close = np.flatnonzero(found >= MIN_SIMILARITY)
    if len(close):
        concentration[close] = _concentration(prepared[a[close]], spectrum[b[close]], lag[close], found[close])
    return np.stack([found, lag, concentration])


def _concentration(
    first: Floats, second: NDArray[np.complex64], lag: NDArray[np.float64], similarity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much more of the remainder lies on active samples than on quiet ones, as a share of the remainder there would be."""
    samples = first.shape[-1]
    length = _length(samples)
    turn = np.exp(-2j * np.pi / length * np.arange(second.shape[-1]) * lag[:, None]).astype(np.complex64)
    moved = fft.irfft(second * turn[:, None], length, axis=-1)[..., :samples]
    at = np.arange(samples)
    overlap = (at >= np.maximum(lag, 0)[:, None] + _EDGE) & (at < samples + np.minimum(lag, 0)[:, None] - _EDGE)

    def unit(x: Floats) -> Floats:
        masked = x * overlap[:, None]
        energy = np.square(masked).sum(axis=-1, keepdims=True)
        scaled: Floats = np.divide(masked, np.sqrt(energy), out=np.zeros_like(masked), where=energy > 0)
        return scaled

    one, two = unit(first), unit(moved)
    two *= np.where((one * two).sum(axis=-1, keepdims=True) < 0, -1, 1)  # a lead turned upside down
    remainder = np.square(one - two).sum(axis=1)
    power = (np.square(one) + np.square(two)).sum(axis=1) / 2
    activity = uniform_filter1d(np.square((one + two) / 2).sum(axis=1), _SMOOTH, axis=-1)
    inside = np.where(overlap, activity, np.nan)
    active = inside >= np.nanquantile(inside, _ACTIVE, axis=1)[:, None]
    quiet = inside <= np.nanquantile(inside, _QUIET, axis=1)[:, None]

    def mean(x: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.asarray((x * where).sum(axis=1) / where.sum(axis=1), dtype=np.float64)
        return total

    excess = (mean(remainder, active) - mean(remainder, quiet)) / np.maximum(mean(power, active), 1e-12)
    return np.asarray(excess / 2 / (1 - similarity + _NO_NOISE), dtype=np.float64)
