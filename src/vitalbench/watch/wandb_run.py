"""Weights & Biases: a run there for a run here, offline unless the environment says otherwise (WANDB_MODE).

Aggregate numbers and configuration go there; nothing of the machine, its user, the source code or the console does.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.identity import Identity, numbers
from vitalbench.watch.observers import Listener

FOLDER = "wandb"  # below the run's folder; the library names it


class WandbRun(Listener):
    """Tells the epochs of a run, each once: what an earlier process left offline is told anew from the history."""

    name = "Weights & Biases"

    def __init__(self, run: Path, identity: Identity) -> None:
        self._folder, self._identity = run, identity
        self._run: Any = None

    def start(self, begun: Begun, course: Course) -> None:  # noqa: ARG002
        """Begin the run there, with the epochs so far."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        shutil.rmtree(self._folder / FOLDER, ignore_errors=True)
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        quiet = wandb.Settings(
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_disable_viewer=True,
            x_save_requirements=False,
            host="undisclosed",
            init_timeout=30,
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "vitalbench"),
            id=self._identity.run_id,
            name=self._identity.cell,
            config=self._identity.config,
            dir=self._folder,
            mode=mode,
            resume="allow" if mode == "online" else None,
            settings=quiet,
        )
        for row in course.history:
            self.epoch(course, row)

    def epoch(self, course: Course, row: dict[str, Any]) -> None:  # noqa: ARG002
        """Tell an epoch's numbers. An epoch that was told before, online, is passed over there."""
        if self._run:
            self._run.log(numbers(row), step=row["epoch"])

    def close(self, status: str) -> None:
        """End the run there."""
        if self._run:
            self._run.finish(exit_code=0 if status == "measured" else 1)
