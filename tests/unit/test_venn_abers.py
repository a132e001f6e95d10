"""Venn-Abers intervals hold what they promise, and are as wide as the calibration records are few."""

import numpy as np
import pytest

from vitalbench.evaluate.venn_abers import merged, venn_abers


def drawn(records: int, rng: np.random.Generator):
    """Scores that are too sure of themselves, and truths drawn from what they should have said."""
    right = rng.random(records)
    return right**3 / (right**3 + (1 - right) ** 3), (rng.random(records) < right).astype(float), right


def test_the_ends_are_in_order_and_inside_zero_and_one():
    rng = np.random.default_rng(0)
    scores, truth, _ = drawn(200, rng)
    for score in (0.0, *rng.random(20), 1.0):
        low, high = venn_abers(scores, truth, score)
        assert 0 <= low < high <= 1


def test_it_mends_a_model_that_is_too_sure():
    rng = np.random.default_rng(1)
    scores, truth, _ = drawn(4000, rng)
    new, _, right = drawn(200, rng)
    ends = np.array([venn_abers(scores, truth, score) for score in new])
    one = np.array([merged(low, high) for low, high in ends])
    assert ((ends[:, 0] <= one) & (one <= ends[:, 1])).all()
    assert np.abs(one - right).mean() < 0.03
    assert np.abs(new - right).mean() > 0.1


def test_it_is_wide_where_little_is_known_and_narrow_where_much_is():
    rng = np.random.default_rng(2)
    widths = []
    for records in (10, 100, 1000):
        scores, truth, _ = drawn(records, rng)
        widths.append(np.mean([np.ptp(venn_abers(scores, truth, score)) for score in np.linspace(0.05, 0.95, 19)]))
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_records_without_a_label_teach_nothing():
    rng = np.random.default_rng(3)
    scores, truth, _ = drawn(60, rng)
    padded = np.concatenate([scores, rng.random(40)]), np.concatenate([truth, np.full(40, np.nan)])
    assert venn_abers(*padded, 0.4) == venn_abers(scores, truth, 0.4)
    assert venn_abers(np.array([0.3]), np.array([np.nan]), 0.4) == (0.0, 1.0)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_one_class_alone_leaves_the_other_end_open_by_one_record(truth):
    low, high = venn_abers(np.full(9, 0.5), np.full(9, truth), 0.5)
    assert (low, high) == pytest.approx((0, 0.1) if truth == 0 else (0.9, 1.0))
