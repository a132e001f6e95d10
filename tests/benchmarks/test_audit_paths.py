"""The search for near-duplicates, timed beside the plain way: every pair of records, every lag."""

from statistics import median

import numpy as np
import pytest

from tests.plain_alignment import best_correlation
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.measure.clock import Stopwatch
from vitalbench.split.alignment import MIN_OVERLAP
from vitalbench.split.fingerprint import prepare
from vitalbench.split.neighbours import Signals, search

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RECORDS = 2000
WHOLE = 21_800  # PTB-XL's size, to which a search's time grows no faster than the square


@pytest.fixture(scope="module")
def signals():
    rng = np.random.default_rng(0)
    severity = rng.standard_normal((RECORDS, len(AXES))) / 3
    traits = ecg.Traits.draw(RECORDS, rng)
    drawn = ecg.waveforms(severity, traits, rng, rate_hz=100, seconds=10.0, noise_mv=0.03)
    return Signals(RECORDS, 100, 10.0, lambda at: drawn[at].astype(np.float32) / ecg.UNITS_PER_MV)


def test_search_against_every_pair_and_lag(benchmark, beside, signals, tmp_path):
    prepared = prepare(signals.read(np.arange(12)), 100)
    taken = []
    for a, b in zip(range(0, 12, 2), range(1, 12, 2), strict=True):
        watch = Stopwatch()
        best_correlation(prepared[a], prepared[b], MIN_OVERLAP)
        taken.append(watch.lap())
    plain = median(taken) * RECORDS * (RECORDS - 1) / 2
    beside(lambda: search(signals, tmp_path, 2))
    ratio = plain / benchmark.stats["median"]
    benchmark.extra_info["plain / fast"] = round(ratio)
    assert ratio >= 500
