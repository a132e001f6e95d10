"""Published step times, and the devices they were measured on: what a projection to absent hardware is fitted to and judged on."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitalbench.config.prices import price_text
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, choices

_TIMINGS = ("workload", "mode", "batch", "device", "seconds", "file")
_DEVICES = ("device", "fp32_tflops", "bandwidth_gb_s", "source")


@dataclass(frozen=True)
class Device:
    """What a data sheet says.

    Attributes:
        tflops: 10^12 fp32 operations a second, outside of tensor cores.
        gb_s: 10^9 bytes a second to and from its memory.
    """

    name: str
    tflops: float
    gb_s: float


@dataclass(frozen=True)
class Timing:
    """A step of a workload on a device; a workload is a model, what is done with it and the batch it is done on."""

    workload: tuple[str, str, str]
    device: str
    seconds: float


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with where it stands, for messages."""
    reader = csv.DictReader(price_text(path).splitlines())
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise ConfigError(f"{path}: column '{column}' is missing; found: {', '.join(reader.fieldnames or ())}")
    for row in reader:
        yield f"{path}: line {reader.line_num}", row


def _positive(where: str, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"{where}: {column} is {row[column]!r}; it must be a positive number")
    return value


def read_devices(path: Path) -> dict[str, Device]:
    """The devices of a file by their names, as the driver reports them.

    Raises:
        ConfigError: a missing column, a rate that is no positive number, a device that stands there twice.
    """
    found: dict[str, Device] = {}
    for where, row in _rows(path, _DEVICES):
        if row["device"] in found:
            raise ConfigError(f"{where}: device '{row['device']}' stands there twice")
        rates = (_positive(where, row, column) for column in ("fp32_tflops", "bandwidth_gb_s"))
        found[row["device"]] = Device(row["device"], *rates)
    return found


def read_timings(path: Path, devices: dict[str, Device]) -> list[Timing]:
    """The step times of a file.

    Raises:
        ConfigError: a missing column, a time that is no positive number, a device that is not among `devices`, a workload twice
            on one device.
    """
    found: dict[tuple[tuple[str, str, str], str], Timing] = {}
    for where, row in _rows(path, _TIMINGS):
        if row["device"] not in devices:
            raise ConfigError(f"{where}: {choices(row['device'], devices)}")
        workload = (row["workload"], row["mode"], row["batch"])
        if (workload, row["device"]) in found:
            raise ConfigError(f"{where}: {' '.join(workload)} on {row['device']} stands there twice")
        found[workload, row["device"]] = Timing(workload, row["device"], _positive(where, row, "seconds"))
    return list(found.values())


def sheets_of(targets: Mapping[str, Target], known: dict[str, Device]) -> tuple[dict[str, Device], dict[str, str]]:
    """All data sheets by device, and the device that each target stands for: a known one of its name, or its own sheet."""
    sheets, meant = dict(known), {name: name for name in known}
    for name, target in targets.items():
        if target.device != "cuda" or "fp32" not in target.peak_tflops or target.bandwidth_gb_s is None:
            continue
        same = next((device for device in known if target.match and re.search(target.match, device)), None)
        meant[name] = same or name
        if same is None:
            sheets[name] = Device(name, target.peak_tflops["fp32"], target.bandwidth_gb_s)
    return sheets, meant
