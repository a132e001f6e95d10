"""Resamples are of patients; a resample that loses a class is redrawn for that class alone."""

import tracemalloc

import numpy as np
import pytest

from vitalbench.evaluate import bootstrap
from vitalbench.evaluate.bootstrap import interval, patient_index, redraw, resample, valid_for


def test_all_records_of_a_patient_are_drawn_together():
    patients = np.array(["b", "a", "b", "c", "a", "b"], dtype=object)
    index, count = patient_index(patients)
    assert count == 3
    weights = resample(index, count, 200, np.random.default_rng(0)).weights(0, 200)
    assert weights.shape == (200, 6)
    for name in "abc":
        columns = weights[:, patients == name]
        assert (columns == columns[:, :1]).all()
    per_patient = np.stack([weights[:, list(patients).index(name)] for name in "abc"])
    assert (per_patient.sum(axis=0) == 3).all()


def test_the_interval_is_wider_than_one_that_takes_records_for_patients():
    rng = np.random.default_rng(1)
    patients = np.repeat([f"p{i}" for i in range(40)], 10).astype(object)
    value = np.repeat(rng.standard_normal(40), 10)
    widths = []
    for names in (patients, np.array([str(i) for i in range(400)], dtype=object)):
        index, count = patient_index(names)
        weights = resample(index, count, 2000, np.random.default_rng(2)).weights(0, 2000)
        low, high = interval(weights @ value / weights.sum(axis=1))
        widths.append(high - low)
    assert widths[0] > 2.5 * widths[1]


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        sample = rng.normal(1.0, 1.0, 60)
        index, count = patient_index(np.arange(60).astype(str).astype(object))
        weights = resample(index, count, 400, rng).weights(0, 400)
        low, high = interval(weights @ sample / 60)
        covered += low <= 1.0 <= high
    assert 0.90 <= covered / 300 <= 0.985


def test_only_resamples_without_the_class_are_redrawn():
    patients = np.array([f"p{i}" for i in range(30)], dtype=object)
    y = np.zeros(30)
    y[4] = 1
    index, count = patient_index(patients)
    drawn = resample(index, count, 500, np.random.default_rng(0))
    own, rate = redraw(drawn, y, [0, 1])
    lost = ~valid_for(drawn.times, y, index)
    before, after = drawn.weights(0, 500), own.weights(0, 500)
    assert (before[:, 4] == 0).tolist() == lost.tolist()
    assert (after @ (y == 1) > 0).all()
    assert (after @ (y == 0) > 0).all()
    assert (after.sum(axis=1) == 30).all()
    assert (after[~lost] == before[~lost]).all()
    assert rate == pytest.approx((1 - 1 / 30) ** 30, abs=0.05)
    again, _ = redraw(drawn, y, [0, 1])
    assert (again.weights(0, 500) == after).all()
    assert (np.concatenate([own.weights(start, start + 70) for start in range(0, 500, 70)]) == after).all()


def test_a_frequent_class_keeps_the_common_resamples():
    y = np.array([0.0, 1.0] * 50)
    index, count = patient_index(np.arange(100).astype(str).astype(object))
    drawn = resample(index, count, 200, np.random.default_rng(0))
    own, rate = redraw(drawn, y, [0])
    assert own is drawn
    assert rate == 0


def plain_resample(patients: int, count: int, seed: int) -> np.ndarray:
    """All draws at once: (count, patients) how often each is drawn."""
    drawn = np.random.default_rng(seed).integers(0, patients, (count, patients))
    return np.stack([np.bincount(row, minlength=patients) for row in drawn])


@pytest.mark.parametrize("at_once", [1, 50, 137, 8_000_000])
def test_the_memory_allowed_changes_no_draw(monkeypatch, at_once):
    monkeypatch.setattr(bootstrap, "_AT_ONCE", at_once)
    index, count = patient_index(np.array([f"{i % 17:02}" for i in range(60)], dtype=object))
    found = resample(index, count, 41, np.random.default_rng(7)).weights(0, 41)
    assert (found == plain_resample(17, 41, 7)[:, index]).all()


def test_memory_grows_with_patients_by_two_bytes_a_resample():
    """400 resamples of 50,000 patients are 40 MB; drawn at once they would take 160 MB three times over."""
    index = np.arange(50_000)
    tracemalloc.start()
    drawn = resample(index, len(index), 400, np.random.default_rng(0))
    drawn.weights(0, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn.times.nbytes == 40_000_000
    assert peak < 40_000_000 + 4 * 8 * bootstrap._AT_ONCE
