"""Start a command as the several processes its target declares, on this machine, and see them to their end.

They meet in a file of a folder that lives as long as they do, so no port has to be free. The first process writes the run's files,
the others only into that folder; what they say there is why a run failed. Where their launcher is killed, they end too.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from types import FrameType

from vitalbench.config.target import Target
from vitalbench.errors import Interrupted
from vitalbench.measure.clock import Stopwatch
from vitalbench.progress import say
from vitalbench.train.ranks import FOLDER, HALVED, LAUNCHER, MICRO_BATCH, take_exhausted

_WARNINGS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGXCPU)  # what a scheduler may be told to send
_ENDING = (signal.SIGTERM, signal.SIGINT, *_WARNINGS)
_GRACE = 10.0  # seconds in which processes may end by themselves once one of them has failed
_LOOK = 0.05  # seconds between two looks at the processes


@contextmanager
def _signals_to(children: Sequence[Popen[bytes]]) -> Iterator[list[int]]:
    """Hand a scheduler's or a person's signal on to every process; yields those that came."""
    came: list[int] = []

    def hand_on(number: int, _: FrameType | None) -> None:
        came.append(number)
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in _ENDING}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(target: Target, folder: Path, number: int, micro_batch: int | None, halved: int) -> dict[str, str]:
    said = {
        FOLDER: str(folder),
        LAUNCHER: str(os.getpid()),
        HALVED: str(halved),
        "OMP_NUM_THREADS": str(target.threads),
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(target.processes),
        "LOCAL_WORLD_SIZE": str(target.processes),
        # Nobody listens there: it is read by libraries that ask for it though they find the processes joined already.
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
    }
    if micro_batch is not None:
        said[MICRO_BATCH] = str(micro_batch)
    if target.device == "cpu":  # else what is installed would decide, not the target
        said |= {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}
    return {**os.environ, **said}


def _interrupted_by(code: int) -> int | None:
    """The signal of a process that one ended from outside, or that it obeyed; None of one that ended by itself."""
    number = -code if code < 0 else code - 128
    return number if number in (*_ENDING, signal.SIGKILL) else None


def _ended(children: Sequence[Popen[bytes]]) -> tuple[int, int]:
    """Wait for all of them: the number and the exit code of the one that ended the others, 0 where each ended well.

    Those that a failed one leaves waiting are killed after a while. One that obeyed a signal leaves nobody waiting: all of them
    have agreed to end, and may still be saving.
    """
    killed: set[int] = set()
    failed: Stopwatch | None = None
    while any(child.poll() is None for child in children):
        for child in children:
            with suppress(TimeoutExpired):
                child.wait(_LOOK)
        codes = [child.poll() for child in children]
        if failed is None and any(code and not (code > 0 and _interrupted_by(code)) for code in codes):
            failed = Stopwatch()
        if failed is not None and failed.so_far() > _GRACE:
            for number, child in enumerate(children):
                if child.poll() is None:
                    killed.add(number)
                    child.kill()
    ends = [(number, child.returncode) for number, child in enumerate(children) if number not in killed]
    # What a signal ended is the cause of what the others died of.
    return next(
        (end for end in ends if end[1] < 0),
        next((end for end in ends if end[1]), (0, 1 if killed else 0)),
    )


def launch(arguments: list[str], target: Target, folder: Path) -> int:
    """Run `vitalbench <arguments>` as the target's processes until they end; returns the first failure's exit code, 0 without.

    Where memory did not suffice, all of them are started anew with half the micro-batch: a process that gives up in the middle
    of a step leaves the others waiting for it, so that none can go on.

    Args:
        folder: where the processes meet, and leave what only their launcher reads.

    Raises:
        Interrupted: a signal came, and was handed on to them; or one of them was ended by one.
    """
    command = [sys.executable, "-m", "vitalbench.cli", *arguments]
    micro_batch, halved = None, 0
    while True:
        children: list[Popen[bytes]] = []
        with _signals_to(children) as came:
            for number in range(target.processes):
                environment = _environment(target, folder, number, micro_batch, halved)
                children.append(Popen(command, env=environment))
            number, code = _ended(children)
        if came:
            raise Interrupted(f"ended by {signal.Signals(came[0]).name}", came[0])
        if (by := _interrupted_by(code)) is not None:
            of = f"process {number} of {target.processes} was " if code < 0 else ""
            raise Interrupted(f"{of}ended by {signal.Signals(by).name}", by)
        exhausted = take_exhausted(folder)
        if code == 0 or exhausted is None or exhausted == 1:
            return code
        micro_batch, halved = exhausted // 2, halved + 1
        say(f"out of memory with {exhausted} records at once on a process: started anew with {micro_batch}")


@contextmanager
def ranks_folder() -> Iterator[Path]:
    """A folder that lives as long as the processes do."""
    with tempfile.TemporaryDirectory(prefix="vitalbench-ranks-") as name:
        yield Path(name)
