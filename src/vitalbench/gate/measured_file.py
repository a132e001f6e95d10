"""A dated reference as it is read: a file that may be damaged, or altered."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

from vitalbench.config.values import is_day
from vitalbench.errors import InputError
from vitalbench.measure.phases import MOST_OF_LIMIT
from vitalbench.measure.placement import MOST_NS
from vitalbench.tables import read_table

Row = dict[str, str]
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_HOUR = re.compile(r"(.{10})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(Z|[+-]\d\d:\d\d)", re.ASCII)
_MOST_COUNT, _MOST_RATIO = 1_000_000_000, 100.0
# The least and the most of what is counted; of what is measured the most, where there is one.
_COUNTS = {
    "threads": (1, 1_000_000),
    "world_size": (1, 1_000_000),
    "repeats": (1, _MOST_COUNT),
    "batch_size": (1, _MOST_COUNT),
    "micro_batch": (1, _MOST_COUNT),
    "halved": (0, 64),
}
_SECONDS = ("median_s", "iqr_s", "p50_s", "p95_s", "p99_s")
_REST = ("per_second", "peak_memory_mb", "flops", "bytes", "to_reference", "energy_j", "device_memory_mb", "model_mb")
_NUMBERS = dict.fromkeys((*_SECONDS, *_REST, "clock_mhz"), math.inf) | {
    "core_to_core_ns": MOST_NS,
    "foreign_load": 1.0,
    "foreign_gpu_load": 1.0,
    "mfu": MOST_OF_LIMIT,
    "bandwidth_share": _MOST_RATIO,
    "noise_floor": _MOST_RATIO,
}
_FLAGS = ("exclusive", "disturbed", "throttled")
_ONE = {
    "device_name": "device",
    "target": "target",
    "threads": "number of threads",
    "world_size": "number of processes",
}
_NEEDED = ("measured_at", "size", "dataset", "design", "device_name", "phase", "threads", "median_s", "repeats")
_ABOUT = ("measured_at", "dataset", "task", "design", "target", "phase", "batch_size", "precision")


def read_reference(path: Path) -> list[Row]:
    """The rows of a reference, a phase each.

    Raises:
        InputError: it is no reference: of no phase, of several devices or targets, with a phase listed twice, or with a value that
            its column cannot have; the line and the column are named.
    """
    rows = read_table("measured", path)
    if not rows:
        raise InputError(f"{path}: holds no phase")
    seen: dict[tuple[str, ...], int] = {}
    for at, row in enumerate(rows, start=2):
        for name, allowed in _wrong(row):
            raise InputError(f"{path}: line {at}: {name} is {row[name][:40]!r}; allowed: {allowed}")
        for name, what in _ONE.items():
            if row[name] != rows[0][name]:
                both = f"{rows[0][name]!r} and {row[name]!r}"
                raise InputError(f"{path}: line {at}: a reference is of one {what}, and this is of {both}")
        first = seen.setdefault(tuple(row[name] for name in _ABOUT), at)
        if first != at:
            raise InputError(
                f"{path}: line {at}: {row['phase']} of {row['dataset']}/{row['design']} is in line {first} too"
            )
    return rows


def _wrong(row: Row) -> Iterator[tuple[str, str]]:
    """The columns of a row that hold what they cannot, and what they can."""
    for name, text in row.items():
        if not text.isprintable():
            yield name, "printable text in one line"
    for name in _NEEDED:
        if not row[name].strip():
            yield name, "a value; this column is never empty"
    hour = _HOUR.fullmatch(row["measured_at"])
    if not hour or not is_day(hour[1]):
        yield "measured_at", "a day and an hour, as 2026-11-29T10:20:07+00:00"
    for name, (least, most) in _COUNTS.items():
        text = row[name]
        if text and not (
            text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most
        ):
            yield name, f"a number from {least} to {most}, whole, or nothing"
    for name, highest in _NUMBERS.items():
        text = row[name]
        if text and not (_NUMBER.fullmatch(text) and math.isfinite(float(text)) and float(text) <= highest):
            yield name, f"a number from 0{'' if math.isinf(highest) else f' to {highest:g}'}, or nothing"
    for name in _FLAGS:
        if row[name] not in ("true", "false", ""):
            yield name, "true, false, or nothing"
