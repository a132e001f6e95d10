"""How an error falls with the number of patients, and what it would be with more of them.

error(N) = floor + scale * N ** -exponent, the form in which learning curves have been found to fall (Hestness et al. 2017,
arXiv 1712.00409); the floor is what more patients do not take away. It is fitted by least squares on the errors, the floor tried on
a grid and the other two by a line through the logarithms. The interval is of the same fit to every bootstrap replicate, so it holds
what the test patients and the seeds leave open, and not whether the form goes on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitalbench.evaluate.bootstrap import interval

FEWEST = 4  # rungs: three parameters are fitted
FARTHEST = 10.0  # times the largest rung
_FLOORS = np.linspace(0, 0.98, 50)  # of the least error

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Power laws, one a replicate: error = floor + scale * patients ** -exponent."""

    floor: Floats
    scale: Floats
    exponent: Floats

    def at(self, patients: float) -> Floats:
        """The error at a number of patients, one a replicate."""
        found: Floats = self.floor + self.scale * patients**-self.exponent
        return found


def fit(patients: Floats, errors: Floats) -> Fit:
    """Fit a law to every row.

    Args:
        patients: (rungs,) increasing.
        errors: (replicates, rungs), all above 0.
    """
    x = np.log(patients) - np.log(patients).mean()
    floors = errors.min(axis=1)[:, None] * _FLOORS  # (replicates, floors)
    y = np.log(errors[:, None] - floors[..., None])
    slope = (y * x).sum(axis=-1) / (x**2).sum()
    middle = y.mean(axis=-1)
    drawn = floors[..., None] + np.exp(middle[..., None] + slope[..., None] * x)
    best = np.square(drawn - errors[:, None]).sum(axis=-1).argmin(axis=1)
    row = np.arange(len(errors))
    exponent = -slope[row, best]
    scale = np.exp(middle[row, best] + exponent * np.log(patients).mean())
    return Fit(floors[row, best], scale, exponent)


@dataclass(frozen=True)
class Extrapolated:
    """An error at a number of patients that nothing was trained on, or why there is none.

    Attributes:
        low, high: the 95 % percentile interval over replicates.
        floor, exponent: of the law through the errors themselves.
    """

    error: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    exponent: float | None = None
    reason: str = ""


def extrapolate(patients: Floats, errors: Floats, replicates: Floats, to: float) -> Extrapolated:
    """What the error would be at `to` patients.

    Args:
        patients: (rungs,) increasing.
        errors: (rungs,).
        replicates: (replicates, rungs) of the errors.
    """
    if len(patients) < FEWEST:
        return Extrapolated(reason=f"{len(patients)} rungs with an interval; a law of three parameters needs {FEWEST}")
    if to > FARTHEST * patients[-1]:
        return Extrapolated(reason=f"{to:,.0f} patients are more than {FARTHEST:g} times the largest rung's")
    if (errors <= 0).any():
        return Extrapolated(reason="a rung has no error left to fall")
    known = replicates[(replicates > 0).all(axis=1) & np.isfinite(replicates).all(axis=1)]
    low, high = interval(known[:, 0] - known[:, -1]) if len(known) else (np.nan, np.nan)
    if not low > 0:
        told = f"{errors[0] - errors[-1]:.3f} from the first rung to the last, interval {low:.3f} to {high:.3f}"
        return Extrapolated(reason=f"the error does not fall: {told}")
    law, drawn = fit(patients, errors[None]), fit(patients, known).at(to)
    return Extrapolated(
        float(law.at(to)[0]), *interval(drawn), floor=float(law.floor[0]), exponent=float(law.exponent[0])
    )
