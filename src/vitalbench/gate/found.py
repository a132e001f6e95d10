"""What a suite's results hold now, in a baseline's terms: read as files that may be damaged, or altered."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitalbench.cell_result import CellResult
from vitalbench.config.schema import MACRO, highest
from vitalbench.config.values import Count, Line, Positive
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.gate.baseline import Accuracy, Latency, Speed, key_of
from vitalbench.layout import MEASURE_SLICE
from vitalbench.measure.placement import over_reference
from vitalbench.results import Results

GATED_PHASES = ("features", "train_step", "inference")
PLACE = ("dataset", "task", "design", "target")
_PART, _TEST = ("split", "subgroup", "metric", "label"), ("test", "all")
_AGAIN = "delete it and run `snakemake` again"


@dataclass(frozen=True)
class Found:
    """What a suite's results hold now, in a baseline's terms.

    Attributes:
        disturbed: keys of `speed` that foreign work disturbed.
        gaps: by the key of an accuracy, the runs that have no value of it.
    """

    device: str
    data: dict[str, str]
    accuracy: list[Accuracy]
    speed: list[Speed]
    disturbed: set[tuple[str, ...]]
    gaps: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """What each row of `speed` is about."""
        return [key_of(row) for row in self.speed]


def accuracy_of(results: Results, metrics: list[str]) -> Iterator[Accuracy]:
    """The metrics of every design, a seed its mean over folds; of a seed that lacks a fold's value there is none."""
    for (dataset, task, design, target), runs in results.scored_groups.items():
        for metric in _asked(results, task, metrics):
            by_seed: dict[str, list[float | None]] = {}
            for run in runs:
                by_seed.setdefault(str(run.cell.seed), []).append(_macro(run, metric))
            whole = {seed: [value for value in folds if value is not None] for seed, folds in by_seed.items()}
            whole = {seed: values for seed, values in whole.items() if len(values) == len(by_seed[seed])}
            if whole:
                yield Accuracy(
                    dataset=dataset,
                    task=task,
                    design=design,
                    target=target,
                    metric=metric,
                    values={seed: float(np.mean(values)) for seed, values in sorted(whole.items())},
                )


def _asked(results: Results, task: str, metrics: list[str]) -> list[str]:
    """The primary metric of a task, and those that are asked for beside it."""
    return list(dict.fromkeys([results.task(task).primary, *metrics]))


def _macro(run: CellResult, metric: str) -> float | None:
    """A metric of a run on the test split, the mean over classes; None where it has no value."""
    path = run.folder / "metrics.json"
    try:
        values = [
            row["value"]
            for row in read_json(path)["rows"]
            if tuple(row[name] for name in _PART) == (*_TEST, metric, MACRO)
        ]
    except (TypeError, KeyError):
        raise InputError(f"{path}: not what scoring leaves; {_AGAIN}") from None
    if len(values) > 1:
        raise InputError(f"{path}: {metric} of the test split is listed {len(values)} times; {_AGAIN}")
    value = values[0] if values else None
    most = highest(metric)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most):
        return value
    raise InputError(f"{path}: {metric} of the test split is {value!r}, allowed: 0 to {most:g}; {_AGAIN}")


def gaps_of(results: Results, metrics: list[str]) -> dict[tuple[str, ...], list[str]]:
    """The cells that have no value of a metric, and why, by what a baseline's row is about."""
    found: dict[tuple[str, ...], list[str]] = {}
    scored = {run.cell for run in results.scored}
    for run in results.cells:
        named = f"seed{run.cell.seed}-fold{run.cell.fold}"
        for metric in _asked(results, run.cell.task, metrics):
            if not run.measured:
                found.setdefault((*place_of(run), metric), []).append(f"{named}, which is {run.status}")
            elif run.cell in scored and _macro(run, metric) is None:
                found.setdefault((*place_of(run), metric), []).append(named)
    return found


def place_of(run: CellResult) -> tuple[str, ...]:
    """Data set, task, design and target of a run."""
    return tuple(str(run.cell.keys[name]) for name in PLACE)


class _Timed(BaseModel):
    """What the gate reads of a phase."""

    model_config = ConfigDict(strict=True, extra="ignore")

    name: str
    seconds: Annotated[list[Positive], Field(min_length=1)]
    reference: list[Positive] = []
    reference_name: Line = ""
    latencies: list[Latency | None] = []
    batch_size: Count | None = None
    exclusive: bool = False
    disturbed: bool | None = None
    conditions: dict[str, Any] = {}


