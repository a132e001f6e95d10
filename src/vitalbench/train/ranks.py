"""What a process of a cell knows of its place among several, from the environment its launcher gave it. Free of torch."""

import ctypes
import os
import signal
import sys
from pathlib import Path

from vitalbench.files import read_json, write_json

FOLDER = "VITALBENCH_RANKS"  # where the processes of a cell leave what only their launcher reads
LAUNCHER = "VITALBENCH_LAUNCHER"  # its process number
MICRO_BATCH = "VITALBENCH_MICRO_BATCH"  # what is left of the micro-batch after the launcher halved it
HALVED = "VITALBENCH_HALVED"  # how often it did
_EXHAUSTED = "out-of-memory.json"
_PR_SET_PDEATHSIG = 1  # prctl(2)


def is_rank() -> bool:
    """Whether this process is one that the launcher started."""
    return FOLDER in os.environ


def rank() -> int:
    """Its number; 0 for a process on its own."""
    return int(os.environ.get("RANK", "0")) if is_rank() else 0


def speaks(launched: bool) -> bool:
    """Whether this process tells of a job and leaves its results: it is on its own, or the first of those that were launched."""
    return not launched or (is_rank() and rank() == 0)


def ranks() -> int:
    """How many there are; 1 for a process on its own."""
    return int(os.environ.get("WORLD_SIZE", "1")) if is_rank() else 1


def meeting_place() -> Path:
    """The file that the processes of a cell meet in: one for each time they are started."""
    return Path(os.environ[FOLDER]) / f"meeting-{os.environ[HALVED]}"


def launcher() -> int | None:
    """The number of the process that started this one beside others; None of a process on its own."""
    return int(os.environ[LAUNCHER]) if is_rank() else None


def end_with_launcher() -> None:
    """Have the system end this process with its launcher: left alone it would train on beside the run that is gone on with.

    Where the system cannot (it is Linux that can) nothing is done.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher():  # it had gone before we asked
        raise SystemExit(128 + signal.SIGKILL)


def own_folder(folder: Path | None = None, number: int | None = None) -> Path:
    """Where a process other than the first leaves its files."""
    return (folder or Path(os.environ[FOLDER])) / f"rank{rank() if number is None else number}"


def given_micro_batch() -> tuple[int | None, int]:
    """The micro-batch that the launcher limits this process to, if it does, and how often it halved."""
    given = os.environ.get(MICRO_BATCH)
    return (int(given) if given else None), int(os.environ.get(HALVED, "0"))


def tell_exhausted(micro_batch: int) -> None:
    """Leave word for the launcher that a micro-batch did not fit into memory."""
    write_json(Path(os.environ[FOLDER]) / _EXHAUSTED, {"micro_batch": micro_batch})


def take_exhausted(folder: Path) -> int | None:
    """The micro-batch that did not fit, if a process left word of one; the word is removed."""
    told = folder / _EXHAUSTED
    if not told.is_file():
        return None
    micro_batch = int(read_json(told)["micro_batch"])
    told.unlink()
    return micro_batch
