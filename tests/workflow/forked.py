"""Commands as processes of their own, forked from one that has imported what training imports.

They are real processes: killed they leave what a kill leaves, and they meet over gloo as any others do. What they spare is the
ten seconds of imports that each would take on a busy machine. Tests that hold such a run against one of the real command say so.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from vitalbench import cli
from vitalbench.train.ranks import LAUNCHER

COMMAND = [sys.executable, "-m", "vitalbench.cli"]
SITE = "FORKED_SITE"  # in the environment: a file of python that the process runs first
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["__main__", "tests.workflow.forked", "torch._dynamo", "accelerate", "deepspeed", "vitalbench.train.fitting",
     "vitalbench.commands.train", "vitalbench.train.features", "vitalbench.evaluate.score"]
)  # fmt: skip


def _run(arguments: list[str], cwd: str, environment: dict[str, str], stderr: str) -> None:
    """What a forked process does: the command, where its caller is, as its caller said."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if LAUNCHER in environment:  # the one that may not go before it is the one that forked it
        os.environ[LAUNCHER] = str(os.getppid())
    with Path(stderr).open("ab") as stream:
        os.dup2(stream.fileno(), sys.stderr.fileno())
    sys.argv = ["vitalbench", *arguments]
    if SITE in environment:
        exec(Path(environment[SITE]).read_text(), {})
    cli.main()


class Forked:
    """What launchers and tests use of a subprocess.Popen, for `python -m vitalbench.cli ...`."""

    def __init__(
        self,
        command: Sequence[str],
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stderr: Path | None = None,
    ) -> None:
        assert list(command[:3]) == COMMAND
        given = (list(command[3:]), str(cwd or Path.cwd()), dict(env or os.environ), str(stderr or os.devnull))
        self._process = _CONTEXT.Process(target=_run, args=given, daemon=True)
        with _one_thread():
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("vitalbench", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


@contextlib.contextmanager
def _one_thread() -> Any:
    """The server reads these when it is started, with the first process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        patched.setenv("DS_ACCELERATOR", "cpu")
        patched.setenv("CUDA_VISIBLE_DEVICES", "")
        yield
