"""Resamples are of patients; a resample that loses a class is redrawn for that class alone."""

import numpy as np
import pytest

from vitalbench.evaluate.bootstrap import interval, patient_index, redraw, resample, valid_for


def test_all_records_of_a_patient_are_drawn_together():
    patients = np.array(["b", "a", "b", "c", "a", "b"], dtype=object)
    index, count = patient_index(patients)
    assert count == 3
    weights = resample(index, count, 200, np.random.default_rng(0))
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
        weights = resample(index, count, 2000, np.random.default_rng(2))
        low, high = interval(weights @ value / weights.sum(axis=1))
        widths.append(high - low)
    assert widths[0] > 2.5 * widths[1]


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        sample = rng.normal(1.0, 1.0, 60)
        index, count = patient_index(np.arange(60).astype(str).astype(object))
        weights = resample(index, count, 400, rng)
        low, high = interval(weights @ sample / 60)
        covered += low <= 1.0 <= high
    assert 0.90 <= covered / 300 <= 0.985


def test_only_resamples_without_the_class_are_redrawn():
    patients = np.array([f"p{i}" for i in range(30)], dtype=object)
    y = np.zeros(30)
    y[4] = 1
    index, count = patient_index(patients)
    drawn = resample(index, count, 500, np.random.default_rng(0))
    weights, rate = redraw(drawn, y, index, count, [0, 1])
    lost = ~valid_for(drawn, y)
    assert valid_for(weights, y).all()
    assert (weights[~lost] == drawn[~lost]).all()
    assert rate == pytest.approx((1 - 1 / 30) ** 30, abs=0.05)
    again, _ = redraw(drawn, y, index, count, [0, 1])
    assert (again == weights).all()


def test_a_frequent_class_keeps_the_common_resamples():
    y = np.array([0.0, 1.0] * 50)
    index, count = patient_index(np.arange(100).astype(str).astype(object))
    drawn = resample(index, count, 200, np.random.default_rng(0))
    weights, rate = redraw(drawn, y, index, count, [0])
    assert weights is drawn
    assert rate == 0
