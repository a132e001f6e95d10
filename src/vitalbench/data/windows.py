"""Records that are windows of long recordings: one recording is read and held against its header once for all of its windows."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vitalbench.config.dataset import DatasetBuild, Harmonise
from vitalbench.config.header_files import HEADER, annotation_file
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.harmonise import hold_shape, to_shape
from vitalbench.data.wfdb_record import read_whole

_State = tuple[tuple[int, int], ...]


def _state(path: Path) -> _State:
    """Size and time of change of a recording's files, by which one that was altered is read anew."""
    found = []
    for beside in (".hea", ".dat"):
        try:
            told = os.stat(f"{path}{beside}")  # noqa: PTH116 - asked for every window; paths cost more than the call
        except OSError:
            continue
        found.append((told.st_size, told.st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=1)
def _whole(
    path: Path,
    leads: tuple[str, ...],
    root: Path,
    how: tuple[bool, float | None],
    state: _State,  # noqa: ARG001 - of the key
) -> tuple[Record, float] | UnreadableRecord:
    more_leads, gain = how
    try:
        return read_whole(path, leads, root, Harmonise(more_leads=more_leads, uncalibrated_gain=gain))
    except UnreadableRecord as problem:
        return problem  # of all its windows


def recording_of(root: Path, file: str, leads: list[str], config: DatasetBuild) -> tuple[Record, float]:
    """Some leads of a recording by their names, held against its header, and its samples a second; read once for many windows.

    Raises:
        UnreadableRecord: it cannot be trusted.
    """
    path, allowed = root / file, config.harmonise or Harmonise()
    how = allowed.more_leads, allowed.uncalibrated_gain
    found = _whole(path, tuple(leads), root, how, _state(path))
    if isinstance(found, UnreadableRecord):
        raise UnreadableRecord(found.check, str(found))
    return found


def cut(recording: Record, rate_hz: float, start_s: float, config: DatasetBuild) -> Record:
    """The window of a recording that begins at `start_s`, brought to the data set's rate and length.

    Raises:
        UnreadableRecord: the recording ends before the window does, or its rate is none that is brought to the data set's.
    """
    signal = config.signal
    first, samples = round(start_s * rate_hz), round(signal.seconds * rate_hz)
    digital = recording.digital[:, first : first + samples]
    if first < 0 or digital.shape[1] < samples:
        length = recording.digital.shape[1] / rate_hz
        raise UnreadableRecord("wrong-length", f"a window from {start_s:.3f} s on in a recording of {length:.3f} s")
    window = Record(np.ascontiguousarray(digital), recording.gain, recording.baseline, recording.generated)
    hold_shape(rate_hz, samples, signal, config.harmonise)
    return to_shape(window, rate_hz, signal)


def read_window(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """One window, cut from its recording and brought to the data set's shape.

    Args:
        root: the release's folder.
        row: of the index, with `file` and `start_s`; rows of one recording come one after the other.

    Raises:
        UnreadableRecord: as `recording_of` and `cut` raise it.
    """
    recording, rate_hz = recording_of(root, str(row["file"]), config.signal.leads, config)
    return cut(recording, rate_hz, float(row["start_s"]), config)


def window_files(file: str, config: DatasetBuild) -> list[str]:
    """A recording's header, samples and annotations."""
    beside = annotation_file(f"{file}{HEADER}", config.annotations)
    return [f"{file}{HEADER}", f"{file}.dat", *([beside] if beside else [])]
