"""Checkpoints of a run of several processes: each writes its own part, and the first seals all of them as one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitalbench.train.among import Alone
from vitalbench.train.checkpoints import ATTEMPTS, Checkpoints, Keep
from vitalbench.train.job import Job


def part_of(checkpoint: Path, rank: int) -> Path:
    """Where the part of a process lies in a checkpoint: the first one's is the checkpoint's own files."""
    return checkpoint / f"rank{rank}" if rank else checkpoint


def checkpoints_of(
    job: Job, run_id: str, backup: Path | None, say: Callable[[str], None], together: Alone
) -> Checkpoints:
    """The checkpoints of a job's run, as this process sees them."""
    run = job.saved_in or job.out
    if together.several:
        return SharedCheckpoints(run, run_id, backup, say, job.out, together)
    return Checkpoints(run, run_id, backup, say)


class SharedCheckpoints(Checkpoints):
    """One run's checkpoints, as one of its processes sees them.

    Args:
        run, run_id, backup, say: as of a run of one process.
        own: a folder of this process, where what only it needs to count lies.
    """

    def __init__(
        self, run: Path, run_id: str, backup: Path | None, say: Callable[[str], None], own: Path, together: Alone
    ) -> None:
        super().__init__(run, run_id, backup, say)
        self._together = together
        self.attempts = self.folder / ATTEMPTS if together.first else own / ATTEMPTS

    def open(self) -> None:
        """Clear away, which is the first process's matter; nobody writes before all have asked for the newest."""
        if self._together.first:
            super().open()

    def newest(self) -> Path | None:
        """The newest sound checkpoint, as the first process found it."""
        found = super().newest() if self._together.first else None
        name = self._together.from_first(found.name if found else "")
        return self.folder / name if name else None

    def save(self, name: str, facts: dict[str, Any], write: Callable[[Path], None]) -> Path:
        """Write one's own part; the first process waits for all of them, and seals. All processes save the same names."""
        aside = self.folder / f".parts.{name}"
        if not self._together.first:
            mine = part_of(aside, self._together.rank)
            mine.mkdir(parents=True)
            write(mine)
            self._together.wait()
            return self.folder / name

        def all_parts(folder: Path) -> None:
            write(folder)
            self._together.wait()
            for part in aside.glob("rank*"):
                part.rename(folder / part.name)

        path = super().save(name, facts, all_parts)
        shutil.rmtree(aside)
        return path

    def end(self, keep: Keep) -> None:
        """The run ended well, which the first process sees to."""
        if self._together.first:
            super().end(keep)
