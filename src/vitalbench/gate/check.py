"""A suite's results held against a baseline: a row a metric and a phase, and what is there on one side alone."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from vitalbench.config.gate import Gate
from vitalbench.errors import InputError
from vitalbench.gate.baseline import Accuracy, Baseline, Speed, key_of
from vitalbench.gate.benchmarks import PHASE, SESSIONS_VARY
from vitalbench.gate.found import Found
from vitalbench.gate.verdicts import (
    JOBS_VARY,
    ON_AN_IDLE_MACHINE,
    Judged,
    Verdict,
    judge_accuracy,
    judge_speed,
    settles,
)


class Again(Protocol):
    """Measures and trains again what did not pass (gate/rerun.py); an InputError of what cannot be."""

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """A phase in the first, second, ... further job, and whether it was disturbed there."""

    def accuracy(self, key: tuple[str, ...]) -> Accuracy | None:
        """A metric by seed."""

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether training again has to give the same values."""


MOST_FURTHER = 5  # measuring jobs of a design that a check adds at most
_NOT_AGAIN = "failed once, and not when it was trained again; more seeds would decide"
_GONE = "in the baseline, and not in these results"
_OTHER_RECORDS = "the records are others than the baseline's; `vitalbench baseline update` writes a new one"


@dataclass(frozen=True)
class Row:
    """One value beside its baseline.

    Attributes:
        kind: accuracy or speed.
        place: data set, task, design, target.
        what: the metric, or the phase with its batch.
        margin: of the metric; of speed the tolerance.
        before, now: how many seeds or measuring jobs.
        confirmed: it was measured again, and that is part of the verdict.
    """

    kind: str
    place: str
    what: str
    margin: float
    before: int
    now: int
    judged: Judged
    confirmed: bool = False


def _place(row: Accuracy | Speed) -> str:
    return "/".join((row.dataset, row.task, row.design, row.target))


def _what(row: Accuracy | Speed) -> str:
    if isinstance(row, Accuracy):
        return row.metric
    return row.phase + (f" of {row.batch_size}" if row.batch_size else "")


def new_in(baseline: Baseline, found: Found) -> list[Accuracy | Speed]:
    """What was found and is not in the baseline, so that nothing can be said of it."""
    known = {*map(key_of, baseline.accuracy), *map(key_of, baseline.speed)}
    rows: list[Accuracy | Speed] = [*found.accuracy, *found.speed]
    return [row for row in rows if key_of(row) not in known]


def not_judged(baseline: Baseline, found: Found) -> list[str]:
    """The same in words."""
    return [f"{_place(row)} {_what(row)}" for row in new_in(baseline, found)]


def _gone(row: Accuracy | Speed, new: Iterable[Accuracy | Speed]) -> Judged:
    """The verdict on what is no longer there, with the nearest of what is new: it may have another name."""
    places = [_place(other) for other in new if type(other) is type(row) and _what(other) == _what(row)]
    near = difflib.get_close_matches(_place(row), places, n=1, cutoff=0.5)
    return _open("fail", _GONE + (f"; nearest of what is new: {near[0]}" if near else ""))


def _open(verdict: Verdict, reason: str) -> Judged:
    """A verdict that no number stands behind."""
    return Judged(verdict, 0.0, None, None, None, None, reason)


def _accuracy_rows(
    baseline: Baseline, found: Found, gate: Gate, tasks: dict[str, Any], again: Again | None
) -> Iterator[Row]:
    now, new = {key_of(row): row for row in found.accuracy}, new_in(baseline, found)
    for row in baseline.accuracy:
        key, margin = key_of(row), gate.margin(row.metric, tasks.get(row.task))
        other, confirmed = now.get(key), False
        if margin is None and row.task in tasks:
            judged = _open("no-verdict", "not gated: the suite's gate names no margin for it")
        elif key in found.gaps:
            judged = _open("fail", f"no value in {', '.join(found.gaps[key])}")
        elif other is None or margin is None:
            judged = _gone(row, new)
        elif row.dataset in baseline.data and row.dataset not in found.data:
            judged = _open("fail", "its records are not beside these results")
        elif baseline.data.get(row.dataset) != found.data.get(row.dataset):
            judged = _open("no-verdict", _OTHER_RECORDS)
        else:
            judged, confirmed = _trained_again(key, row, other, margin, again)
        count = len(other.values) if other else 0
        yield Row("accuracy", _place(row), _what(row), margin or 0.0, len(row.values), count, judged, confirmed)