def _repeats(results: Results, run: CellResult) -> int:
    """How many repeats of a phase the suite's protocol asks for at least."""
    path = results.folder / MEASURE_SLICE.format(design=run.cell.design)
    try:
        return int(read_json(path)["protocol"]["repeats"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: key 'protocol.repeats' is missing or no number; {_AGAIN}") from None


def ratio_of(seconds: float, reference: float, where: object) -> float:
    """A time over the reference's; an InputError where that is no number that can be compared."""
    ratio = seconds / reference
    if not 0 < ratio < math.inf:
        raise InputError(f"{where}: {seconds} s over a reference of {reference} s: no ratio that can be compared")
    return ratio


def speeds_of(path: Path, run: CellResult, results: Results) -> Iterator[tuple[Speed, bool]]:
    """The gated phases of what a measuring job left, and whether each was disturbed.

    Args:
        run: a run of the design that was measured.
        results: the suite it is of, whose protocol it has to keep to.

    Raises:
        InputError: it is not what a measuring job leaves.
    """
    told = read_json(path)
    try:
        phases = [_Timed.model_validate(one) for one in told["phases"]]
    except (ValidationError, OverflowError, TypeError, KeyError) as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else None
        where = f"phases: {'.'.join(map(str, said['loc']))}: {said['msg'].lower()}" if said else "no list of phases"
        raise InputError(f"{path}: {where}; {_AGAIN}") from None
    gated = [phase for phase in phases if phase.name in GATED_PHASES and phase.exclusive and phase.reference]
    asked = _repeats(results, run) if gated else 0
    for phase in gated:
        if len(phase.reference) != len(phase.seconds):
            raise InputError(
                f"{path}: {phase.name}: {len(phase.seconds)} seconds and {len(phase.reference)} of the reference; {_AGAIN}"
            )
        if sum((phase.name, phase.batch_size) == (one.name, one.batch_size) for one in gated) > 1:
            raise InputError(f"{path}: {phase.name} of {phase.batch_size} is listed twice; {_AGAIN}")
        if len(phase.seconds) < asked:
            raise InputError(
                f"{path}: {phase.name}: {len(phase.seconds)} repeats, the suite's protocol asks for {asked}; {_AGAIN}"
            )
        if phase.latencies and len(phase.latencies) != len(phase.seconds):
            raise InputError(
                f"{path}: {phase.name}: {len(phase.seconds)} seconds and {len(phase.latencies)} latencies; {_AGAIN}"
            )
        for seconds, reference in zip(phase.seconds, phase.reference, strict=True):
            ratio_of(seconds, reference, f"{path}: {phase.name}")
        ratio, latency = over_reference(phase.seconds, phase.reference, phase.latencies)
        speed = Speed(
            **dict(zip(PLACE, place_of(run), strict=True)),
            phase=phase.name,
            batch_size=phase.batch_size,
            reference=phase.reference_name,
            values=[ratio],
            core_to_core_ns=[] if latency is None else [latency],
        )
        yield speed, bool(phase.disturbed or phase.conditions.get("throttled"))


def measurements(results: Results) -> Iterator[tuple[CellResult, Path]]:
    """The measuring job of each design, with a run of it; of a searched design, which has one a fold, that of the first."""
    seen = set()
    for run in results.measured:
        path = results.measurement(run.cell)
        if path.is_file() and place_of(run) not in seen:
            seen.add(place_of(run))
            yield run, path


def device_of(path: Path) -> str:
    """The device that a file of timings is of; an InputError where it names none."""
    told = read_json(path)
    name = told.get("device_name") if isinstance(told, dict) else None
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: key 'device_name' is {name!r}, no device's name; {_AGAIN}")
    if not name.isprintable():
        raise InputError(f"{path}: key 'device_name' is {name[:80]!a}; allowed: printable text in one line; {_AGAIN}")
    return name


def found_in(results: Results, metrics: list[str]) -> Found:
    """What a suite's results hold.

    Args:
        metrics: to look at beside the primary metric of each task.

    Raises:
        InputError: nothing was measured, or on several devices.
    """
    speeds: list[Speed] = []
    disturbed: set[tuple[str, ...]] = set()
    devices: dict[str, Path] = {}
    for run in results.measured:
        devices.setdefault(device_of(run.folder / "timing.json"), run.folder / "timing.json")
    for run, path in measurements(results):
        devices.setdefault(device_of(path), path)
        for speed, was in speeds_of(path, run, results):
            speeds.append(speed)
            if was:
                disturbed.add(key_of(speed))
    if len(devices) != 1:
        told = "; ".join(f"{path} is of '{device}'" for device, path in devices.items())
        raise InputError(f"{results.folder}: a baseline is of one device; {told or 'nothing was measured'}")
    data = {
        name: str(read_json(folder / "manifest.json")["content"])
        for name in results.suite["sources"]
        if (folder := results.data(name)) is not None and (folder / "manifest.json").is_file()
    }
    accuracy, gaps = list(accuracy_of(results, metrics)), gaps_of(results, metrics)
    return Found(next(iter(devices)), data, accuracy, speeds, disturbed, gaps)
