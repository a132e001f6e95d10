"""Published step times, and the devices they were measured on: what a projection to absent hardware is fitted to and judged on."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vitalbench.config.prices import price_text
from vitalbench.errors import ConfigError, choices

_TIMINGS = ("workload", "mode", "batch", "device", "seconds", "source", "file")
_DEVICES = ("device", "kind", "arithmetic", "tflops", "bandwidth_gb_s", "source")
_KINDS = ("gpu", "cpu")
_LONGEST_S = 86_400.0
PER_IMAGE = "image"  # the batch of a time that is a step's over its images


@dataclass(frozen=True)
class Device:
    """What a data sheet says.

    Attributes:
        tflops: 10^12 operations a second, dense, in the arithmetic it was timed in: fp32 outside of tensor cores, or fp16 in them.
        gb_s: 10^9 bytes a second to and from its memory.
        kind: gpu or cpu.
    """

    name: str
    tflops: float
    gb_s: float
    kind: str = "gpu"


@dataclass(frozen=True)
class Timing:
    """A step of a workload on a device; a workload is a model, what is done with it and the batch it is done on.

    Attributes:
        source: where it was published.
    """

    workload: tuple[str, str, str]
    device: str
    seconds: float
    source: str = ""


def _rows(text: str, path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with where it stands, for messages."""
    reader = csv.DictReader(text.splitlines())
    try:
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise ConfigError(f"{path}: column '{column}' is missing; found: {', '.join(reader.fieldnames or ())}")
        for row in reader:
            yield f"{path}: line {reader.line_num}", row
    except csv.Error as error:
        raise ConfigError(f"{path}: not readable as CSV: {error}") from None


def _positive(where: str, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"{where}: {column} is {row[column]!r}; it must be a positive number")
    return value


def parse_devices(text: str, path: Path) -> dict[str, Device]:
    """The devices of a file by their names, as the driver reports them.

    Args:
        path: where the text is from, for messages.

    Raises:
        ConfigError: a missing column, a kind there is not, a rate that is no positive number, a device that stands there twice.
    """
    found: dict[str, Device] = {}
    for where, row in _rows(text, path, _DEVICES):
        if row["device"] in found:
            raise ConfigError(f"{where}: device '{row['device']}' stands there twice")
        if row["kind"] not in _KINDS:
            raise ConfigError(f"{where}: kind is {row['kind']!r}; {choices(str(row['kind']), _KINDS)}")
        tflops, gb_s = (_positive(where, row, column) for column in ("tflops", "bandwidth_gb_s"))
        found[row["device"]] = Device(row["device"], tflops, gb_s, row["kind"])
    return found


def _step(where: str, row: dict[str, str]) -> float:
    """Seconds of a step: a day at most, beyond which it is none."""
    seconds = _positive(where, row, "seconds")
    if seconds > _LONGEST_S:
        raise ConfigError(f"{where}: seconds is {seconds:g}; a step takes {_LONGEST_S:,.0f} s, a day, at most")
    return seconds


def parse_timings(text: str, path: Path, devices: dict[str, Device]) -> list[Timing]:
    """The step times of a file.

    Args:
        path: where the text is from, for messages.

    Raises:
        ConfigError: a missing column, a time that is no positive number, a device that is not among `devices`, a workload twice
            on one device.
    """
    found: dict[tuple[tuple[str, str, str], str], Timing] = {}
    for where, row in _rows(text, path, _TIMINGS):
        if row["device"] not in devices:
            raise ConfigError(f"{where}: {choices(row['device'], devices)}")
        workload = (row["workload"], row["mode"], row["batch"])
        if (workload, row["device"]) in found:
            raise ConfigError(f"{where}: {' '.join(workload)} on {row['device']} stands there twice")
        found[workload, row["device"]] = Timing(workload, row["device"], _step(where, row), row["source"])
    return list(found.values())


_LEAST = 3  # workloads and GPUs
DEVICES, TIMINGS = "projection/devices.csv", "projection/timings.csv"  # below configs/


def published_texts(configs: Path) -> dict[str, str]:
    """Both files as they stand."""
    return {name: price_text(configs / name) for name in (DEVICES, TIMINGS)}


def parse_published(texts: dict[str, str], configs: Path) -> tuple[dict[str, Device], list[Timing]]:
    """Both files' contents; a ConfigError says what is wrong with one and in which line."""
    devices = parse_devices(texts[DEVICES], configs / DEVICES)
    timings = parse_timings(texts[TIMINGS], configs / TIMINGS, devices)
    of_gpus = {(timing.workload, timing.device) for timing in timings if devices[timing.device].kind == "gpu"}
    timed = Counter(workload for workload, _ in of_gpus)
    shared = sum(count > 1 for count in timed.values())
    if shared < _LEAST or len({device for _, device in of_gpus}) < _LEAST:
        raise ConfigError(
            f"{configs / TIMINGS}: {shared} workloads with times of two GPUs or more, "
            f"of {len({device for _, device in of_gpus})} GPUs in all; "
            f"{_LEAST} of each are needed, since each is left out once to see how far the others are off"
        )
    return devices, timings
