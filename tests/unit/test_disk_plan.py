"""The disk of a training, before it runs: the store and the checkpoints that lie beside it, and the verdict they lead to."""

import pytest

from vitalbench.config.design import EarlyStopping, Train
from vitalbench.train.disk_plan import plan_disk

P = 100_000_000
SETTINGS = Train(epochs=9, batch_size=64, learning_rate=0.1)


@pytest.mark.parametrize(("optimizer", "bytes_each"), [("sgd", 8), ("adam", 12), ("adamw", 12)])
def test_four_checkpoints_lie_beside_the_store(configs, optimizer, bytes_each):
    plan = plan_disk(10**9, P, SETTINGS.model_copy(update={"optimizer": optimizer}), configs.target("cpu"))
    assert plan.needed == 10**9 + 4 * bytes_each * P
    assert plan.fits  # nothing is declared


def test_fewer_epochs_leave_fewer_and_early_stopping_keeps_the_best_weights_in_each(configs):
    short = SETTINGS.model_copy(update={"epochs": 1, "early_stopping": EarlyStopping(patience=3)})
    assert plan_disk(0, P, short, configs.target("cpu")).needed == 16 * P


def test_a_frozen_weight_is_saved_without_states(configs):
    assert plan_disk(0, P, SETTINGS, configs.target("cpu"), frozen=P).needed == 4 * (12 + 4) * P


def test_what_does_not_fit_says_its_arithmetic(configs):
    small = configs.target("cpu").model_copy(update={"disk_gb": 4.0})
    plan = plan_disk(10**9, P, SETTINGS, small)
    assert not plan.fits
    assert plan.line() == "disk: store 1 + 4 x checkpoint 1.2 = 5.8 GB of 4 GB declared"
    assert plan_disk(10**9, P, SETTINGS, small.model_copy(update={"disk_gb": 5.8})).fits
