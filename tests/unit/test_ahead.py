"""Batches made ahead come in order, all of them, and an error comes where the batch would have."""

import threading

import numpy as np
import pytest

from vitalbench.config.design import Window
from vitalbench.data.store import Store
from vitalbench.train.ahead import Ahead
from vitalbench.train.batches import Batches, Scale


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_order_is_kept_and_nothing_is_lost(depth, count):
    assert list(Ahead(iter(range(count)), depth)) == list(range(count))


def test_an_error_comes_in_its_place():
    def broken():
        yield 1
        yield 2
        raise ValueError("third")

    found = iter(Ahead(broken(), depth=3))
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(found)


def test_the_next_batch_is_made_while_this_one_is_used():
    second_made = threading.Event()

    def batches():
        yield 1
        second_made.set()
        yield 2

    for number in Ahead(batches()):
        if number == 1:
            assert second_made.wait(timeout=10)


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    for number in Ahead(iter(range(1000))):
        if number == 3:
            break
    assert threading.active_count() == before


def test_an_epoch_is_the_same_made_ahead_or_not(small_store):
    store = Store(small_store)
    batches = Batches(store, Scale(0.0, 1.0), Window(seconds=2.5, stride_seconds=1.25, aggregate="max"), 32)
    rows = np.arange(100)
    labels = np.eye(100, 3, dtype=np.float32)
    plain = list(batches.epoch(rows, labels, 0, 1, True))
    ahead = list(Ahead(batches.epoch(rows, labels, 0, 1, True)))
    for (x, y, chosen), (other_x, other_y, other_chosen) in zip(plain, ahead, strict=True):
        assert x.equal(other_x)
        assert y.equal(other_y)
        assert np.array_equal(chosen, other_chosen)
