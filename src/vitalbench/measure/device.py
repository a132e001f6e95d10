"""What silicon this process runs on. Free of torch, so that planning stays light."""

import functools
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal


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
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _cards() -> tuple[tuple[str, str, str], ...]:
    """Index, UUID and name of every NVIDIA device of the machine, by the driver's own tool; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # a driver that hangs has no device to offer
        return ()
    if answer.returncode != 0:
        return ()
    lines = ([field.strip() for field in line.split(",", 2)] for line in answer.stdout.splitlines())
    return tuple((line[0], line[1], line[2]) for line in lines if len(line) == 3)


def _visible(said: str, cards: tuple[tuple[str, str, str], ...]) -> tuple[str, ...]:
    """The names of the devices that CUDA_VISIBLE_DEVICES leaves, in its order, as CUDA reads it.

    It ends at the first entry that is no device, and one that stands there twice leaves none. A part of a card by MIG has the
    name it is asked for by, which nvidia-smi's list of cards does not tell.

    >>> cards = ("0", "GPU-1a", "NVIDIA H100"), ("1", "GPU-2b", "NVIDIA A100")
    >>> _visible("1,0", cards), _visible("GPU-2b", cards), _visible("0,7,1", cards), _visible("", cards)
    (('NVIDIA A100', 'NVIDIA H100'), ('NVIDIA A100',), ('NVIDIA H100',), ())
    """
    found: dict[str, str] = {}
    for entry in (entry.strip() for entry in said.split(",")):
        if entry.startswith("MIG-"):
            meant = [(entry, entry)]
        elif entry.startswith("GPU-"):  # as many of its digits as tell it apart
            meant = [(uuid, name) for _, uuid, name in cards if uuid.startswith(entry)]
        else:
            meant = [(uuid, name) for index, uuid, name in cards if index == entry]
        if len(meant) != 1:
            break
        uuid, name = meant[0]
        if uuid in found:
            return ()
        found[uuid] = name
    return tuple(found.values())


@functools.cache
def cuda_names() -> tuple[str, ...]:
    """The names of the NVIDIA devices that this process may use, in the order in which torch numbers them; empty without any."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(name for _, _, name in _cards()) if said is None else _visible(said, _cards())


def _another_order() -> str | None:
    """Why names cannot be told by number: several kinds of cards, in an order that is not nvidia-smi's; None where they can."""
    order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # which cli.py asks for where nothing is set
    by_number = not os.environ.get("CUDA_VISIBLE_DEVICES", "").startswith(("GPU-", "MIG-"))
    kinds = dict.fromkeys(name for _, _, name in _cards())
    if order == "PCI_BUS_ID" or not by_number or len(kinds) <= 1:
        return None
    return f"CUDA_DEVICE_ORDER is '{order}', by which {', '.join(kinds)} are not numbered as nvidia-smi does; write PCI_BUS_ID"


def device_here(kind: Literal["cpu", "cuda"]) -> str | None:
    """The name of the device of a kind that work is done on, of several GPUs the first that this process may use; or None."""
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
        match: a regular expression that the name of each device used must contain; None takes any.
        count: GPUs declared, one a process; processes share a CPU.
    """
    found = device_here(kind)
    if found is None:
        said = os.environ.get("CUDA_VISIBLE_DEVICES") if kind == "cuda" else None
        hidden = "" if said is None else f": CUDA_VISIBLE_DEVICES is '{said}'"
        return f"a {kind} device is declared, and there is none here{hidden}"
    if kind == "cuda" and (other := _another_order()):
        return other
    used = (found,) if kind == "cpu" else (found, *cuda_names()[1:count])
    for name in used:
        if match and not re.search(match, name, re.I):
            return f"the device declared matches '{match}', the one found is '{name}'"
    if kind == "cuda" and 1 < count > len(cuda_names()):
        return f"{count} processes are declared, a GPU each, and {len(cuda_names())} GPUs are here"
    return None
