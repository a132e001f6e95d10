"""A budget: hours, or USD, that a cell or a suite may take. A run that would take more is stopped between two steps.

It is held against what has been taken and the longest pause between two steps so far, validations and checkpoints included; so a
run ends below its budget unless a pause is longer than any before it. Long before, where the pace so far would take all epochs
beyond it, an alarm is said once. A session, which a target may say ends after some hours, is held by each process against the steps
that it is sure to need, each as short as the shortest yet: what does not fit even so is not tried any longer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from vitalbench.config.watching import Watch
from vitalbench.measure.clock import Stopwatch
from vitalbench.progress import say
from vitalbench.train.course import Course
from vitalbench.train.observer import BUDGET, Begun, Stop, Unobserved
from vitalbench.watch.spent import Spent

_SETTLED = 20  # steps timed before a whole training is judged by them


@dataclass
class Others:
    """What the other training jobs of the suite have taken, in USD; counted anew at each beat of the progress file."""

    count: Callable[[], float]
    usd: float = 0.0

    def refresh(self) -> None:
        """Count."""
        self.usd = self.count()


@dataclass(frozen=True)
class _Account:
    """A knob, what it allows, what an hour takes of that (1 where it allows hours), and who else takes of it."""

    knob: str
    limit: float
    usd_per_hour: float | None
    others: Others | None = None

    def taken(self, seconds: float) -> float:
        return seconds / 3600 * (self.usd_per_hour or 1.0) + (self.others.usd if self.others else 0.0)

    def told(self, seconds: float) -> str:
        """The arithmetic."""
        if self.usd_per_hour is None:
            return f"{self.taken(seconds):.4g} of {self.limit:g} h"
        beside = f" + {self.others.usd:.4g} USD of the suite's other training jobs" if self.others else ""
        product = f"{seconds / 3600:.4g} h x {self.usd_per_hour:g} USD/h{beside}"
        return f"{product} = {self.taken(seconds):.4g} of {self.limit:g} USD"


def _accounts(watch: Watch, target: str, others: Others) -> list[_Account]:
    rate = watch.usd_per_hour(target)
    found = [
        _Account("budget_hours", watch.budget_hours, None) if watch.budget_hours else None,
        _Account("budget_usd", watch.budget_usd, rate) if watch.budget_usd and rate else None,
        _Account("budget_suite_usd", watch.budget_suite_usd, rate, others) if watch.budget_suite_usd and rate else None,
    ]
    return [account for account in found if account]


class Budget(Unobserved):
    """Stops a run whose budget does not suffice for what comes next.

    Args:
        target: the cell's, for its price.
        resume: the command that lets the cell go on.
        session_hours: of its target's sessions; None where they do not end.
    """

    def __init__(
        self, watch: Watch, target: str, spent: Spent, others: Others, resume: str, session_hours: float | None = None
    ) -> None:
        self._accounts = _accounts(watch, target, others)
        self._spent, self._others, self._resume = spent, others, resume
        self._begun: Begun | None = None
        self._pause = Stopwatch()
        self._longest = 0.0
        self._session_hours = session_hours
        self._steps, self._shortest, self._walked = 0, math.inf, 0.0
        self._alarmed: set[str] = set()

    def start(self, begun: Begun, course: Course) -> None:
        """Refuse to begin, or to go on, where nothing is left."""
        self._begun = begun
        self._others.refresh()
        self._pause.lap()
        self._hold(begun, course)

    def batch(self, course: Course, loss: float) -> None:  # noqa: ARG002
        """Stop where the next step could take more than there is."""
        pause = self._pause.lap()
        self._longest, self._shortest = max(self._longest, pause), min(self._shortest, pause)
        self._steps += 1
        self._walked += pause
        if self._begun:
            self._hold(self._begun, course)
            self._hold_session(self._begun, course)
            if self._steps % _SETTLED == 0:
                self._alarm(self._begun, course)

    def _alarm(self, begun: Begun, course: Course) -> None:
        """Say once of each budget that it will not suffice, at the mean pace of this process."""
        left = begun.epochs * begun.steps - course.taken
        for account in self._accounts:
            seconds = self._spent.seconds + left * self._walked / self._steps
            if account.knob not in self._alarmed and account.taken(seconds) > account.limit:
                self._alarmed.add(account.knob)
                said = f"{begun.epochs} epochs come to {account.told(seconds)}"
                say(
                    f"budget alarm: at this pace {said} ({account.knob}); unless it ends early it is stopped before that"
                )

    def _hold_session(self, begun: Begun, course: Course) -> None:
        left = (begun.least or begun.epochs) * begun.steps - course.taken
        if self._session_hours is None or self._steps < _SETTLED or course.ended or left <= 0:
            return
        taken = self._spent.here
        least = (taken + left * self._shortest) / 3600
        if least > self._session_hours:
            raise Stop(
                f"{BUDGET}{taken / 3600:.4g} h of this session + {left:,} steps x {self._shortest:.4g} s, the shortest of "
                f"{self._steps} = {least:.4g} h, and session_hours of the target is {self._session_hours:g}; "
                f"raise it or take it out and run `{self._resume}`, it goes on from epoch {course.epoch}"
            )

    def _hold(self, begun: Begun, course: Course) -> None:
        if course.ended or course.taken >= begun.epochs * begun.steps:
            return  # nothing is saved by leaving a run that is trained without its result
        seconds = self._spent.seconds
        for account in self._accounts:
            if account.taken(seconds + self._longest) > account.limit:
                where = f"at epoch {course.epoch} of {begun.epochs}, {course.batch} of {begun.steps} batches done"
                then = f"raise {account.knob} and run `{self._resume}`, it goes on from epoch {course.epoch}"
                raise Stop(f"{BUDGET}{account.told(seconds)} {where}; {then}")
