"""A class's positives weigh as much as its negatives where that is asked, and nothing else changes."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from vitalbench.train.losses import Balanced, asked_of, kind_of, loss_function

LABELS = np.array([[1, 0], [0, 0], [0, 0], [0, 1]], dtype=np.float32)


def test_a_positive_weighs_as_all_negatives_of_its_class():
    asked = asked_of("multilabel", "balanced", np.array([[1, 0], [0, 0], [0, 0], [0, 1], [0, 1]], dtype=np.float32))
    assert isinstance(asked, Balanced)
    assert asked.positive.tolist() == pytest.approx([4.0, 1.5])
    assert asked_of("multilabel", None, LABELS) == "multilabel"
    assert asked_of("multilabel", "balanced", np.zeros((3, 1), np.float32)).positive.tolist() == [
        3.0
    ]  # none to divide by


def test_the_loss_is_the_plain_weighted_sum():
    logits, y = torch.randn(4, 2), torch.from_numpy(LABELS)
    asked = asked_of("multilabel", "balanced", LABELS)
    p = logits.sigmoid()
    plain = -(asked.positive * y * p.log() + (1 - y) * (1 - p).log()).mean()
    assert torch.allclose(loss_function(asked)(logits, y), plain, atol=1e-6)


def test_what_is_asked_has_the_tasks_kind_behind_it_if_any():
    assert kind_of("multiclass") == "multiclass"
    assert kind_of(asked_of("multilabel", "balanced", LABELS)) == "multilabel"
    assert kind_of(functional.mse_loss) is None


def test_the_best_constant_is_a_half_whatever_the_prevalence():
    """Balanced, so an uninformed model says one half: the probabilities are of a balanced class."""
    y = torch.zeros(1000, 1)
    y[:30] = 1
    asked = asked_of("multilabel", "balanced", y.numpy())
    losses = {logit: float(asked(torch.full((1000, 1), logit), y)) for logit in (-0.5, 0.0, 0.5)}
    assert min(losses, key=losses.get) == 0.0
