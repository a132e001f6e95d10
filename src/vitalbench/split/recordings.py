"""Near-duplicate recordings of a store whose records are windows: what is compared is a stretch of each recording, not its windows.

A beat, or ten seconds of a regular rhythm, correlates with those of thousands of strangers as a copy does; a minute does not, for
no two hearts keep step so long. So the windows of each recording are laid side by side where they belong in time, a minute of that
is searched as a record is (split/neighbours.py), and of recordings that are copies the windows of the same time are the pairs.
Where one recording in ten is shorter, so is the stretch of all.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.data.datasets import RECORDING
from vitalbench.data.store import Store
from vitalbench.split.fingerprint import Floats

LONGEST_S = 60.0
_SHORT = 0.1  # share of recordings that may be shorter than the stretch
_ENOUGH = 0.9  # of a stretch that has samples: the first such is taken, else the one with most
_ROUNDING_S = 1e-6
_LEAD = "lead"  # where a window is of one lead of its recording, its name

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Stretch:
    """A minute of one recording, or of one of its leads.

    Attributes:
        start_s: in the recording's time.
        seconds: its length, of all the same.
        windows: the recording's, by time: record_id, row, start_s, end_s.
    """

    recording: str
    start_s: float
    seconds: float
    windows: pd.DataFrame

    @property
    def inside(self) -> pd.DataFrame:
        """The windows that lie in it."""
        starts, ends = self.windows["start_s"], self.windows["end_s"]
        return self.windows[(starts >= self.start_s) & (ends <= self.start_s + self.seconds + _ROUNDING_S)]


def _covered(windows: pd.DataFrame) -> NDArray[np.float64]:
    """(windows + 1,) seconds of a recording that windows cover, up to each; they are in the order of their starts."""
    starts, ends = windows["start_s"].to_numpy(), windows["end_s"].to_numpy()
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ends)[:-1]])
    return np.concatenate([[0.0], np.cumsum(np.maximum(ends - np.maximum(starts, before), 0.0))])


def _begin(windows: pd.DataFrame, seconds: float) -> float:
    """Where a recording's stretch begins: at the first of its windows from which on it is nearly covered."""
    starts, covered = windows["start_s"].to_numpy(), _covered(windows)
    last = np.searchsorted(starts, starts + seconds)
    share = (covered[last] - covered[np.arange(len(starts))]) / seconds
    enough = np.flatnonzero(share >= _ENOUGH)
    return float(starts[enough[0] if len(enough) else share.argmax()])


def stretches(records: pd.DataFrame) -> list[Stretch]:
    """One of every recording, and where windows are of single leads one of each lead.

    Args:
        records: of the store, with recording_id, start_s and end_s.
    """
    keys = [RECORDING, *([_LEAD] if _LEAD in records.columns else [])]
    kept = records[["record_id", "row", "start_s", "end_s", *keys]]
    by_time = {
        "\t".join(map(str, key)): windows.sort_values("start_s", ignore_index=True)
        for key, windows in kept.groupby(keys, sort=True)
    }
    there = [_covered(windows)[-1] for windows in by_time.values()]
    seconds = min(LONGEST_S, float(np.quantile(there, _SHORT, method="higher")))
    return [Stretch(key.partition("\t")[0], _begin(of, seconds), seconds, of) for key, of in by_time.items()]


def leads_that_change(store: Store, stretch: Stretch) -> Rows:
    """The leads that are not the same in every window; what is (edb's reference) stands beside the recording, not in its time."""
    rows = stretch.inside["row"].to_numpy(dtype=np.intp)[:2]
    shown = store.read(rows)
    changing = [lead for lead in range(shown.shape[1]) if len(rows) < 2 or not np.array_equal(*shown[:, lead])]
    return np.array(changing or range(shown.shape[1]), dtype=np.intp)


def read(store: Store, found: list[Stretch], leads: Rows, at: Rows) -> Floats:
    """(stretches, leads, samples) in millivolt; what no window covers is the mean of what one does."""
    samples = round(found[0].seconds * store.rate_hz)
    joined = np.zeros((len(at), len(leads), samples), dtype=np.float32)
    for place, stretch in enumerate(found[number] for number in at):
        inside = stretch.inside
        covered = np.zeros(samples, dtype=bool)
        signals = store.read(inside["row"].to_numpy(dtype=np.intp))[:, leads]
        for start_s, signal in zip(inside["start_s"], signals, strict=True):
            first = round((start_s - stretch.start_s) * store.rate_hz)
            here = slice(first, min(first + signal.shape[1], samples))
            joined[place, :, here] = signal[:, : here.stop - here.start]
            covered[here] = True
        if covered.any() and not covered.all():
            joined[place][:, ~covered] = joined[place][:, covered].mean(axis=1, keepdims=True)
    return joined


def window_pairs(a: Stretch, b: Stretch, lag_s: float) -> list[tuple[str, str]]:
    """The windows of two copies that are of the same time.

    Args:
        lag_s: how much later b's stretch begins than a's, in what was recorded.
    """
    theirs = b.windows["start_s"].to_numpy()
    expected = a.windows["start_s"].to_numpy() - a.start_s - lag_s + b.start_s
    right = np.searchsorted(theirs, expected).clip(1, max(len(theirs) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(theirs) - 1)
    nearest = np.where(np.abs(theirs[left] - expected) <= np.abs(theirs[right] - expected), left, right)
    half = (a.windows["end_s"] - a.windows["start_s"]).to_numpy() / 2
    same = np.flatnonzero(np.abs(theirs[nearest] - expected) < half)
    names, others = a.windows["record_id"].to_numpy(), b.windows["record_id"].to_numpy()
    return [(str(names[at]), str(others[nearest[at]])) for at in same]