def _trained_again(
    key: tuple[str, ...], row: Accuracy, other: Accuracy, margin: float, again: Again | None
) -> tuple[Judged, bool]:
    """The verdict on a metric, and whether a failure was trained again: what does not come back is none, unless it had to.

    Where training again has to give the same values, seeds that are too few for a verdict are asked too if one of them left the
    margin, or, where the baseline lacks it, all of its seeds by as much: one altered score among two seeds is no spread.
    """
    judged = judge_accuracy(row.values, other.values, margin)

    def apart(values: dict[str, float]) -> bool:
        return any(abs(values[seed] - value) > margin for seed, value in other.values.items() if seed in values)

    new = [value for seed, value in other.values.items() if seed not in row.values]
    low, high = min(row.values.values()) - margin, max(row.values.values()) + margin
    left = apart(row.values) or not all(low <= value <= high for value in new)
    exact = again is not None and again.exact(key)
    if judged.verdict == "pass" or (judged.verdict == "no-verdict" and not (exact and left)):
        return judged, False
    try:
        second = again.accuracy(key) if again else None
    except InputError as error:
        return replace(judged, reason=f"{judged.reason}; not trained again: {error}"), False
    if second is None:
        return judged, False
    failed_again = judge_accuracy(row.values, second.values, margin).verdict == "fail"
    if exact and (apart(second.values) or (judged.verdict == "fail" and not failed_again)):
        reason = "trained again it is another value: these results are not what their code gives"
        return replace(judged, verdict="fail", reason=reason), True
    if judged.verdict == "no-verdict" or failed_again:
        return judged, True
    return replace(judged, verdict="no-verdict", reason=_NOT_AGAIN), True


def _speed_rows(baseline: Baseline, found: Found, gate: Gate, again: Again | None) -> Iterator[Row]:
    now, new = {key_of(row): row for row in found.speed}, new_in(baseline, found)
    for row in baseline.speed:
        key = key_of(row)
        other = now.get(key)
        if other is None:
            yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), 0, _gone(row, new))
            continue
        judged, jobs = _measured_again(key, row, other, key in found.disturbed, gate.speed, again)
        confirmed = jobs > len(other.values)
        yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), jobs, judged, confirmed)


def _measured_again(
    key: tuple[str, ...], row: Speed, first: Speed, disturbed: bool, tolerance: float, again: Again | None
) -> tuple[Judged, int]:
    """The verdict on a phase, and on how many jobs it is.

    One job settles nothing but a pass within half of the tolerance, and that only where jobs lie as near as a rule (`settles`):
    an odd one may hide a change as well as feign one. What it leaves open, MOST_FURTHER more jobs measure, and all of them are
    judged once, so that the whole of the risk of a false failure is that last look's. Of disturbed jobs none counts beside one
    that was not; one of these alone is no confirmed failure.
    """
    varies = SESSIONS_VARY if row.phase == PHASE else JOBS_VARY
    judge = partial(judge_speed, row.values, tolerance=tolerance, varies=varies)
    judged = judge(first.values, disturbed=disturbed)
    if again is None or settles(row.values, judged, tolerance):
        return judged, len(first.values)
    values, calm, ended = list(first.values), [] if disturbed else list(first.values), ""
    for further in range(1, MOST_FURTHER + 1):
        try:
            more = again.speed(key, further)
        except InputError as error:
            more, ended = None, f"; further job {further} did not run: {error}"
        if more is None:
            break
        values += more[0].values
        calm += [] if more[1] else more[0].values
        if len(calm) == 1 and settles(row.values, judged := judge(calm), tolerance):
            return judged, len(values)
    if len(values) == len(first.values):  # nothing measures it any more
        return replace(judged, reason=judged.reason + ended), len(values)
    judged = judge(calm or values, disturbed=not calm)
    if judged.verdict == "fail":
        reason = ""
        if len(calm) == 1:
            reason = "beyond the tolerance in one job, and foreign work disturbed all others; " + ON_AN_IDLE_MACHINE
        elif not disturbed and judge(calm[1:]).verdict == "pass":
            reason = (
                "beyond the tolerance at first, and not when it was measured again; one more measurement would decide"
            )
        if reason:
            judged = replace(judged, verdict="no-verdict", needed=1, reason=reason)
    return replace(judged, reason=judged.reason + ended), len(values)


def check(baseline: Baseline, found: Found, gate: Gate, tasks: dict[str, Any], again: Again | None = None) -> list[Row]:
    """Hold results against their baseline.

    Args:
        tasks: of the suite, whose margins hold for their primary metrics.
        again: a phase that one job does not settle is measured up to MOST_FURTHER times more, and an accuracy that fails is
            trained once more; None takes the first verdict, and so does what cannot be run again: its row says why.

    Returns:
        A row each. Of a data set whose records are others than the baseline's no accuracy is judged: what a design scores on
        others is another number.
    """
    return [*_accuracy_rows(baseline, found, gate, tasks, again), *_speed_rows(baseline, found, gate, again)]
