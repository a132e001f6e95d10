"""Which processes are ours; which one wrote a progress file, and whether it is still there."""

import os
import platform
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import Field

from vitalbench.config.strict import Strict
from vitalbench.measure.clock import age_seconds
from vitalbench.train.ranks import launcher

SILENT_AFTER = 60.0  # seconds without a word from another machine, where a process writes every two
_SAME_START = 1.0  # seconds; the system rounds


class Writer(Strict):
    """A process: on which machine, in which space of process numbers (a container may have its own), its number and its start.

    Attributes:
        started: in seconds since 1970, as the system states it, so that a number that was given anew is told apart.
    """

    host: Annotated[str, Field(max_length=200)]
    space: Annotated[str, Field(max_length=200)]
    pid: Annotated[int, Field(ge=1, le=2**31)]
    started: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # a system that has none
        return ""


def this_process() -> Writer:
    """The process that asks."""
    return Writer(host=platform.node(), space=_space(), pid=os.getpid(), started=psutil.Process().create_time())


def family() -> set[int]:
    """The numbers of this process and of those it started; where a launcher started it beside others, of all that came of that."""
    first = launcher() or os.getpid()
    try:
        started = psutil.Process(first).children(recursive=True)
    except psutil.Error:  # the launcher is no more, or it is not told
        started = []
    return {first, os.getpid(), *(process.pid for process in started)}


def memory_bytes() -> int:
    """What this process holds of the host's memory."""
    return int(psutil.Process().memory_info().rss)


def silence(writer: Writer, written: str) -> str:
    """Why a process is taken to be gone; empty where it is there.

    On this machine the system is asked. Of another machine, or a container's own space of process numbers, only the age of what it
    wrote tells.
    """
    if (writer.host, writer.space) == (platform.node(), _space()):
        return "" if _runs(writer) else f"process {writer.pid} is no more"
    try:
        age = age_seconds(written)
    except (ValueError, TypeError):  # no time, or one without a zone
        return "it does not say when it was written"
    return "" if abs(age) <= SILENT_AFTER else f"not heard of for {age:.0f} s"


def _runs(writer: Writer) -> bool:
    try:
        process = psutil.Process(writer.pid)
        same = abs(process.create_time() - writer.started) <= _SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, and someone else's
        return True
