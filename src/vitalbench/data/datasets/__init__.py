"""Data sets, a module each: what a release's own files mean.

A data set's module has three functions; its configuration (configs/datasets/<name>.yaml) names it. Nothing else lists it.

    read_index(root, config) -> pandas.DataFrame
        One row a record, in the release's order, with at least
          record_id    text, as the release names it
          patient_id   text
          file         the record's path below `root`, without extension where the format has several files
          labels:<set> a list of class names, one column a label set
          recording_id, start_s, end_s
                       where records are windows: of which recording, from when to when; the audit holds them against each other
          fault        optional: what is wrong with the row, empty where nothing is; a record with one is quarantined unread
        and whatever else a task or a reader needs: `group:<name>` columns become subgroups, a fold column an official split.
        Beyond these, only the columns that the data set's YAML lists under `carry` reach the store.
    read_record(root, row, config) -> Record
        The samples of one row of the index. Raises UnreadableRecord, with the reason, for one that cannot be trusted.
    write_standin(root, config) -> None
        Generated records in exactly the release's layout, watermarked. Optional: a data set without it is only ever local.
    record_files(file, config) -> list[str]
        The files below `root` that the index's `file` stands for. Optional: without it, the file itself.
    left_out(root, config, index) -> dict[str, tuple[int, int]]
        Of a data set made of several releases: records of theirs that are in no row of the stored index, by source, how many for
        another reason and how many because another row is the same recording. Optional.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild
from vitalbench.errors import ConfigError, choices

FAULT = "fault"  # the column of an index that says what is wrong with a row
NOTICE = "notice"  # the column that says what is to be told of a row with which nothing is wrong: a check, a colon, and its detail
RECORDING = "recording_id"
WINDOW = (RECORDING, "start_s", "end_s")  # the columns of an index whose rows are windows of recordings


@dataclass(frozen=True)
class Record:
    """One record's samples as stored: physical = (digital - baseline) / gain, of a signal in millivolt.

    Attributes:
        digital: (leads, samples) integers of a signal, (channels, height, width) of an image.
        gain: (leads,) units a millivolt; of an image (channels,), units of full scale.
        baseline: (leads,) the unit that stands for 0 mV, or black.
        generated: the file carries the stand-in's watermark.
        recorded: how many samples were recorded, where the record was filled up to the length all have; None for all.
        turned: leads of which the file states a negative gain, though what is stored here has another.
    """

    digital: NDArray[Any]
    gain: NDArray[np.float32]
    baseline: NDArray[np.float32]
    generated: bool = False
    recorded: int | None = None
    turned: tuple[int, ...] = ()


class UnreadableRecord(Exception):
    """A record that cannot be trusted: `check` names the test it failed, the message says how."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(detail)
        self.check = check


def names() -> list[str]:
    """The data set modules there are."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def load(module: str) -> ModuleType:
    """The module of a data set, by name."""
    if module not in names():
        raise ConfigError(f"data set module {module!r}: {choices(module, names())}")
    return importlib.import_module(f"{__name__}.{module}")


def sound(index: pd.DataFrame) -> pd.DataFrame:
    """The rows of an index with which nothing is wrong."""
    return index[index[FAULT] == ""] if FAULT in index.columns else index


def record_files(module: ModuleType, file: str, config: DatasetBuild) -> list[str]:
    """The files of one record below the release's folder."""
    listed = getattr(module, "record_files", None)
    return list(listed(file, config)) if listed else [file]
