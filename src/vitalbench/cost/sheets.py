"""Which device a target stands for: one that times were published of, or its own data sheet."""

import re
from collections.abc import Mapping

from vitalbench.config.published import Device
from vitalbench.config.target import Target


def sheet_of(name: str, target: Target, known: Mapping[str, Device]) -> Device | None:
    """The device that a GPU target stands for; None of one that declares no fp32 rate or no bandwidth, and of a CPU.

    Args:
        known: the devices that times were published of.
    """
    if target.device != "cuda" or "fp32" not in target.peak_tflops or target.bandwidth_gb_s is None:
        return None
    same = next((device for device in known.values() if target.match and re.search(target.match, device.name)), None)
    return same or Device(name, target.peak_tflops["fp32"], target.bandwidth_gb_s)
