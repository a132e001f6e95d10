"""Writes a run's progress file every two seconds, from a thread of its own, so that a step of a minute is told of too."""

import math
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitalbench.config.target import Target
from vitalbench.config.watching import Watch
from vitalbench.measure.clock import Stopwatch, utc_now
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.gpu import Gpus
from vitalbench.watch.observers import Listener, told
from vitalbench.watch.process import memory_bytes, this_process
from vitalbench.watch.progress_file import Progress, Stage, Training, write_progress
from vitalbench.watch.spent import Spent

EVERY = 2.0  # seconds
_WINDOW = 15  # beats that the rate is taken over


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


class _Pace:
    """How fast a training goes: over the last beats, and since this process began it."""

    def __init__(self, begun: Begun, taken: int) -> None:
        self._begun, self._first = begun, taken
        self._watch = Stopwatch()
        self._beats: deque[tuple[float, int]] = deque([(0.0, taken)], maxlen=_WINDOW)

    def records_per_s(self, taken: int) -> float | None:
        """Over the last seconds, in records as an epoch's batches have them on average; None before the first batch."""
        (then, before), now = self._beats[0], self._watch.so_far()
        self._beats.append((now, taken))
        if taken == self._first or now <= then:
            return None
        return (taken - before) * self._begun.records / self._begun.steps / (now - then)

    def left_s(self, taken: int) -> float | None:
        """Until the last epoch ends, where the batches to come take as long as this process's have, validations included."""
        if taken == self._first:
            return None
        each = self._watch.so_far() / (taken - self._first)
        return max(self._begun.epochs * self._begun.steps - taken, 0) * each


class ProgressFile(Listener):
    """Tells in progress.json how the run goes.

    Args:
        run: the run's folder.
        spent: what it has taken.
        besides: done at each beat too.
    """

    name = "progress file"

    def __init__(
        self,
        run: Path,
        run_id: str,
        target: Target,
        price: str,
        watch: Watch,
        spent: Spent,
        besides: Callable[[], None],
    ) -> None:
        self._run, self._target, self._spent, self._besides = run, target, spent, besides
        self._fixed: dict[str, Any] = {
            "run_id": run_id,
            "writer": this_process(),
            "processes": target.processes,
            "other_seconds": spent.other,
            "price_key": watch.prices[price].key if price in watch.prices else "",
            "usd_per_hour": watch.usd_per_hour(price),
            "budget_usd": watch.budget_usd,
            "budget_hours": watch.budget_hours,
        }
        self._stage: Stage = "setting up"
        self._begun: Begun | None = None
        self._pace: _Pace | None = None
        self._place = (1, 0, 0, 0.0)  # epoch, batch, batches taken, sum of the epoch's losses: replaced whole
        self._validated: dict[str, Any] = {}  # the last epoch's row that has a validation loss
        self._gpus = Gpus()
        self._say: Callable[[str], None] = lambda _: None
        self._failed = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)

    def open(self, say: Callable[[str], None]) -> None:
        """Begin to tell."""
        self._say = say
        if self._spent.damaged:
            say(f"warning: what the run took before is not known: {self._spent.damaged}")
        self._thread.start()

    def start(self, begun: Begun, course: Course) -> None:
        """Training begins."""
        rows = (row for row in reversed(course.history) if row.get("val_loss") is not None)
        self._validated = dict(next(rows, {}))
        self._place = (course.epoch, course.batch, course.taken, course.loss)
        self._gpus = Gpus.of(self._target)
        self._pace = _Pace(begun, course.taken)
        self._begun, self._stage = begun, "training"  # last: from here the thread looks at the rest

    def batch(self, course: Course, loss: float) -> None:  # noqa: ARG002
        """Note the place, for the next beat."""
        self._place = (course.epoch, course.batch, course.taken, course.loss)

    def epoch(self, course: Course, row: dict[str, Any]) -> None:
        """Note what the validation said."""
        self._place = (course.epoch, course.batch, course.taken, course.loss)
        if row.get("val_loss") is not None:
            self._validated = dict(row)

    def end(self) -> None:
        """Training is over."""
        self._stage = "scoring"

    def close(self, status: str) -> None:
        """Write the last word, which stays."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failed:
            return
        self._stage = "interrupted" if status == "interrupted" else "ended"
        write_progress(self._run, self._progress("" if status == "interrupted" else status))

    def _beat(self) -> None:
        try:
            while not self._over.is_set():
                write_progress(self._run, self._progress())
                self._besides()
                self._over.wait(EVERY)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being written, the run goes on
            self._failed = True
            self._say(f"warning: {self.name} is written no more of this run: {told(error)}")

    def _progress(self, status: str = "") -> Progress:
        return Progress(
            **self._fixed,
            stage=self._stage,
            status=status,
            written=utc_now(),
            seconds=self._spent.seconds,
            training=self._training(),
            memory_bytes=memory_bytes(),
            gpus=self._gpus.read(),
        )

    def _training(self) -> Training | None:
        begun, pace = self._begun, self._pace
        if begun is None or pace is None:
            return None
        epoch, batch, taken, loss = self._place
        validated = self._validated
        metric = next((name[4:] for name in validated if name.startswith("val_") and name != "val_loss"), "")
        done = epoch > begun.epochs or self._stage not in ("training", "setting up")
        return Training(
            epoch=min(epoch, begun.epochs),
            epochs=begun.epochs,
            batch=begun.steps if epoch > begun.epochs else batch,
            batches=begun.steps,
            loss=_finite(loss / batch) if batch else None,
            val_loss=_finite(validated.get("val_loss")),
            metric=metric,
            val_metric=_finite(validated.get(f"val_{metric}")),
            records_per_s=None if done else pace.records_per_s(taken),
            left_s=None if done else pace.left_s(taken),
        )
