"""The reference operation: one product of matrices, timed in turn with whatever is measured, in the same job.

The time of a step over that of the reference moves less from machine to machine, and from one hour of a shared machine to the next,
than either does alone. It is what the regression gate compares.
"""

from collections.abc import Callable
from typing import Any

import torch

_ORDER = {"cpu": 512, "cuda": 4096}  # a few milliseconds on the devices that targets declare


def reference_operation(device: torch.device) -> tuple[str, Callable[[], Any]]:
    """Its name, which says what it is, and the call."""
    order = _ORDER[device.type]
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(order, order, generator=generator).to(device) for _ in range(2))
    out = torch.empty_like(a)

    def product() -> None:
        torch.mm(a, b, out=out)

    return f"matmul-fp32-{order}", product
