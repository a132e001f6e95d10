"""What each start of a run's training went on from and how far it came: from that, which work was lost and done again.

A start is a file of one row. How far it came is written over the row's end after every step, in place: it costs microseconds, and
what the operating system has taken survives the process, whatever kills it. Where the machine itself goes down, the row may be some
seconds old, and what was lost is told too low.
"""

import os
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from vitalbench.errors import InputError
from vitalbench.files import write_text

_WIDTH = 16
_DAMAGED = "damaged-"


@dataclass
class Start:
    """One start of a run's training.

    Attributes:
        epoch, step, seconds: where it went on from: the epoch under way, batches taken and seconds of training before it.
        setup: seconds of this process before training: imports, opening the store, building the model.
        resume: seconds it took to find, check and read the checkpoint.
        reached_step, reached_seconds: how far it came, in batches and seconds of training since the run's first start.
    """

    epoch: int
    step: int
    seconds: float
    setup: float
    resume: float
    reached_step: int
    reached_seconds: float

    def row(self) -> str:
        """One line of fixed length."""
        return "".join(
            f"{value:>{_WIDTH}.4f}" if isinstance(value, float) else f"{value:>{_WIDTH}d}" for value in astuple(self)
        )

    @classmethod
    def read(cls, path: Path) -> "Start":
        """The start a file holds; InputError where it holds none."""
        try:
            words = path.read_text(encoding="ascii").split()
            return cls(*(field.type(word) for field, word in zip(fields(cls), words, strict=True)))  # type: ignore[operator]
        except ValueError:
            raise InputError(f"{path}: holds no start of a run") from None


class Attempts:
    """The starts of one run, a file each in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: int | None = None
        self._now: Start | None = None

    def files(self) -> list[Path]:
        """The files, in the order of the starts."""
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_file())

    @property
    def count(self) -> int:
        """How many starts there were, those that were set aside among them."""
        aside = self.folder.glob(f"{_DAMAGED}[0-9]*")
        return max((int(path.name.removeprefix(_DAMAGED)) for path in (*self.files(), *aside)), default=0)

    def starts(self) -> list[Start]:
        """Every start so far, in order."""
        return [Start.read(path) for path in self.files()]

    def set_aside(self) -> list[str]:
        """Rename what holds no start, as a power cut may leave one: a line for each. What those starts lost is not known."""
        told = []
        for path in self.files():
            try:
                Start.read(path)
            except InputError as error:
                path.rename(path.with_name(f"{_DAMAGED}{path.name}"))
                told.append(str(error))
        return told

    def begin(self, epoch: int, step: int, seconds: float, setup: float, resume: float) -> None:
        """Note a start."""
        self.close()
        self._now = Start(epoch, step, seconds, setup, resume, step, seconds)
        path = self.folder / f"{self.count + 1:05d}"
        write_text(path, self._now.row() + "\n")
        self._open = os.open(path, os.O_WRONLY)

    def reached(self, step: int, seconds: float) -> None:
        """Note how far the start under way has come."""
        if self._open is None or self._now is None:
            raise RuntimeError("no start is under way")
        self._now.reached_step, self._now.reached_seconds = step, seconds
        os.pwrite(self._open, self._now.row().encode("ascii"), 0)

    def close(self) -> None:
        """Close the file of the start under way."""
        if self._open is not None:
            os.close(self._open)
        self._open = self._now = None

    def lost(self) -> list[tuple[int, int, float]]:
        """For each start after the first: its epoch, and the batches and seconds that were done before and are done again."""
        return [
            (now.epoch, max(before.reached_step - now.step, 0), max(before.reached_seconds - now.seconds, 0.0))
            for before, now in pairwise(self.starts())
        ]
