"""What pytest-benchmark measured, in a baseline's terms: each benchmark over the reference operation beside it.

Beside it is what its own `extra_info` says (tests/benchmarks/conftest.py), as is the foreign load while it ran; of benchmarks that
do not say, the reference benchmark of their session, which may be minutes away.
"""

import math
from collections import Counter
from pathlib import Path
from typing import Any

from vitalbench.errors import InputError, choices
from vitalbench.files import read_json
from vitalbench.gate.baseline import Speed, key_of
from vitalbench.gate.found import Found, ratio_of
from vitalbench.measure.device import processor_name
from vitalbench.measure.load import ForeignLoad

SUITE = "benchmarks"
REFERENCE = "test_reference_operation"  # tests/benchmarks/test_reference.py
BESIDE = "reference_seconds"  # keys in a benchmark's extra_info
FOREIGN = "foreign_load"
PHASE = "benchmark"


class Sessions:
    """Further sessions of the same benchmarks, which confirm a first one or do not; nothing is run."""

    def __init__(self, sessions: list[Found]) -> None:
        self._sessions = sessions

    def speed(self, key: tuple[str, ...], further: int = 1) -> tuple[Speed, bool] | None:
        """A benchmark of the first, second, ... further session, and whether it was disturbed; None where it has none."""
        if further > len(self._sessions):
            return None
        session = self._sessions[further - 1]
        return next(((row, key in session.disturbed) for row in session.speed if key_of(row) == key), None)

    def accuracy(self, key: tuple[str, ...], seed: str | None = None) -> None:
        """None: benchmarks score nothing."""

    def exact(self, key: tuple[str, ...]) -> bool:  # noqa: ARG002 - the gate asks so
        """Nothing is trained."""
        return False


def _positive(path: Path, name: str, what: str, value: Any) -> float:
    try:
        seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        seconds = math.inf
    if not 0 < seconds < math.inf:
        raise InputError(f"{path}: {name}: {what} is {str(value)[:40]}; it must be a positive number")
    return seconds


def _median(path: Path, benchmark: Any) -> tuple[str, float, float | None, bool]:
    """A benchmark's name, its median and the reference beside it, in seconds, and whether foreign work disturbed it."""
    try:
        name, median = benchmark["name"], benchmark["stats"]["median"]
        extra = benchmark.get("extra_info") or {}
        beside, foreign = extra.get(BESIDE), extra.get(FOREIGN)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: a benchmark has no name or no median; write it with --benchmark-json") from None
    if not isinstance(name, str) or not name or not name.isprintable():
        raise InputError(f"{path}: a benchmark's name is {str(name)[:40]!a}; allowed: printable text")
    reference = None if beside is None else _positive(path, name, f"extra_info.{BESIDE}", beside)
    if foreign is not None and (type(foreign) not in (int, float) or not 0 <= foreign <= 1):
        raise InputError(f"{path}: {name}: extra_info.{FOREIGN} is {str(foreign)[:40]}; it must be a share, 0 to 1")
    return name, _positive(path, name, "the median", median), reference, bool(ForeignLoad.is_much(foreign))


def found_in_benchmarks(path: Path) -> Found:
    """The medians of a file that `pytest --benchmark-json FILE` wrote, over the reference beside them.

    Raises:
        InputError: it is no such file, or the reference benchmark is not in it where one does not say what was beside it.
    """
    told = read_json(path)
    content = told.get("benchmarks") if isinstance(told, dict) else None
    if not isinstance(content, list):
        raise InputError(f"{path}: key 'benchmarks' is missing: not what `pytest --benchmark-json` writes")
    named = [_median(path, benchmark) for benchmark in content]
    twice = [name for name, times in Counter(name for name, *_ in named).items() if times > 1]
    if twice:
        raise InputError(f"{path}: two benchmarks are named {twice[0]!r}")
    medians = {name: (median, beside) for name, median, beside, _ in named}
    disturbed = {name for name, *_, was in named if was}
    session = medians.pop(REFERENCE, (math.nan, None))[0]
    if math.isnan(session) and any(beside is None for _, beside in medians.values()):
        raise InputError(f"{path}: the benchmark {REFERENCE!r} is not in it; {choices(REFERENCE, medians)}")
    speed = [
        Speed(
            dataset="-",
            task="-",
            design=name,
            target="-",
            phase=PHASE,
            batch_size=None,
            reference=REFERENCE,
            values=[ratio_of(median, beside or session, f"{path}: {name}")],
        )
        for name, (median, beside) in sorted(medians.items())
    ]
    return Found(_device(path, told), {}, [], speed, {key_of(row) for row in speed if row.design in disturbed})


