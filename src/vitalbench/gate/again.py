"""What a first look leaves open, run again and judged once more: further measuring jobs of a phase, further seeds of a metric."""

from dataclasses import replace
from functools import partial
from typing import Protocol

from vitalbench.errors import InputError
from vitalbench.gate.baseline import Accuracy, Speed, key_of
from vitalbench.gate.benchmarks import PHASE, SESSIONS_VARY
from vitalbench.gate.verdicts import JOBS_VARY, ON_AN_IDLE_MACHINE, Judged, judge_accuracy, judge_speed, settles

MOST_FURTHER = 5  # measuring jobs of a design that a check adds at most
_NOT_AGAIN = "failed once, and not when it was trained again; more seeds would decide"
_ALTERED = "trained again it is another value: these results are not what their code gives"


class Again(Protocol):
    """Measures and trains again what did not pass (gate/rerun.py); an InputError of what cannot be."""

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """A phase in the first, second, ... further job, and whether it was disturbed there."""

    def accuracy(self, key: tuple[str, ...], seeds: tuple[str, ...] = ()) -> Accuracy | None:
        """A metric by seed, of the results' own seeds or, where they are named, of others."""

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether training again has to give the same values."""


def accuracy_again(
    row: Accuracy, other: Accuracy, margin: float, again: Again | None, most: int | None = None
) -> tuple[Judged, int, bool]:
    """The verdict on a metric, on how many seeds it is, and whether anything was trained for it.

    A first look passes, or settles nothing: a failure is trained again, and one that does not come back is none, unless it had to;
    then the seeds that the baseline has and the results lack are trained, and all are judged once, so that the whole of the risk
    of a false failure is that last look's. Where training again has to give the same values, seeds that are too few for a verdict
    are trained again too if one of them left the margin, or, where the baseline lacks it, all of its seeds by as much: one
    altered score among two seeds is no spread.

    Args:
        row: of the baseline.
        other: what was found now.
        most: further seeds that are trained at most; None sets no limit.
    """
    judged = judge_accuracy(row.values, other.values, margin)
    if judged.verdict == "pass" or again is None:
        return judged, len(other.values), False
    seen, ended = [other.values], ""  # by seed, as it was found and as it was trained again
    try:
        second = _second(row, other, judged, margin, again)
    except InputError as error:
        return replace(judged, reason=f"{judged.reason}; not trained again: {error}"), len(other.values), False
    if second is not None:
        if again.exact(key_of(row)) and _altered(row, other, second, judged, margin):
            return replace(judged, verdict="fail", reason=_ALTERED), len(other.values), True
        seen.append(second.values)
    further: dict[str, float] = {}
    try:
        more = again.accuracy(key_of(row), lacking) if (lacking := _lacking(row, other)[:most]) else None
        further = more.values if more else {}
    except InputError as error:
        ended = f"; further seeds were not trained: {error}"
    looks = [judge_accuracy(row.values, values | further, margin) for values in seen]
    last = looks[0]
    if last.verdict == "fail" and looks[-1].verdict != "fail":
        last = replace(last, verdict="no-verdict", reason=_NOT_AGAIN)
    return (
        replace(last, reason=last.reason + ended),
        len(other.values | further),
        second is not None or bool(further),
    )


def _lacking(row: Accuracy, other: Accuracy) -> tuple[str, ...]:
    """Seeds of the baseline that could say more: none where those of both are the same, since these would be too."""
    shared = set(row.values) & set(other.values)
    if shared and all(row.values[seed] == other.values[seed] for seed in shared):
        return ()
    return tuple(sorted(set(row.values) - set(other.values), key=int))


def _apart(values: dict[str, float], others: dict[str, float], margin: float) -> bool:
    """Whether a seed of both lies further apart than the margin."""
    return any(abs(values[seed] - value) > margin for seed, value in others.items() if seed in values)


def _second(row: Accuracy, other: Accuracy, judged: Judged, margin: float, again: Again) -> Accuracy | None:
    """The same seeds trained again, where the verdict is a failure or one of them has to be seen again."""
    new = [value for seed, value in other.values.items() if seed not in row.values]
    low, high = min(row.values.values()) - margin, max(row.values.values()) + margin
    left = _apart(row.values, other.values, margin) or not all(low <= value <= high for value in new)
    asked = judged.verdict == "fail" or (again.exact(key_of(row)) and left)
    return again.accuracy(key_of(row)) if asked else None


def _altered(row: Accuracy, other: Accuracy, second: Accuracy, judged: Judged, margin: float) -> bool:
    """Whether values that had to come back did not."""
    failed_again = judge_accuracy(row.values, second.values, margin).verdict == "fail"
    return _apart(second.values, other.values, margin) or (judged.verdict == "fail" and not failed_again)


def speed_again(row: Speed, first: Speed, disturbed: bool, tolerance: float, again: Again | None) -> tuple[Judged, int]:
    """The verdict on a phase, and on how many jobs it is.

    One job settles nothing but a pass within half of the tolerance, and that only where jobs lie as near as a rule (`settles`):
    an odd one may hide a change as well as feign one. What it leaves open, MOST_FURTHER more jobs measure, and all of them are
    judged once, so that the whole of the risk of a false failure is that last look's. Of disturbed jobs none counts beside one
    that was not; one of these alone is no confirmed failure.
    """
    key = key_of(row)
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
