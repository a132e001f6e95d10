"""The largest batch is the last doubling that memory held; any other error is one."""

import pytest
import torch

from vitalbench.measure.largest import MOST, largest_batch


def passes(limit, tried, error=None):
    def of(records):
        def call():
            tried.append(records)
            if records > limit:
                raise error or torch.OutOfMemoryError("no room")

        return call

    return of


@pytest.mark.parametrize(
    ("first", "limit", "found"), [(32, 200, 128), (32, 63, 32), (32, 64, 64), (48, 10**9, 49152 // 2)]
)
def test_the_largest_doubling_that_fits_is_found(first, limit, found):
    tried = []
    assert largest_batch(passes(limit, tried), first) == found
    assert len(tried) == len(set(tried)) <= 10
    assert max(tried) < 2 * MOST


def test_another_error_is_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shapes"):
        largest_batch(passes(64, [], RuntimeError("shapes do not fit")), 32)
