"""Which device a target stands for: one that times were published of, or its own data sheet."""

import re
from collections.abc import Mapping

from vitalbench.config.published import Device
from vitalbench.config.target import Target


def sheet_of(name: str, target: Target, known: Mapping[str, Device]) -> Device | None:
    """The device that a GPU target stands for; None of one that declares no fp32 rate or no bandwidth, and of a CPU.

    A target whose `match` fits several published devices stands for none of them: its own declared rates are taken.

    Args:
        known: the devices that times were published of.
    """
    if target.device != "cuda" or "fp32" not in target.peak_tflops or target.bandwidth_gb_s is None:
        return None
    same = [device for device in known.values() if target.match and re.search(target.match, device.name)]
    return same[0] if len(same) == 1 else Device(name, target.peak_tflops["fp32"], target.bandwidth_gb_s)


def sheets_of(targets: Mapping[str, Target], known: Mapping[str, Device]) -> tuple[dict[str, Device], dict[str, str]]:
    """All data sheets by device, and the device that each name stands for: a known device its own, a target that is a GPU one."""
    sheets, meant = dict(known), {name: name for name in known}
    for name, target in targets.items():
        sheet = sheet_of(name, target, known)
        if sheet is not None:
            sheets[sheet.name], meant[name] = sheet, sheet.name
    return sheets, meant
