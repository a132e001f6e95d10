"""The reference benchmark: what `vitalbench check --benchmarks` divides the others of a session by."""

import pytest
import torch

from vitalbench.measure.reference import reference_operation

pytestmark = [pytest.mark.slow, pytest.mark.alone]  # as the benchmarks it is held beside


def test_reference_operation(benchmark):
    torch.set_num_threads(2)
    name, product = reference_operation(torch.device("cpu"))
    benchmark(product)
    assert name.startswith("matmul-fp32")
