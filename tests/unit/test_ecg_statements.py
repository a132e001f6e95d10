"""The stand-in's truth: its prior is a distribution, its posterior is Bayes', its ceiling is what theory says."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from vitalbench.data.datasets import ptbxl
from vitalbench.data.synthetic import ecg_statements as statements


def test_the_prior_is_a_distribution_over_all_71_statements():
    prior = statements.joint()
    assert prior.probability.sum() == pytest.approx(1)
    assert prior.probability.min() > 0
    assert {code for codes in prior.sets for code in codes} == set(statements.CODES)
    assert len(statements.CODES) == 71
    assert len(set(prior.sets)) == len(prior.sets)


def test_every_amount_names_an_axis():
    for code, amounts in statements.CODES.items():
        assert set(amounts) <= set(statements.AXES), code


def test_the_posterior_is_bayes_rule_written_out():
    prior = statements.joint()
    rng = np.random.default_rng(0)
    severity = rng.standard_normal((3, len(statements.AXES)))
    separation = 2.5
    member = np.array([["IMI" in codes, "AFIB" in codes] for codes in prior.sets])
    found = statements.posterior(severity, separation, member)
    for row, expected in zip(severity, found, strict=True):
        likelihood = np.exp(norm.logpdf(row, prior.mean, 1 / separation).sum(axis=1)) * prior.probability
        assert likelihood @ member / likelihood.sum() == pytest.approx(expected, rel=1e-9)


def test_the_ceiling_of_a_statement_alone_on_its_axis_is_phi(monkeypatch):
    """Two sets that differ on one axis by amount a: AUROC is Phi(separation a / sqrt 2), whatever their prevalence."""
    mean = np.zeros((2, len(statements.AXES)))
    mean[1, 3] = 0.8
    two = statements.Prior((("NORM",), ("IMI",)), np.array([0.7, 0.3]), mean)
    monkeypatch.setattr(statements, "joint", lambda *_: two)
    for separation in (1.0, 2.0, 3.0):
        (found,) = statements.attainable_auroc(separation, np.array([[False], [True]]), draws=200_000)
        assert found == pytest.approx(norm.cdf(separation * 0.8 / math.sqrt(2)), abs=0.003)


def test_more_separation_means_a_higher_ceiling(small_dataset):
    classes = ["NORM", "MI", "STTC", "CD", "HYP"]
    ceilings = []
    for separation in (1.0, 3.0):
        standin = small_dataset.standin.model_copy(update={"separation": separation})
        ceilings.append(np.mean(ptbxl.ideal_auroc("superdiagnostic", classes, standin)))
    assert 0.6 < ceilings[0] < ceilings[1] - 0.1 < 1
