"""How an error falls with the number of patients, and what it would be with more of them.

error(N) = floor + scale * N ** -exponent, the form in which learning curves have been found to fall (Hestness et al. 2017,
arXiv 1712.00409); the floor is what more patients do not take away. It is fitted by least squares on the errors themselves. Under
a given exponent the other two are a line with two bounds, which has a closed form, so only the exponent is searched for (variable
projection: Golub and Pereyra, SIAM J Numer Anal 10, 413 (1973)). The interval is of the same fit to every bootstrap replicate, so
it holds what the test patients and the seeds leave open, and not whether the form goes on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.bootstrap import interval

FEWEST = 4  # rungs: three parameters are fitted
FARTHEST = 10.0  # times the largest rung
LEAST_EXPONENT, MOST_EXPONENT = 0.01, 10.0  # as good as a line over log N; all of the fall by the second rung
_TRIED = 61  # exponents, evenly in their logarithm; the best is refined between its neighbours
_NARROWED = 40  # times 0.618: to a billionth of two steps of the grid
_GOLDEN = (np.sqrt(5) - 1) / 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Power laws, one a replicate: error = floor + scale * (patients / first) ** -exponent.

    Attributes:
        floor: (replicates,), 0 or more.
        scale: (replicates,), 0 or more: what falls, at the first rung.
        exponent: (replicates,), LEAST_EXPONENT to MOST_EXPONENT.
        first: the patients of the first rung.
    """

    floor: Floats
    scale: Floats
    exponent: Floats
    first: float

    def at(self, patients: float) -> Floats:
        """The error at a number of patients, one a replicate."""
        found: Floats = self.floor + self.scale * (patients / self.first) ** -self.exponent
        return found


def _lines(times: Floats, errors: Floats, exponent: Floats) -> tuple[Floats, Floats, Floats]:
    """Floor and scale that fit best under given exponents, neither below 0, and the sum of squares that is left.

    Args:
        times: (rungs,) patients over those of the first rung.
        errors: (replicates, 1, rungs).
        exponent: (replicates or 1, exponents).
    """
    falls = times ** -exponent[..., None]
    mean, middle = falls.mean(axis=-1), errors.mean(axis=-1)
    centred = falls - mean[..., None]
    scale = np.maximum((centred * errors).sum(axis=-1) / (centred**2).sum(axis=-1), 0)
    floor = middle - scale * mean
    # Errors are 0 or more, so a scale at its bound leaves a floor that is not below its own: one bound at most is met.
    below = floor < 0
    scale = np.where(below, (falls * errors).sum(axis=-1) / (falls**2).sum(axis=-1), scale)
    floor = np.where(below, 0, floor)
    left = np.square(floor[..., None] + scale[..., None] * falls - errors).sum(axis=-1)
    return floor, scale, left


def fit(patients: Floats, errors: Floats) -> Fit:
    """Fit a law to every row, by least squares.

    Args:
        patients: (rungs,) increasing.
        errors: (replicates, rungs), 0 or more.
    """
    times, rows = patients / patients[0], errors[:, None]

    def left(log_exponent: Floats) -> Floats:
        return _lines(times, rows, np.exp(log_exponent)[:, None])[2][:, 0]

    tried = np.linspace(np.log(LEAST_EXPONENT), np.log(MOST_EXPONENT), _TRIED)
    best = _lines(times, rows, np.exp(tried)[None])[2].argmin(axis=1)
    low, high = tried[np.maximum(best - 1, 0)], tried[np.minimum(best + 1, _TRIED - 1)]
    for _ in range(_NARROWED):
        inner = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        nearer = left(inner[0]) <= left(inner[1])
        low, high = np.where(nearer, low, inner[0]), np.where(nearer, inner[1], high)
    exponent = np.exp((low + high) / 2)
    floor, scale, _ = _lines(times, rows, exponent[:, None])
    return Fit(floor[:, 0], scale[:, 0], exponent, float(patients[0]))


@dataclass(frozen=True)
class Extrapolated:
    """An error at a number of patients that nothing was trained on, or why there is none.

    Attributes:
        low, high: the 95 % percentile interval over replicates.
        floor, exponent: of the law through the errors themselves.
        at_last: what that law has for the largest rung.
    """

    error: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    exponent: float | None = None
    at_last: float | None = None
    reason: str = ""


def extrapolate(patients: Floats, errors: Floats, replicates: Floats, to: float) -> Extrapolated:
    """What the error would be at `to` patients.

    Args:
        patients: (rungs,) increasing.
        errors: (rungs,).
        replicates: (replicates, rungs) of the errors; those with a value that is not finite are left out.
    """
    if len(patients) < FEWEST:
        return Extrapolated(reason=f"{len(patients)} rungs with an interval; a law of three parameters needs {FEWEST}")
    if to > FARTHEST * patients[-1]:
        return Extrapolated(reason=f"{to:,.0f} patients are more than {FARTHEST:g} times the largest rung's")
    if (errors <= 0).any():
        return Extrapolated(reason="a rung has no error left to fall")
    known = replicates[np.isfinite(replicates).all(axis=1)]
    low, high = interval(known[:, 0] - known[:, -1]) if len(known) else (np.nan, np.nan)
    if not low > 0:
        told = f"{errors[0] - errors[-1]:.3f} from the first rung to the last, interval {low:.3f} to {high:.3f}"
        return Extrapolated(reason=f"the error does not fall: {told}")
    law, drawn = fit(patients, errors[None]), fit(patients, known).at(to)
    return Extrapolated(
        float(law.at(to)[0]),
        *interval(drawn),
        floor=float(law.floor[0]),
        exponent=float(law.exponent[0]),
        at_last=float(law.at(patients[-1])[0]),
    )
