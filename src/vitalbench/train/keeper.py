"""Keeps a run from being lost: when it is saved, what it goes on from, and what the interruptions cost."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from vitalbench.errors import Interrupted
from vitalbench.interrupt import Interrupt
from vitalbench.measure.clock import Stopwatch
from vitalbench.train.among import Alone
from vitalbench.train.attempts import Attempts
from vitalbench.train.checkpoints import FEATURES, Checkpoints, name_of
from vitalbench.train.course import Course
from vitalbench.train.observer import Stop

_SAVE, _STOP, _SIGNAL = 1, 2, 3  # what is to be done between two steps; of a signal, its number beyond _SIGNAL


class State(Protocol):
    """What is saved: the course it stands in, and a way into and out of the folder of a checkpoint."""

    course: Course

    def write(self, folder: Path, rank: int) -> None:
        """Into a folder: what process `rank` has to save; what all of them share is the first one's."""

    def read(self, checkpoint: Path, rank: int) -> None:
        """Out of it."""


class Unkept:
    """A run that is timed and nothing more: it is not saved, and a signal ends it as it ends any process."""

    def __init__(self) -> None:
        self._clock = Stopwatch()

    def holding(self) -> AbstractContextManager[None]:
        """Around the whole of training."""
        return nullcontext()

    def resume(self, state: State, clock: Stopwatch) -> None:  # noqa: ARG002 - there is nothing to take over
        """Before the first step: start the clock."""
        self._clock = clock
        self._clock.lap()

    def breakable(self, state: State) -> AbstractContextManager[None]:  # noqa: ARG002
        """Around work between steps that changes nothing of the state."""
        return nullcontext()

    def between_steps(self, state: State) -> AbstractContextManager[None]:  # noqa: ARG002
        """Around what is told between two steps, which may stop the run."""
        return nullcontext()

    def after_epoch(self, state: State, val_loss: float | None) -> None:
        """Once an epoch has its row of the history."""

    def take_time(self, course: Course) -> None:
        """Add what the clock counted to the epoch under way."""
        course.seconds += self._clock.lap()

    @contextmanager
    def features(self) -> Iterator[Path]:
        """A folder for features that are computed once: here it goes with the end of the run."""
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def lost_seconds(self, epoch: int) -> float:  # noqa: ARG002
        """Seconds of an epoch that were lost and done again."""
        return 0.0


