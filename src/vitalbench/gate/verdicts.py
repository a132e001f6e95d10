"""What a value says beside its baseline: the terms that accuracy and speed share.

Both look to either side: a design that is suddenly better or faster is as suspicious as one that is worse or slower.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["pass", "fail", "no-verdict"]
ON_AN_IDLE_MACHINE = "one more measurement on an idle machine would decide"
# Of each one-sided test (Schuirmann, J Pharmacokinet Biopharm 15, 657, 1987), and of a difference, which of metrics is one that all
# of a check share (Bonferroni).
ALPHA = 0.05
POWER = 0.8
MOST = 1000  # seeds or jobs that are ever said to be needed


@dataclass(frozen=True)
class Judged:
    """A verdict and its terms.

    Attributes:
        difference: now minus before, in the metric's unit; of speed the ratio of times now to before, minus 1.
        low, high: of its interval; None where there is none.
        detectable: the least difference that these numbers of seeds or jobs would find four times in five.
        needed: how many seeds or jobs it would take to settle a `no-verdict`; None elsewhere, and where none would.
        reason: in a few words.
    """

    verdict: Verdict
    difference: float
    low: float | None
    high: float | None
    detectable: float | None
    needed: int | None
    reason: str


def first(counts: NDArray[np.int_], settled: NDArray[np.bool_]) -> int | None:
    """The least of some counts that settles it; None where none does."""
    return int(counts[settled.argmax()]) if settled.any() else None
