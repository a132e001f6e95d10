"""baselines/<suite>/<device>.json: what a suite scored and how fast it was on a device, as distributions, and why it is so written.

Accuracy is a value a seed. Speed is a value a measuring job: a phase's time over that of the reference operation beside it, which
is what jobs of one machine share; what varies between jobs is what a later job may vary too.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.schema import METRICS, highest
from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Count, Finite, Line, Positive, is_day
from vitalbench.errors import InputError, choices
from vitalbench.files import read_json, write_json
from vitalbench.gate.speed_verdict import Job
from vitalbench.measure.clock import utc_now
from vitalbench.measure.placement import LEAST_NS, MOST_NS

VERSION = 1
_LONGEST = 120  # characters of a file's name
_MOST_SEEDS = 1000  # of a metric; each is a training that a check may have to do again
# What a row may hold. Wider, and it would let anything pass: of jobs that lie 1e400 apart no change differs.
_LEAST_RATIO, _MOST_RATIO = 1e-7, 1e7  # to the reference operation, a few milliseconds
_MOST_APART, _MOST_TIMES = 0.5, 5.0  # seeds, of a metric's range; measuring jobs. Those that ship: 0.12 and 1.5


Latency = Annotated[float, Field(ge=LEAST_NS, le=MOST_NS)]  # any other, and a job would be comparable with none


class Accuracy(Strict):
    """A metric of a design: macro, on the test split, by seed."""

    dataset: Line
    task: Line
    design: Line
    target: Line
    metric: Line
    values: Annotated[
        dict[Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,17})$")], Finite],
        Field(min_length=1, max_length=_MOST_SEEDS),
    ]

    @model_validator(mode="after")
    def _metric_can_be_that(self) -> Self:
        known = {metric for metrics in METRICS.values() for metric in metrics}
        if self.metric not in known:
            raise PydanticCustomError(
                "metric",
                "metric '{metric}' is not known; {hint}",
                {"metric": self.metric, "hint": choices(self.metric, known)},
            )
        most = highest(self.metric)
        for seed, value in self.values.items():
            if not 0 <= value <= most:
                raise PydanticCustomError(
                    "range",
                    "{metric} of seed {seed} is {value}; allowed: 0 to {most}",
                    {"metric": self.metric, "seed": seed, "value": f"{value:g}", "most": f"{most:g}"},
                )
        return self


class Speed(Strict):
    """A phase of a design over the reference operation, a value a measuring job."""

    dataset: Line
    task: Line
    design: Line
    target: Line
    phase: Line
    batch_size: Count | None
    reference: Line
    values: Annotated[list[Positive], Field(min_length=1)]
    # Between the threads of each job; empty where none was seen.
    core_to_core_ns: list[Latency | None] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_a_job(self) -> Self:
        if self.core_to_core_ns and len(self.core_to_core_ns) != len(self.values):
            raise PydanticCustomError(
                "jobs",
                "core_to_core_ns is of {latencies} jobs, and values of {jobs}",
                {"latencies": len(self.core_to_core_ns), "jobs": len(self.values)},
            )
        return self

    @property
    def jobs(self) -> list[Job]:
        """What is judged of it."""
        return [Job(*one) for one in zip_longest(self.values, self.core_to_core_ns)]

    def of(self, jobs: Sequence[Job]) -> Self:
        """The same phase of other jobs."""
        latencies = [job.latency for job in jobs]
        seen = latencies if any(latencies) else []
        return self.model_copy(update={"values": [job.ratio for job in jobs], "core_to_core_ns": seen})


def _day(text: str) -> str:
    if not is_day(text):
        raise PydanticCustomError("day", "must be a day, as 2026-09-06")
    if int(text[:4]) > int(utc_now()[:4]) + 1:  # a machine's clock may be wrong: not one day too strict
        raise PydanticCustomError("day", "lies beyond next year")
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "is blank; a baseline says why it is what it is")
    return text


class Change(Strict):
    """Why a baseline was written."""

    date: Annotated[str, AfterValidator(_day)]
    reason: Annotated[Line, AfterValidator(_said)]


class Baseline(Strict):
    """A suite on a device."""

    version: int
    suite: Line
    device: Line
    data: dict[Line, Line]
    accuracy: list[Accuracy]
    speed: list[Speed]
    changes: Annotated[list[Change], Field(min_length=1)]


def slug(device: str) -> str:
    """A device's name as a file's.

    >>> slug("NVIDIA H100 80GB HBM3")
    'nvidia-h100-80gb-hbm3'
    """
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:_LONGEST] or "unknown"


def path_of(baselines: Path, suite: str, device: str) -> Path:
    """Where the baseline of a suite on a device lies; an InputError where the suite's name leads elsewhere."""
    if suite in {"", ".."} or Path(suite).name != suite:
        raise InputError(f"suite {suite!r}: no name of a suite, which holds no '/' and is not '..'")
    return baselines / suite / f"{slug(device)}.json"


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; one that is missing, damaged or of another version is an InputError that names it."""
    found = validated(Baseline, read_json(path), path)
    if found.version != VERSION:
        raise InputError(f"{path}: version {found.version}; allowed: {VERSION}")
    _refuse(path, found)
    return found


def _refuse(path: Path, found: Baseline) -> None:
    """Refuse a baseline that nothing, or anything, could be held against."""
    for kind, keys in (("accuracy", map(key_of, found.accuracy)), ("speed", map(key_of, found.speed))):
        twice = [key for key, times in Counter(keys).items() if times > 1]
        if twice:
            raise InputError(f"{path}: key '{kind}': {'/'.join(twice[0])} is listed twice")
    if not found.accuracy and not found.speed:
        raise InputError(f"{path}: keys 'accuracy' and 'speed' are both empty: nothing could be held against it")
    for accuracy in found.accuracy:
        if accuracy.dataset not in found.data:
            raise InputError(f"{path}: key 'data' names no records of {accuracy.dataset}, which accuracies are of")
        values, most = accuracy.values.values(), highest(accuracy.metric)
        if math.isfinite(most) and max(values) - min(values) > _MOST_APART * most:
            said = f"seeds lie {max(values) - min(values):.2g} apart; allowed: {_MOST_APART * most:g}"
            raise InputError(f"{path}: {'/'.join(key_of(accuracy))}: {said}: what they vary would hide any change")
    for speed in found.speed:
        least, most = min(speed.values), max(speed.values)
        said = ""
        if not _LEAST_RATIO <= least <= most <= _MOST_RATIO:
            odd = least if least < _LEAST_RATIO else most
            said = f"{odd:g} times the reference operation; allowed: {_LEAST_RATIO:g} to {_MOST_RATIO:g}"
        elif most > _MOST_TIMES * least:
            said = f"jobs lie {most / least:.2g} times apart; allowed: {_MOST_TIMES:g}: what they vary would hide any change"
        if said:
            raise InputError(f"{path}: {'/'.join(part for part in key_of(speed) if part)}: {said}")


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline; an InputError where it would not be read again."""
    _refuse(path, baseline)
    write_json(path, baseline.model_dump())


def key_of(row: Accuracy | Speed) -> tuple[str, ...]:
    """What a row is about."""
    place = (row.dataset, row.task, row.design, row.target)
    if isinstance(row, Accuracy):
        return (*place, row.metric)
    return (*place, row.phase, str(row.batch_size or ""), row.reference)
