"""A program that runs for minutes: what it has started ends with it when a signal ends this process."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

import psutil

from vitalbench.interrupt import Interrupt

_PATIENCE_S = 10


def exit_code(line: list[str], signals: Interrupt, environment: Mapping[str, str] = os.environ) -> int:
    """Run a program in a session of its own to its end; returns its exit code, negative for the signal that ended it.

    Args:
        signals: held, so that one that comes while a program is started or ended waits.

    Raises:
        Interrupted: a signal came; the program and everything it had started have ended.
    """
    with subprocess.Popen(line, start_new_session=True, stdin=subprocess.DEVNULL, env=dict(environment)) as child:
        try:
            with signals.released():
                return child.wait()
        except BaseException:
            _end(child)
            raise


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask a program and all it has started to end; what has not in ten seconds is killed."""
    started = []
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(child.pid).children(recursive=True)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        for process in started:  # one that has made a group of its own
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
        psutil.wait_procs(started, timeout=_PATIENCE_S)
