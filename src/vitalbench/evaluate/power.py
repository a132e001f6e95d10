"""What a comparison could have found, and what it would take to find what it did not, by normal approximation, uncorrected."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SURE = 1.96 + 0.84  # standard errors a difference has to measure to be found four times in five at 5 %, two-sided


@dataclass(frozen=True)
class Errors:
    """The standard error of a paired difference, by where it is from: which patients were tested, which seeds trained."""

    patients: float
    seeds: float

    @property
    def both(self) -> float:
        """Of the difference."""
        return math.hypot(self.patients, self.seeds)

    @property
    def detectable(self) -> float:
        """The least difference that is found four times in five."""
        return _SURE * self.both


def errors(a: NDArray[np.float64], b: NDArray[np.float64], same_seeds: bool = False) -> Errors:
    """Standard errors of a - b from replicates, (seeds, resamples) each: resamples redraw patients, rows are seeds.

    Args:
        same_seeds: row by row both were trained with the same seed.
    """
    patients = float(np.std(a.mean(axis=0) - b.mean(axis=0)))
    varied = (a - b,) if same_seeds else (a, b)
    of_seeds = [np.var(series.mean(axis=1), ddof=1) / len(series) for series in varied if len(series) > 1]
    return Errors(patients, math.sqrt(sum(of_seeds)))


def _times(own: float, other: float, wanted: float) -> float | None:
    """How many times as much of one kind there has to be for both errors to reach `wanted`; None where the other alone is more."""
    left = wanted**2 - other**2
    return own**2 / left if left > 0 else None


def would_decide(found: Errors, difference: float, margin: float | None, patients: int, seeds: int) -> str:
    """What it would take to tell a difference of the size that was seen, or of the margin where that is larger."""
    wanted = max(abs(difference), margin or 0.0)
    if not wanted or not found.both:
        return ""
    said = f"detectable here {found.detectable:.3f}; for {wanted:.3f} "
    more = _times(found.patients, found.seeds, wanted / _SURE)
    if more is not None:
        return said + f"about {max(math.ceil(patients * more), patients):,} patients ({patients:,} here)"
    more = _times(found.seeds, found.patients, wanted / _SURE)
    if more is not None:
        return said + f"about {max(math.ceil(seeds * more), seeds + 1)} seeds ({seeds} here)"
    both = (found.both * _SURE / wanted) ** 2
    return (
        said
        + f"about {math.ceil(patients * both):,} patients and {math.ceil(seeds * both)} seeds ({patients:,} and {seeds} here)"
    )
