"""A suite's results held against a baseline: a row a metric and a phase, and what is there on one side alone."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from vitalbench.config.gate import Gate
from vitalbench.gate.again import Again, accuracy_again, speed_again
from vitalbench.gate.baseline import Accuracy, Baseline, Speed, key_of
from vitalbench.gate.found import Found
from vitalbench.gate.verdicts import Judged, Verdict

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
        other = now.get(key)
        seeds, confirmed = len(other.values) if other else 0, False
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
            judged, seeds, confirmed = accuracy_again(
                row, other, margin, again, gate.further_seeds, len(baseline.accuracy)
            )
        yield Row("accuracy", _place(row), _what(row), margin or 0.0, len(row.values), seeds, judged, confirmed)


def _speed_rows(baseline: Baseline, found: Found, gate: Gate, again: Again | None) -> Iterator[Row]:
    now, new = {key_of(row): row for row in found.speed}, new_in(baseline, found)
    for row in baseline.speed:
        key = key_of(row)
        other = now.get(key)
        if other is None:
            yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), 0, _gone(row, new))
            continue
        judged, jobs = speed_again(row, other, key in found.disturbed, gate.speed, again)
        confirmed = jobs > len(other.values)
        yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), jobs, judged, confirmed)


def check(baseline: Baseline, found: Found, gate: Gate, tasks: dict[str, Any], again: Again | None = None) -> list[Row]:
    """Hold results against their baseline.

    Args:
        tasks: of the suite, whose margins hold for their primary metrics.
        again: a phase that one job does not settle is measured further times, and of an accuracy that does not pass the
            baseline's other seeds are trained (gate/again.py); None takes the first verdict, and so does what cannot be run
            again: its row says why.

    Returns:
        A row each. Of a data set whose records are others than the baseline's no accuracy is judged: what a design scores on
        others is another number.
    """
    return [*_accuracy_rows(baseline, found, gate, tasks, again), *_speed_rows(baseline, found, gate, again)]
