"""Every metric equals the field's library where it has one, the written definition where it has not, and weights are copies."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn import metrics as sk

from vitalbench.evaluate import metrics, ranking
from vitalbench.evaluate.ranking import Ranking


@st.composite
def scored(draw, ties=True):
    """A class's truths (both present) and scores, with ties and exact 0 and 1 among them."""
    n = draw(st.integers(4, 60))
    y = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    y[0], y[1] = 0.0, 1.0
    steps = st.integers(0, 20).map(lambda i: i / 20) if ties else st.floats(0, 1, width=32)
    p = np.array(draw(st.lists(steps, min_size=n, max_size=n)))
    return y, p


def one_class(y, p, w, threshold=0.5, known=None):
    known = np.ones(len(y), dtype=bool) if known is None else known
    sums = metrics.label_sums(y, p, p >= threshold, known)
    found = sums.finish(w @ sums.columns)
    found["auroc"], found["auprc"] = Ranking.of(y[known], p[known], np.flatnonzero(known)).auroc_auprc(w.T)
    return found


def library(y, p, threshold=0.5, w=None):
    d = (p >= threshold).astype(float)
    return {
        "auroc": sk.roc_auc_score(y, p, sample_weight=w),
        "auprc": sk.average_precision_score(y, p, sample_weight=w),
        "f1": sk.f1_score(y, d, sample_weight=w, zero_division=0.0),
        "accuracy": sk.accuracy_score(y, d, sample_weight=w),
        "sensitivity": sk.recall_score(y, d, sample_weight=w),
        "specificity": sk.recall_score(y, d, pos_label=0, sample_weight=w),
        "ppv": sk.precision_score(y, d, sample_weight=w, zero_division=np.nan),
        "npv": sk.precision_score(y, d, pos_label=0, sample_weight=w, zero_division=np.nan),
        "brier": sk.brier_score_loss(y, p, sample_weight=w),
    }


@settings(max_examples=150, deadline=None)
@given(st.one_of(scored(), scored(ties=False)))
def test_values_equal_scikit_learns(case):
    y, p = case
    found = one_class(y, p, np.ones((1, len(y))))
    for name, value in library(y, p).items():
        assert found[name][0] == pytest.approx(value, abs=1e-12, nan_ok=True), name


