"""What silicon this process runs on. Free of torch, so that planning stays light."""

import functools
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from vitalbench.measure.binding import processors


def processor_name(brand: str, family: object, model: object) -> str:
    """A processor's name, by which generations can be told apart.

    Hypervisors cut names down to those of whole lines, whose generations differ in speed and, by their vectors, in the last digits
    of sums; the numbers that the processor itself gives for its family and model they leave.

    >>> processor_name("AMD EPYC", 26, 2)
    'AMD EPYC (family 26, model 2)'
    >>> processor_name("AMD EPYC 7B13", 25, 1)
    'AMD EPYC 7B13'
    """
    told = re.search(r"\d", brand) or family is None or model is None
    return brand if told else f"{brand} (family {family}, model {model})"


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system states it."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    found: dict[str, str] = {}
    for key, value in re.findall(r"^(model name|cpu family|model)\s*:\s*(.+?)\s*$", text, re.M):
        found.setdefault(key, value)  # of the first of its cores
    if "model name" not in found:
        return platform.processor() or platform.machine()
    return processor_name(found["model name"], found.get("cpu family"), found.get("model"))


def cpu_count() -> int:
    """The cores this process may use, which a scheduler or a container can make fewer than the machine has."""
    return processors()


@functools.cache
def cuda_names() -> tuple[str, ...]:
    """The names of the NVIDIA devices, by the driver's own tool; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # a driver that hangs has no device to offer
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip()) if answer.returncode == 0 else ()


def device_here(kind: Literal["cpu", "cuda"]) -> str | None:
    """The name of the device of a kind on this machine, or None."""
    if kind == "cpu":
        return cpu_name()
    return next(iter(cuda_names()), None)


def total_memory_gb() -> float:
    """Installed memory in 10^9 bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def mismatch(kind: Literal["cpu", "cuda"], match: str | None, count: int = 1) -> str | None:
    """Why the device found is not the one declared, or None where it is.

    Args:
        kind: the declared kind of device.
        match: a regular expression that the device's name must contain; None takes any.
        count: GPUs declared, one a process; processes share a CPU.
    """
    found = device_here(kind)
    if found is None:
        return f"a {kind} device is declared, and there is none here"
    if match and not re.search(match, found, re.I):
        return f"the device declared matches '{match}', the one found is '{found}'"
    if kind == "cuda" and 1 < count > len(cuda_names()):
        return f"{count} processes are declared, a GPU each, and {len(cuda_names())} GPUs are here"
    return None
