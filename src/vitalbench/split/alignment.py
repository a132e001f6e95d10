"""Are two records one recording? The best alignment of their samples, and where what it leaves over lies.

A high correlation alone does not say so: two recordings of a regular heart correlate at 0.85. What is left after the best alignment
tells them apart. Noise that was added to a copy is as strong between the beats as on them; what two recordings differ by lies on
the beats. `concentration` is the share of the remainder that lies there: near 0 for a copy, near 1 for a recording of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import minimum_filter1d, uniform_filter1d

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
_FEWEST = 0.2  # of a record: a lead that both have in less of it says nothing
_LEADS_A_STRANGER = 6  # leads of which one may be another electrode's: two of twelve
_CLOSELY = 0.9  # correlation of the others then; of 17,000 pairs of real recordings none is above 0.85
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


def _where_both_are(
    recorded: NDArray[np.bool_],
    energy: NDArray[np.float32],
    a: NDArray[np.intp],
    b: NDArray[np.intp],
    lags: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(pairs, lags) each: a's energy where b was recorded, b's where a was, and the samples at which both were.

    Args:
        recorded: (records, samples), of which `energy` is the energy.
    """
    length = _length(energy.shape[-1])
    there, strong = (fft.rfft(x.astype(np.float64), length, axis=-1) for x in (recorded, energy))

    def over_lags(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.float64]:
        return np.asarray(fft.irfft(one * other.conj(), length, axis=-1)[:, lags % length])

    return over_lags(strong[a], there[b]), over_lags(there[a], strong[b]), over_lags(there[a], there[b])


def align(prepared: Floats, spectrum: NDArray[np.complex64], a: NDArray[np.intp], b: NDArray[np.intp]) -> Alignment:
    """Align pairs of prepared records over all lags at which half of them overlaps, less what was recorded in one of them only.

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
    recorded = (prepared != 0).any(axis=1)
    gaps = recorded.any(axis=1) & ~recorded.all(axis=1)
    some = np.flatnonzero(gaps[a] | gaps[b])
    if len(some):
        in_energy = np.square(prepared).sum(axis=1)
        of_a[some], of_b[some], shared = _where_both_are(recorded, in_energy, a[some], b[some], whole)
        correlation[some] *= shared > MIN_OVERLAP * samples - 1
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
        pairs = prepared[a[close]], prepared[b[close]], spectrum[b[close]]
        concentration[close] = _concentration(*pairs, lag[close], found[close])
    return np.stack([found, lag, concentration])


def _clear(first: Floats, second: Floats, lag: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(pairs, 1 or leads, samples): where the first and the moved second both were recorded, their edges aside."""
    samples = first.shape[-1]
    at, late = np.arange(samples), lag[:, None, None]
    overlap: NDArray[np.bool_] = (at >= np.maximum(late, 0) + _EDGE) & (at < samples + np.minimum(late, 0) - _EDGE)
    there, other = first != 0, second != 0
    if there.all() and other.all():
        return overlap
    source = (at - np.rint(late).astype(np.intp)).clip(0, samples - 1)
    moved = np.take_along_axis(other, source.repeat(first.shape[1], axis=1), axis=-1)
    # As far from a gap as from either end.
    clear: NDArray[np.bool_] = overlap & minimum_filter1d(there & moved, 2 * _EDGE + 1, axis=-1)
    return clear


def _concentration(
    first: Floats,
    second: Floats,
    second_spectrum: NDArray[np.complex64],
    lag: NDArray[np.float64],
    similarity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How much more of the remainder lies on active samples than on quiet ones, as a share of the remainder there would be.

    The leads that agree least may be of other electrodes. Where all others agree closely, they are left out.
    """
    samples = first.shape[-1]
    length = _length(samples)
    turn = np.exp(-2j * np.pi / length * np.arange(second_spectrum.shape[-1]) * lag[:, None]).astype(np.complex64)
    moved = fft.irfft(second_spectrum * turn[:, None], length, axis=-1)[..., :samples]
    clear = _clear(first, second, lag)
    compared = clear.sum(axis=-1, keepdims=True)

    def unit(x: Floats) -> Floats:
        """Of mean square 1 where it is compared, else 0; a lead without energy there stays 0."""
        masked = x * clear
        spread = np.sqrt(np.square(masked).sum(axis=-1, keepdims=True) / np.maximum(compared, 1))
        scaled: Floats = np.divide(masked, spread, out=np.zeros_like(masked), where=spread > 0)
        return scaled

    one, two = unit(first), unit(moved)
    alike = (one * two).sum(axis=-1) / np.maximum(compared[..., 0], 1)
    two *= np.where(alike < 0, -1, 1)[..., None]  # a lead turned upside down
    alike = np.abs(alike)
    enough = np.broadcast_to(compared[..., 0] >= _FEWEST * samples, alike.shape)
    seen = enough & one.any(axis=-1) & two.any(axis=-1)
    every = _excess(one, two, _mean_of(alike, seen, similarity), clear, seen)
    left_out = first.shape[1] // _LEADS_A_STRANGER
    rank = np.where(seen, alike, np.inf).argsort(axis=1).argsort(axis=1)
    others = seen & (rank >= left_out)
    closely = _mean_of(alike, others, np.zeros(len(alike)))
    some = np.flatnonzero((closely >= _CLOSELY) & (every > MAX_CONCENTRATION))
    if left_out and len(some):
        every[some] = _excess(one[some], two[some], closely[some], clear[some], others[some])
    return every


def _mean_of(
    alike: NDArray[np.float32], leads: NDArray[np.bool_], at_least: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(pairs,): the mean over some leads, and no less than what is known of all."""
    mean = (alike * leads).sum(axis=1, dtype=np.float64) / np.maximum(leads.sum(axis=1), 1)
    found: NDArray[np.float64] = np.maximum(mean, at_least)
    return found


def _excess(
    one: Floats, two: Floats, similarity: NDArray[np.float64], clear: NDArray[np.bool_], leads: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`_concentration` over some leads of each pair, (pairs, leads); infinite where there are none."""
    counted = clear & leads[..., None]
    share = 1 / np.maximum(counted.sum(axis=1), 1)
    remainder = (np.square(one - two) * counted).sum(axis=1) * share
    power = ((np.square(one) + np.square(two)) * counted).sum(axis=1) * share / 2
    activity = uniform_filter1d((np.square((one + two) / 2) * counted).sum(axis=1) * share, _SMOOTH, axis=-1)
    overlap = np.asarray(counted.any(axis=1))
    some = np.asarray(overlap.any(axis=1))
    overlap[~some] = True
    inside = np.where(overlap, activity, np.nan)
    active = inside >= np.nanquantile(inside, _ACTIVE, axis=1)[:, None]
    quiet = inside <= np.nanquantile(inside, _QUIET, axis=1)[:, None]

    def mean(x: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.asarray((x * where).sum(axis=1) / where.sum(axis=1), dtype=np.float64)
        return total

    excess = (mean(remainder, active) - mean(remainder, quiet)) / np.maximum(mean(power, active), 1e-12)
    return np.where(some, excess / 2 / (1 - similarity + _NO_NOISE), np.inf)
