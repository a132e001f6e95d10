"""A number with its interval over patients, as a table tells it: which interval it is, and why one is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

from vitalbench.evaluate.bootstrap import LEVEL
from vitalbench.evaluate.subset import FEW_PATIENTS

_RESAMPLED, _EXACT = "percentile", "exact: "  # which interval, in the column `interval`


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval over patients; None where it has none, or is not defined.

    Attributes:
        exact: the interval is Clopper and Pearson's, not one of resamples.
        why: there is no interval, or no value.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    exact: bool = False
    why: str = ""

    def named(self, name: str) -> dict[str, float | None]:
        """As columns of a table."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def told_columns(values: Mapping[str, Value]) -> dict[str, Any]:
    """Values by their names as columns of a row: each with its interval, then which interval it is and why one is missing."""
    exact = [name for name, value in values.items() if value.exact]
    drawn = any(value.low is not None and not value.exact for value in values.values())
    kinds = [_RESAMPLED] * drawn + [_EXACT + ", ".join(exact)] * bool(exact)
    columns = {key: part for name, value in values.items() for key, part in value.named(name).items()}
    return columns | {"interval": "; ".join(kinds), "reason": _reason(values)}


def exact_ones(interval: str) -> list[str]:
    """The values of a row whose intervals are exact, as its column `interval` names them.

    >>> exact_ones("percentile; exact: sensitivity, npv")
    ['sensitivity', 'npv']
    """
    return interval.partition(_EXACT)[2].split(", ")


def _reason(values: Mapping[str, Value]) -> str:
    """Why values stand alone: of all alike, or those it holds of by name."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for name, value in values.items():
        if value.why:
            lacking.setdefault(("interval" if value.value is not None else "value", value.why), []).append(name)
    return "; ".join(
        f"no {what}: {why}" if len(names) == len(values) else f"no {what} of {', '.join(names)}: {why}"
        for (what, why), names in lacking.items()
    )


def few_patients(count: int, whose: str = "{}") -> str:
    """Why so few patients are too few to vary a value; empty where they are enough.

    >>> few_patients(1, "positive {}"), few_patients(9)
    ('1 positive patient, fewer than 5', '')
    """
    patients = whose.format("patient" if count == 1 else "patients")
    return f"{count} {patients}, fewer than {FEW_PATIENTS}" if count < FEW_PATIENTS else ""


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """The exact 95 % interval of a share of independent units (Clopper and Pearson 1934).

    >>> [round(end, 4) for end in clopper_pearson(0, 7)]
    [0.0, 0.4096]
    """
    tail = (100 - LEVEL) / 200
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
