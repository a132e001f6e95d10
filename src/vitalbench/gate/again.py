"""What a first look leaves open, run again and judged once more: further measuring jobs of a phase, further seeds of a metric."""

from dataclasses import replace
from functools import partial
from typing import Protocol

from vitalbench.errors import InputError
from vitalbench.gate.accuracy_verdict import judge_accuracy
from vitalbench.gate.baseline import Accuracy, Speed, key_of
from vitalbench.gate.speed_verdict import comparable, judge_speed, settles
from vitalbench.gate.verdicts import ON_AN_IDLE_MACHINE, Judged

MOST_FURTHER = 7  # measuring jobs of a design that a check adds at most
_NOT_AGAIN = "failed once, and not when it was trained again; more seeds would decide"
_ALTERED = "trained again it is another value: these results are not what their code gives"
_ONE_ALIKE = (
    "the threads of one job alone were placed as the baseline's were, and one settles it only within half of the tolerance; "
    "one more measurement would decide"
)
_ROUNDING = 1e-6  # of a metric: what its last digits may come to otherwise, where the same values have to come back


class DidNotTrainError(InputError):
    """A cell that was to be trained failed: of a seed that the baseline has, that is news of the code."""


class Again(Protocol):
    """Measures and trains again what did not pass (gate/rerun.py); an InputError of what cannot be."""

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """A phase in the first, second, ... further job, and whether it was disturbed there."""

    def accuracy(self, key: tuple[str, ...], seed: str | None = None) -> Accuracy | None:
        """A metric by seed: of the results' own seeds, or of another one; a DidNotTrainError where that fails."""

    def exact(self, key: tuple[str, ...]) -> bool:
        """Whether training again has to give the same values."""


def accuracy_again(
    row: Accuracy, other: Accuracy, margin: float, again: Again | None, most: int | None = None, rows: int = 1
) -> tuple[Judged, int, bool]:
    """The verdict on a metric, on how many seeds it is, and whether anything was trained for it.

    What a first look leaves open the seeds settle that the baseline has and the results lack: all are judged once, so that the
    whole of the risk of a false failure is that last look's. A failure is trained again, before or after that, and one that does
    not come back is none, unless it had to. Where training again has to give the same values, seeds that are too few for a verdict
    are trained again too if one of them left the margin, or, where the baseline lacks it, all of its seeds by as much: one altered
    score among two seeds is no spread.

    Args:
        row: of the baseline.
        other: what was found now.
        most: further seeds that are trained at most; None sets no limit.
        rows: metrics that are judged in the same check.
    """
    judge, key = partial(judge_accuracy, row.values, margin=margin, rows=rows), key_of(row)
    judged = judge(other.values)
    if judged.verdict == "pass" or again is None:
        return judged, len(other.values), False
    further, ended = dict[str, float](), ""
    try:
        second = again.accuracy(key) if judged.verdict == "fail" or _to_be_seen(row, other, margin, again) else None
        if not (second and again.exact(key) and _differs(second, other)):
            further, ended = _further(row, other, again, most)
        last = judge(other.values | further)
        if last.verdict == "fail" and second is None:
            second = again.accuracy(key)
    except DidNotTrainError as error:
        failed = replace(judged, verdict="fail", reason=f"the baseline's seeds no longer train: {error}")
        return failed, len(other.values), True
    except InputError as error:
        said = f"{judged.reason}; not trained again: {error}"
        return replace(judged, reason=said), len(other.values), False
    if second and again.exact(key) and _differs(second, other):
        return replace(last, verdict="fail", reason=_ALTERED), len(other.values), True
    if last.verdict == "fail" and second:
        came_back = judge(second.values | further).verdict == "fail"
        last = last if came_back else replace(last, verdict="no-verdict", reason=_NOT_AGAIN)
    trained = (["trained again"] if second else []) + ([f"{len(further)} further seeds trained"] if further else [])
    said = "; ".join([last.reason, *trained]) + ended
    return replace(last, reason=said), len(other.values | further), bool(trained)


def _further(row: Accuracy, other: Accuracy, again: Again, most: int | None) -> tuple[dict[str, float], str]:
    """The baseline's other seeds, trained one after another, and why that ended before the last of them."""
    found: dict[str, float] = {}
    for seed in _lacking(row, other)[:most]:
        try:
            more = again.accuracy(key_of(row), seed)
        except DidNotTrainError:
            raise
        except InputError as error:
            return found, f"; seed {seed} and those after it were not trained: {error}"
        found |= more.values if more else {}
    return found, ""


def _lacking(row: Accuracy, other: Accuracy) -> tuple[str, ...]:
    """Seeds of the baseline that could say more: none where those of both are the same, since these would be too."""
    shared = set(row.values) & set(other.values)
    if shared and all(row.values[seed] == other.values[seed] for seed in shared):
        return ()
    return tuple(sorted(set(row.values) - set(other.values), key=int))


def _to_be_seen(row: Accuracy, other: Accuracy, margin: float, again: Again) -> bool:
    """Whether values that have to come back lie so far off that it has to be seen whether they do."""
    new = [value for seed, value in other.values.items() if seed not in row.values]
    low, high = min(row.values.values()) - margin, max(row.values.values()) + margin
    apart = any(abs(row.values[seed] - value) > margin for seed, value in other.values.items() if seed in row.values)
    return again.exact(key_of(row)) and (apart or not all(low <= value <= high for value in new))


def _differs(second: Accuracy, other: Accuracy) -> bool:
    """Whether a value that had to come back did not."""
    return any(abs(second.values.get(seed, value) - value) > _ROUNDING for seed, value in other.values.items())


def speed_again(row: Speed, first: Speed, disturbed: bool, tolerance: float, again: Again | None) -> tuple[Judged, int]:
    """The verdict on a phase, and on how many jobs it is.

    One job settles nothing but a pass within half of the tolerance, and that only where jobs lie as near as a rule (`settles`):
    an odd one may hide a change as well as feign one. What it leaves open, MOST_FURTHER more jobs measure, and all of them are
    judged once, so that the whole of the risk of a false failure is that last look's. Of disturbed jobs none counts beside one
    that was not; one of these alone is no confirmed failure.
    """
    key, judge = key_of(row), partial(judge_speed, row.jobs, tolerance=tolerance)
    judged = judge(first.jobs, disturbed=disturbed)
    if again is None or settles(row.jobs, first.jobs, judged, tolerance):
        return judged, len(first.values)
    every, calm, ended = first.jobs, [] if disturbed else first.jobs, ""
    for further in range(1, MOST_FURTHER + 1):
        try:
            more = again.speed(key, further)
        except InputError as error:
            more, ended = None, f"; further job {further} did not run: {error}"
        if more is None:
            break
        speed, was_disturbed = more
        every = every + speed.jobs
        calm = calm + ([] if was_disturbed else speed.jobs)
        alike = comparable(row.jobs, calm)
        if len(alike) == 1 and settles(row.jobs, alike, judged := judge(alike), tolerance):
            return judged, len(every)
    if len(every) == len(first.values):  # nothing measures it any more
        return replace(judged, reason=judged.reason + ended), len(every)
    judged = judge(calm or every, disturbed=not calm)
    alike = comparable(row.jobs, calm)
    if len(alike) == 1 and len(calm) > 1 and judged.verdict != "no-verdict":
        judged = replace(judged, verdict="no-verdict", needed=1, reason=_ONE_ALIKE)
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
    return replace(judged, reason=judged.reason + ended), len(every)
