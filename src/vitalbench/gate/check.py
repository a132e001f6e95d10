"""A suite's results held against a baseline: a row a metric and a phase, and what is there on one side alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vitalbench.config.gate import Gate
from vitalbench.gate.baseline import Accuracy, Baseline, Speed, key_of
from vitalbench.gate.found import Found
from vitalbench.gate.verdicts import Judged, Verdict, judge_accuracy, judge_speed


class Again(Protocol):
    """Measures and trains once more what did not pass (gate/rerun.py)."""

    def speed(self, key: tuple[str, ...]) -> tuple[Speed, bool] | None:
        """A phase, and whether it was disturbed."""

    def accuracy(self, key: tuple[str, ...]) -> Accuracy | None:
        """A metric by seed."""

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether training again has to give the same values."""


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


def _open(verdict: Verdict, reason: str) -> Judged:
    """A verdict that no number stands behind."""
    return Judged(verdict, 0.0, None, None, None, None, reason)


def _accuracy_rows(
    baseline: Baseline, found: Found, gate: Gate, tasks: dict[str, Any], again: Again | None
) -> Iterator[Row]:
    now = {key_of(row): row for row in found.accuracy}
    for row in baseline.accuracy:
        key, margin = key_of(row), gate.margin(row.metric, tasks.get(row.task))
        other, confirmed = now.get(key), False
        if margin is None and row.task in tasks:
            judged = _open("no-verdict", "not gated: the suite's gate names no margin for it")
        elif key in found.gaps:
            judged = _open("fail", f"no value in {', '.join(found.gaps[key])}")
        elif other is None or margin is None:
            judged = _open("fail", _GONE)
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
    margin: one altered score among two seeds is no spread.
    """
    judged = judge_accuracy(row.values, other.values, margin)

    def apart(values: dict[str, float]) -> bool:
        return any(abs(values[seed] - value) > margin for seed, value in other.values.items() if seed in values)

    exact = again is not None and again.exact(key)
    if judged.verdict == "pass" or (judged.verdict == "no-verdict" and not (exact and apart(row.values))):
        return judged, False
    if again is None or (second := again.accuracy(key)) is None:
        return judged, False
    failed_again = judge_accuracy(row.values, second.values, margin).verdict == "fail"
    if exact and (apart(second.values) or (judged.verdict == "fail" and not failed_again)):
        reason = "trained again it is another value: these results are not what their code gives"
        return replace(judged, verdict="fail", reason=reason), True
    if judged.verdict == "no-verdict" or failed_again:
        return judged, True
    return replace(judged, verdict="no-verdict", reason="failed once, and not when it was trained again"), True


def _speed_rows(baseline: Baseline, found: Found, gate: Gate, again: Again | None) -> Iterator[Row]:
    now = {key_of(row): row for row in found.speed}
    for row in baseline.speed:
        key = key_of(row)
        other = now.get(key)
        if other is None:
            yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), 0, _open("fail", _GONE))
            continue
        values, confirmed = other.values, False
        judged = judge_speed(row.values, values, gate.speed, key in found.disturbed)
        if judged.verdict != "pass" and again is not None and (second := again.speed(key)) is not None:
            # What is told is told of both: a failure that was chance is averaged away, one that was not is surer.
            values, confirmed = [*values, *second[0].values], True
            undisturbed = [
                v for v, bad in ((other.values[0], key in found.disturbed), (second[0].values[0], second[1])) if not bad
            ]
            judged = judge_speed(row.values, undisturbed or values, gate.speed, not undisturbed)
        yield Row("speed", _place(row), _what(row), gate.speed, len(row.values), len(values), judged, confirmed)


def check(baseline: Baseline, found: Found, gate: Gate, tasks: dict[str, Any], again: Again | None = None) -> list[Row]:
    """Hold results against their baseline.

    Args:
        tasks: of the suite, whose margins hold for their primary metrics.
        again: a phase that does not pass is measured once more, and an accuracy that fails is trained once more; None takes the
            first verdict.

    Returns:
        A row each. Of a data set whose records are others than the baseline's no accuracy is judged: what a design scores on
        others is another number.
    """
    return [*_accuracy_rows(baseline, found, gate, tasks, again), *_speed_rows(baseline, found, gate, again)]