def sessions_in(files: list[Path], most: int) -> list[Found]:
    """What each session of benchmarks holds.

    Raises:
        InputError: one is no such file, or of another device than the first; two share a measurement, to all digits, which confirms
            nothing of itself; or there are more than `most`.
    """
    if len(files) > most:
        raise InputError(f"--benchmarks: {len(files)} sessions; allowed: 1 to {most}")
    found = [found_in_benchmarks(path) for path in files]
    for at, (path, session) in enumerate(zip(files, found, strict=True)):
        if session.device != found[0].device:
            raise InputError(f"{path}: is of '{session.device}', and {files[0]} of '{found[0].device}'")
        for earlier, other in zip(files[:at], found, strict=False):
            copied = [row.design for row in session.speed if row in other.speed]
            if copied:
                raise InputError(
                    f"{path}: holds the measurements of {earlier}: a session says nothing more beside itself "
                    f"({copied[0]} is the same to all digits{f', and {len(copied) - 1} more' if copied[1:] else ''})"
                )
    return found


def in_turn(sessions: list[Found]) -> list[Found]:
    """The same measurements, the first of each benchmark in the first, and so on: a session that lacks one holds no other up."""
    of: dict[tuple[str, ...], list[tuple[Speed, bool]]] = {}
    for session in sessions:
        for row in session.speed:
            of.setdefault(key_of(row), []).append((row, key_of(row) in session.disturbed))
    turns = []
    for turn, session in enumerate(sessions):
        rows = {key: of[key][turn] for key in sorted(of) if len(of[key]) > turn}
        disturbed = {key for key, (_, was) in rows.items() if was}
        turns.append(Found(session.device, {}, [], [row for row, _ in rows.values()], disturbed))
    return turns


def together(sessions: list[Found]) -> Found:
    """Sessions as one, a value a session; of a benchmark that foreign work disturbed in some, those of the others."""
    every: dict[tuple[str, ...], Speed] = {}
    calm: dict[tuple[str, ...], Speed] = {}
    for session in sessions:
        for row in session.speed:
            key = key_of(row)
            for rows in (every,) if key in session.disturbed else (every, calm):
                before = rows[key].values if key in rows else []
                rows[key] = row.model_copy(update={"values": [*before, *row.values]})
    speed = [calm.get(key, every[key]) for key in sorted(every)]
    return Found(sessions[0].device, {}, [], speed, {*every} - {*calm})


def _device(path: Path, told: dict[str, Any]) -> str:
    """The processor that the benchmarks ran on, as the file says."""
    machine = told.get("machine_info")
    told_of = machine.get("cpu") if isinstance(machine, dict) else None
    cpu = told_of if isinstance(told_of, dict) else {}
    brand = cpu.get("brand_raw")
    if not isinstance(brand, str) or not brand:
        raise InputError(f"{path}: key 'machine_info.cpu.brand_raw' is missing: which processor it is of is not known")
    for key in ("family", "model"):
        if not isinstance(cpu.get(key), int | None):
            raise InputError(f"{path}: key 'machine_info.cpu.{key}' is {str(cpu[key])[:40]!a}; allowed: a whole number")
    name = processor_name(brand, cpu.get("family"), cpu.get("model"))
    if not name.isprintable():
        raise InputError(
            f"{path}: key 'machine_info.cpu': the processor is {name[:80]!a}; allowed: printable text in one line"
        )
    return name
