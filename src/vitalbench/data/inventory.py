"""What a data set comes to when it is read: how many records, patients and classes, what is kept out, and how fast."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vitalbench.config.dataset import Dataset, DatasetBuild, Source
from vitalbench.data.build import DataFolder
from vitalbench.data.origins import Origin, by_origin, left_out, several
from vitalbench.data.quarantine import REFUSED, TooManyQuarantined
from vitalbench.data.store import read_records
from vitalbench.data.table_file import read_table
from vitalbench.errors import GateError
from vitalbench.files import read_json, write_json
from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.load import ForeignLoad


@dataclass(frozen=True)
class Inventory:
    """A data set as it was read from one source.

    Attributes:
        listed: records of its index: windows, where its records are windows, without the rows of recordings that have none.
        recordings: that they are cut from; the same where they are no windows.
        stored, patients: in its store.
        classes: of a label set, those that a stored record carries, with how many do.
        quarantined, flagged: records by the check that found something.
        origins: of a data set of several sources, what each adds; empty for one of a single source.
        seconds: to read, check and store them; a stand-in's writing is not among them.
        processor_seconds: of this process over the same.
        foreign: the share of the machine that other processes took meanwhile; None where it cannot be seen.
    """

    listed: int
    recordings: int
    stored: int
    patients: int
    classes: dict[str, int]
    quarantined: dict[str, int]
    flagged: dict[str, int]
    origins: dict[str, Origin]
    seconds: float
    processor_seconds: float
    foreign: float | None

    @property
    def per_second(self) -> float:
        """Records of the index read, checked and stored a second, by one process."""
        return self.listed / self.seconds


def take(
    name: str,
    dataset: Dataset,
    source: Source,
    root: Path | None,
    labels: str | None,
    near_copies: Callable[[Path], pd.DataFrame] | None = None,
) -> Inventory:
    """Build a data set's store in a folder of its own that is gone afterwards, and count.

    Args:
        root: the release's folder, for `local`.
        labels: the label set whose classes are counted; None for the first that the data set has.
        near_copies: finds the pairs of a store's records that are one recording, asked where a data set is of several sources.

    Raises:
        InputError, GateError: as the build raises them.
    """
    with tempfile.TemporaryDirectory(prefix="vitalbench-") as scratch:
        folder = DataFolder(Path(scratch))
        config = dataset.model_dump(include=set(DatasetBuild.model_fields))
        made = {"dataset": name, "source": source, "root": str(root) if root else None, "config": config, "code": ""}
        write_json(folder.path / "config.json", made)
        folder.acquire()
        load, watch = ForeignLoad(), Stopwatch()
        for part in range(dataset.parts):
            folder.standardise(part)
        try:
            folder.join()
        except TooManyQuarantined as refusal:  # whose table and parts are gone with the folder
            raise GateError(f"{name}, {source}: {refusal.share}; {_first(folder.path)}") from None
        seconds, own, foreign = watch.lap(), load.own(), load.share()
        release = read_json(folder.path / "release.json")
        index, records = read_table(folder.path / "index.parquet"), read_records(folder.path / "store.h5")
        near = near_copies(folder.path / "store.h5") if near_copies and several(index) else None
        found = pd.read_csv(folder.path / "quality.csv", dtype=str)
        column = f"labels:{labels}" if labels else next(name for name in records.columns if name.startswith("labels:"))
        carried = records[column].explode().dropna().value_counts()
        windows = "recordings" in release  # of which a recording at fault has none, but a row that says so
        return Inventory(
            listed=release["records"] - (release["bad_rows"] if windows else 0),
            recordings=release.get("recordings", release["records"]),
            stored=len(records),
            patients=int(records["patient_id"].nunique()),
            classes={str(label): int(count) for label, count in carried.items()},
            quarantined=dict(_by_check(found, "quarantined")),
            flagged=dict(_by_check(found, "flagged")),
            origins=by_origin(index, records, near) | left_out(folder.path, index),
            seconds=seconds,
            processor_seconds=own,
            foreign=foreign,
        )


def _first(folder: Path) -> str:
    """What was found wrong with the first record that was kept out."""
    found = pd.read_csv(folder / REFUSED, dtype=str, keep_default_na=False).query("action == 'quarantined'").iloc[0]
    return f"the first is {found['record_id']}: {found['check']}" + (f", {found['detail']}" if found["detail"] else "")


def _by_check(found: pd.DataFrame, action: str) -> Iterator[tuple[str, int]]:
    of_action = found[found["action"] == action].drop_duplicates(["record_id", "check"])
    for check, count in of_action["check"].value_counts().items():
        yield str(check), int(count)