@pytest.mark.skipif(ranking._IN_C is None, reason="no compiler when vitalbench was installed")
@settings(max_examples=80, deadline=None)
@given(scored(), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_the_compiled_areas_are_numpys(case, weightings, seed):
    y, p = case
    w = np.random.default_rng(seed).integers(0, 4, (len(y), weightings)).astype(np.float64)
    w[:2] += 1  # both truths count
    ranked = Ranking.of(y, p, np.arange(len(y)))
    assert np.allclose(ranked.auroc_auprc(w), ranked.by_numpy(w), rtol=0, atol=1e-14)
    assert np.array_equal(ranked.auroc_auprc(w.astype(np.float32)), ranked.auroc_auprc(w))


def test_both_take_as_many_weightings_at_once():
    source = Path(ranking.__file__).with_name("rank_areas.c").read_text()
    assert f"#define AT_ONCE {ranking._AT_ONCE} " in source


@settings(max_examples=80, deadline=None)
@given(scored(), st.integers(0, 2**32 - 1))
def test_a_weight_is_a_number_of_copies(case, seed):
    y, p = case
    w = np.random.default_rng(seed).integers(0, 4, len(y)).astype(float)
    w[:2] += 1  # keeps both truths
    copies = np.repeat(np.arange(len(y)), w.astype(int))
    weighted, copied = one_class(y, p, w[None]), one_class(y[copies], p[copies], np.ones((1, len(copies))))
    for name in weighted:
        assert weighted[name][0] == pytest.approx(copied[name][0], abs=1e-12, nan_ok=True), name
    for name, value in library(y, p, w=w).items():
        assert weighted[name][0] == pytest.approx(value, abs=1e-12, nan_ok=True), name


@given(scored(), st.integers(0, 2**32 - 1))
def test_many_weightings_at_once_are_each_weighting_alone(case, seed):
    y, p = case
    w = np.random.default_rng(seed).integers(0, 3, (130, len(y))).astype(float)
    w[:, :2] += 1
    together = one_class(y, p, w)
    for at in (0, 63, 64, 129):
        alone = one_class(y, p, w[at : at + 1])
        for name in together:
            assert together[name][at] == pytest.approx(alone[name][0], abs=1e-12, nan_ok=True), name


@given(scored())
def test_auroc_and_average_precision_see_the_order_alone(case):
    y, p = case
    w = np.ones((1, len(y)))
    a, b = one_class(y, p, w), one_class(y, (p + 1) ** 3 / 8, w)
    assert a["auroc"] == pytest.approx(b["auroc"], abs=1e-12)
    assert a["auprc"] == pytest.approx(b["auprc"], abs=1e-12)
    assert one_class(y, 1 - p, w)["auroc"] == pytest.approx(1 - a["auroc"], abs=1e-12)


@given(scored())
def test_unlabelled_records_do_not_count(case):
    y, p = case
    longer_y, longer_p = np.append(y, [np.nan, np.nan]), np.append(p, [0.9, 0.1])
    known = ~np.isnan(longer_y)
    found = one_class(longer_y, longer_p, np.ones((1, len(longer_y))), known=known)
    expected = one_class(y, p, np.ones((1, len(y))))
    for name in expected:
        assert found[name][0] == pytest.approx(expected[name][0], abs=1e-12, nan_ok=True), name


def test_ece_by_hand():
    """Two bins: 0.1 three times with one positive, 0.95 twice with two: (3/5)|0.1 - 1/3| + (2/5)|0.95 - 1|."""
    y, p = np.array([0.0, 0, 1, 1, 1]), np.array([0.1, 0.1, 0.1, 0.95, 0.95])
    found = one_class(y, p, np.ones((1, 5)))["ece"][0]
    assert found == pytest.approx(3 / 5 * abs(0.1 - 1 / 3) + 2 / 5 * 0.05)


def test_a_probability_of_one_is_in_the_last_bin():
    assert one_class(np.array([0.0, 1]), np.array([1.0, 1]), np.ones((1, 2)))["ece"][0] == pytest.approx(0.5)


def plain_fmax(y, p):
    """The benchmark's definition, a threshold and a record at a time."""
    best = 0.0
    for threshold in np.arange(101) / 100:
        precisions, recalls = [], []
        for truth, probability in zip(y, p, strict=True):
            predicted = probability >= threshold
            hits = (predicted & (truth > 0)).sum()
            if predicted.any():
                precisions.append(hits / predicted.sum())
            if truth.any():
                recalls.append(hits / truth.sum())
        if precisions and recalls and np.mean(precisions) + np.mean(recalls) > 0:
            a, b = np.mean(precisions), np.mean(recalls)
            best = max(best, 2 * a * b / (a + b))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fmax_is_the_benchmarks(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random((25, 4)) < 0.3).astype(float)
    y[0, 0] = 1
    p = rng.random((25, 4)).round(2)
    sums = metrics.fmax_sums(y, p, np.ones(25, dtype=bool))
    assert sums.finish(np.ones((1, 25)) @ sums.columns)["fmax"][0] == pytest.approx(plain_fmax(y, p), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_kl_is_scipys_relative_entropy(seed):
    rng = np.random.default_rng(seed)
    y, p = rng.dirichlet([0.5] * 6, 20), rng.dirichlet([1.0] * 6, 20)
    y[0] = [1, 0, 0, 0, 0, 0]
    sums = metrics.record_sums(y, p, np.ones(20, dtype=bool))
    found = sums.finish(np.ones((1, 20)) @ sums.columns)
    assert found["kl"][0] == pytest.approx(np.mean(entropy(y, p, axis=1)), abs=1e-9)
    assert found["accuracy"][0] == pytest.approx((y.argmax(1) == p.argmax(1)).mean())
    assert found["brier"][0] == pytest.approx(((p - y) ** 2).sum(1).mean())


def test_kl_of_an_impossible_truth_is_finite_and_large():
    y, p = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    sums = metrics.record_sums(y, p, np.ones(1, dtype=bool))
    assert sums.finish(np.ones((1, 1)) @ sums.columns)["kl"][0] == pytest.approx(-np.log(1e-15))


@settings(max_examples=60, deadline=None)
@given(scored(), st.integers(0, 2**32 - 1))
def test_the_chosen_threshold_has_the_best_f1_of_the_weighted_records(case, seed):
    y, p = case
    w = np.random.default_rng(seed).integers(1, 5, len(y)).astype(float)
    threshold = metrics.best_f1_threshold(y, p, w)
    chosen = sk.f1_score(y, p >= threshold, sample_weight=w)
    best = max(sk.f1_score(y, p >= t, sample_weight=w) for t in np.unique(p))
    assert chosen == pytest.approx(best, abs=1e-12)
