"""What was not recorded is left out of a comparison: a copy that is shorter, or has a gap, is found as the whole one is."""

import numpy as np
import pytest

from vitalbench.data.store import Store
from vitalbench.split.alignment import align, spectra
from vitalbench.split.fingerprint import prepare
from vitalbench.split.gaps import gaps_of
from vitalbench.split.neighbours import Signals, search


@pytest.fixture(scope="module")
def signals(small_store) -> np.ndarray:
    return Store(small_store).read(np.arange(40))


def compared(one: np.ndarray, other: np.ndarray):
    both = prepare(np.stack([one, other]), 100)
    return align(both, spectra(both), np.array([0]), np.array([1]))


def zeroed(signal: np.ndarray, start: int, end: int, leads: slice = slice(None)) -> np.ndarray:
    out = signal.copy()
    out[leads, start:end] = 0
    return out


def runs_of(line: np.ndarray, shortest: int) -> np.ndarray:
    """The plain way: a sample at a time."""
    found, start = np.zeros(len(line), bool), 0
    for at in range(1, len(line) + 1):
        if at == len(line) or line[at] != line[start]:
            found[start:at] = at - start >= shortest
            start = at
    return found


@pytest.mark.parametrize("step", [1, 1.13, 2, 5])
def test_spans_are_those_of_a_loop_over_samples(step):
    shortest = round(15 * step)
    rng = np.random.default_rng(shortest)
    signals = rng.integers(-3, 3, (20, 2, 400)).astype(np.float32)
    for record in signals:
        for start, length in zip(rng.integers(0, 400, 3), rng.integers(shortest - 3, shortest + 4, 3), strict=True):
            record[rng.integers(2), start : start + length] = rng.integers(-3, 3)
    plain = np.array([[runs_of(lead, shortest) for lead in record] for record in signals])
    assert plain.any()
    assert not plain.all(axis=-1).any()
    assert np.array_equal(gaps_of(signals, step), plain)


def test_a_short_span_counts_where_all_of_many_leads_have_it(signals):
    assert gaps_of(signals, 2) is None
    found = gaps_of(zeroed(signals[0], 200, 210)[None], 2)
    assert found is not None
    assert found[0, :, 200:210].all()
    assert found.sum() == 120
    assert gaps_of(zeroed(signals[0], 200, 210, slice(11))[None], 2) is None
    assert gaps_of(zeroed(signals[0], 200, 210)[None, :2], 2) is None


def test_a_wholly_flat_lead_is_a_gap(signals):
    found = gaps_of(zeroed(signals[0], 0, 1000, slice(3, 4))[None], 2)
    assert found is not None
    assert found[0, 3].all()
    assert found.sum() == 1000


@pytest.mark.parametrize("seconds", [6, 7, 8, 8.5, 9, 9.3, 9.5, 9.75, 9.9])
def test_a_copy_of_the_first_seconds_is_one(signals, seconds):
    for record in signals[:10]:
        found = compared(record, zeroed(record, int(seconds * 100), 1000))
        assert found.copies[0], found
        assert found.similarity[0] > 0.96
        assert found.lag[0] == pytest.approx(0, abs=0.25)


def test_two_shorter_recordings_are_no_copies_for_having_one_length(signals):
    short = zeroed(signals, 0, 0)
    short[..., 650:] = 0
    prepared = prepare(short, 100)
    a, b = np.triu_indices(40, 1)
    assert not align(prepared, spectra(prepared), a, b).copies.any()


@pytest.mark.parametrize(
    ("what", "start", "end", "leads"),
    [
        ("a second of every lead", 400, 500, slice(None)),
        ("the first two seconds", 0, 200, slice(None)),
        ("half of every lead", 500, 1000, slice(None)),
        ("three seconds of two leads", 300, 600, slice(4, 6)),
        ("a lead", 0, 1000, slice(7, 8)),
    ],
)
def test_a_copy_with_a_gap_is_one_and_the_gap_says_nothing(signals, what, start, end, leads):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=signals.shape) * signals.std(axis=-1, keepdims=True) * 0.1
    for record, noisy in zip(signals[:10], (signals + noise).astype(np.float32), strict=False):
        assert compared(record, zeroed(noisy, start, end, leads)).copies[0], what


def test_a_copy_that_lacks_its_first_seconds_is_found_at_its_lag(signals):
    later = np.zeros_like(signals[0])
    later[:, :700] = signals[0][:, 300:]
    found = compared(signals[0], later)
    assert found.copies[0]
    assert found.lag[0] * 0.02 == pytest.approx(3, abs=0.011)


def test_a_copy_of_which_less_than_the_overlap_was_recorded_is_not_called_one(signals):
    assert compared(signals[0], zeroed(signals[0], 480, 1000)).copies[0]
    assert not compared(signals[0], zeroed(signals[0], 400, 1000)).copies[0]


def test_two_leads_under_each_others_name_leave_a_copy_one_and_strangers_strangers(signals):
    exchanged = signals.copy()
    exchanged[:, [6, 7]] = signals[:, [7, 6]]
    assert all(compared(*pair).copies[0] for pair in zip(signals[:10], exchanged[:10], strict=True))
    prepared = prepare(exchanged, 100)
    a, b = np.triu_indices(40, 1)
    assert not align(prepared, spectra(prepared), a, b).copies.any()


def test_the_search_pairs_shorter_copies_with_their_whole(small_store, tmp_path):
    whole = Store(small_store).read(np.arange(Store(small_store).records))
    short = whole[::5].copy()
    for record, end in zip(short, np.linspace(600, 960, len(short)).astype(int), strict=True):
        record[:, end:] = 0
    every = np.concatenate([whole, short])
    found = search(Signals(len(every), 100, 10.0, lambda at: every[at]), tmp_path, 2)
    copies = {(int(a), int(b)) for a, b in found.loc[found["copy"], ["a", "b"]].to_numpy()}
    assert copies == {(5 * k, len(whole) + k) for k in range(len(short))}