class Keeper(Unkept):
    """Saves a run after every epoch, every `minutes`, and on a signal; finds what an earlier process left.

    It holds the run's clock, so that what saving costs is told apart from what training does. Of several processes each has one,
    and they agree between two steps on what all of them do.
    """

    def __init__(
        self, checkpoints: Checkpoints, minutes: float, interrupt: Interrupt, say: Any, together: Alone | None = None
    ) -> None:
        super().__init__()
        self.checkpoints, self.interrupt = checkpoints, interrupt
        self._seconds_between, self._say = minutes * 60, say
        self._together = together or Alone()
        self._attempts = Attempts(checkpoints.attempts)
        self._setup = Stopwatch()
        self._since_saved = Stopwatch()
        self._last = ""
        self._stop: Stop | None = None

    @contextmanager
    def features(self) -> Iterator[Path]:
        """A folder of this run's, which a process that goes on with it finds again."""
        yield self.checkpoints.folder / FEATURES

    def holding(self) -> AbstractContextManager[None]:
        """Within, a signal waits for the end of a step or a checkpoint."""
        return self.interrupt.held()

    def resume(self, state: State, clock: Stopwatch) -> None:
        """Take over the newest sound checkpoint, where there is one, and start the clock."""
        setup, course = self._setup.lap(), state.course
        found = self.checkpoints.newest()
        if found is not None:
            state.read(found, self._together.rank)
            self._last = found.name
        resuming = self._setup.lap()
        for damaged in self._attempts.set_aside():
            self._say(f"warning: what an earlier start of the run lost is not known: {damaged}")
        again = bool(self._attempts.files())
        self._attempts.begin(course.epoch, course.taken, course.total_seconds, setup, resuming)
        if again:
            _, steps, seconds = self._attempts.lost()[-1]
            where = f"checkpoint {found.name}" if found else "the beginning: there is no checkpoint"
            self._say(f"goes on from {where}; {steps} batches ({seconds:.1f} s) are done again")
        elif found is not None and self._together.first:  # the others' counts live no longer than they do
            self._say(f"goes on from checkpoint {found.name}; how far it had come beyond that is not known")
        super().resume(state, clock)
        self._since_saved.lap()

    @contextmanager
    def between_steps(self, state: State) -> Iterator[None]:
        """Around what is told between two steps; afterwards the run is saved, and ended, where one of its processes has to."""
        try:
            yield
        except Stop as stop:
            self._stop = stop
        self.after_step(state)

    def after_step(self, state: State) -> None:
        """Note a step; save where it is time to, or a signal or a stop came, which then ends the run."""
        course = state.course
        self._attempts.reached(course.taken, course.total_seconds + self._clock.so_far())
        self._do_alike(state)

    def _do_alike(self, state: State) -> None:
        """What has to be done on one of the run's processes is done on all of them."""
        word = _SAVE if self._since_saved.so_far() >= self._seconds_between else 0
        if self._stop is not None:
            word = _STOP
        if self.interrupt.asked is not None:
            word = _SIGNAL + self.interrupt.asked
        word = self._together.largest(word)
        if word:
            self.save(state)
        if word > _SIGNAL:
            self.interrupt.asked = word - _SIGNAL
            self.interrupt.obey()
        if word == _STOP:
            self._attempts.reached(state.course.taken, state.course.total_seconds)
            raise self._stop or Stop("another process of the run was told to stop")

    @contextmanager
    def breakable(self, state: State) -> Iterator[None]:
        """Around work between steps that changes nothing: a signal breaks it off, and the state before it is saved.

        Where several processes work on it together none may leave the others: a signal waits for its end.
        """
        self.take_time(state.course)
        if self._together.several:
            yield
            return
        try:
            with self.interrupt.released():
                yield
        except Interrupted:
            # What was begun is done again from the start: its seconds are lost, not the epoch's.
            self._attempts.reached(state.course.taken, state.course.total_seconds + self._clock.lap())
            self.save(state)
            raise

    def after_epoch(self, state: State, val_loss: float | None) -> None:
        """Save the end of an epoch."""
        self.save(state, val_loss)
        self._attempts.reached(state.course.taken, state.course.total_seconds)
        self._do_alike(state)

    def save(self, state: State, val_loss: float | None = None) -> None:
        """Save a state, unless it is the one saved last."""
        course = state.course
        self.take_time(course)
        name = name_of(course.epoch, course.batch)
        if name != self._last:
            facts = {"epoch": course.epoch, "batch": course.batch, "taken": course.taken, "val_loss": val_loss}
            rank = self._together.rank
            self.checkpoints.save(name, facts | {"ended": course.ended}, lambda folder: state.write(folder, rank))
            self._last = name
            course.saving.append(self._clock.lap())
        self._since_saved.lap()

    def lost_seconds(self, epoch: int) -> float:
        """Seconds of training that were lost and done again, of which an epoch was under way when the run went on."""
        return sum(seconds for of, _, seconds in self._attempts.lost() if of == epoch)

    def close(self) -> None:
        """End the count of this process."""
        self._attempts.close()

    def told(self) -> dict[str, Any]:
        """What the interruptions of the run cost, as JSON: for provenance and timing."""
        starts, lost = self._attempts.starts(), self._attempts.lost()
        return {
            "n_resumed": max(self._attempts.count - 1, 0),
            "lost_steps": sum(steps for _, steps, _ in lost),
            "lost_seconds": round(sum(seconds for _, _, seconds in lost), 4),
            "resume_seconds": round(sum(start.resume for start in starts[1:]), 4),
            "setup_again_seconds": round(sum(start.setup for start in starts[1:]), 4),
        }
