"""Sets that leak on purpose, by the name of the check that must refuse them: records, and tables of windows and folds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import wfdb

from vitalbench.config.dataset import Dataset
from vitalbench.data.datasets import ptbxl
from vitalbench.data.synthetic import ecg
from vitalbench.data.wfdb_record import write_wfdb

INDEX = "ptbxl_database.csv"
FITTED = "fitted.txt"


def without_watermark(root: Path) -> None:
    """What says that a folder is a stand-in goes, so that tests may have it as a release."""
    for name in ("STAND-IN.txt", "standin_truth.csv"):
        (root / name).unlink(missing_ok=True)
    for header in root.rglob("*.hea"):
        lines = [line for line in header.read_text().splitlines() if not line.startswith("#")]
        header.write_text("\n".join(lines) + "\n")


def write_clean(root: Path, dataset: Dataset) -> None:
    """A release in PTB-XL's layout without a leak."""
    ptbxl.write_standin(root, dataset)
    without_watermark(root)


def _index(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / INDEX, dtype={"ecg_id": str})


def _plant(root: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """A training record once more, changed, as a new patient's test record."""
    index = _index(root)
    source = index[index["strat_fold"] == 1].iloc[0]
    new = source.copy()
    new["ecg_id"], new["patient_id"], new["strat_fold"] = "900001", 99999.0, 10
    new["filename_lr"] = "records100/00000/90001_lr"
    samples = wfdb.rdrecord(str(root / source["filename_lr"])).p_signal.T * ecg.UNITS_PER_MV
    digital = np.rint(change(samples)).astype(np.int16)
    write_wfdb(root / new["filename_lr"], digital, ecg.LEADS, 100, ecg.UNITS_PER_MV)
    without_watermark(root)
    pd.concat([index, new.to_frame().T]).to_csv(root / INDEX, index=False)


def patient_overlap(root: Path) -> None:
    """Two labelled records of one patient, one to train on and one to test on."""
    index = _index(root)
    twice = index[index["patient_id"].duplicated(keep=False)].sort_values("patient_id")
    rows = index.index[index["patient_id"] == twice["patient_id"].iloc[0]][:2]
    index.loc[rows, "strat_fold"] = [1, 10]
    index.loc[rows, "scp_codes"] = "{'NORM': 100.0, 'SR': 0.0}"
    index.to_csv(root / INDEX, index=False)


def identical_samples(root: Path) -> None:
    """The same samples under another name."""
    _plant(root, lambda samples: samples)


def near_duplicate(root: Path) -> None:
    """The same recording two seconds later, each lead at another scale, with noise at 12 dB."""

    def change(samples: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(0)
        moved = np.roll(samples, 200, axis=1)
        noisy = moved + rng.normal(size=moved.shape) * moved.std(axis=1, keepdims=True) * 10 ** (-12 / 20)
        return noisy * rng.uniform(0.5, 1.5, (len(samples), 1))

    _plant(root, change)


def statistics_outside_train(root: Path) -> None:
    """Statistics that came with the release, fitted on all of it."""
    (root / FITTED).write_text("\n".join(_index(root)["ecg_id"]) + "\n")


RELEASES: dict[str, Callable[[Path], None]] = {
    "patient-overlap": patient_overlap,
    "identical-samples": identical_samples,
    "near-duplicate": near_duplicate,
    "statistics-outside-train": statistics_outside_train,
}


def windows(leaky: bool) -> pd.DataFrame:
    """Five-second windows of two long recordings, the later half to be tested; leaky ones overlap by half.

    Every window has a patient id of its own, as in sets that lost the patients on the way: only time tells.
    """
    start = np.tile(np.arange(12) * (2.5 if leaky else 5.0), 2)
    recording = np.repeat(["a", "b"], 12)
    names = [f"{name}-{second:g}" for name, second in zip(recording, start, strict=True)]
    return pd.DataFrame(
        {
            "record_id": names,
            "patient_id": names,
            "recording_id": recording,
            "start_s": start,
            "end_s": start + 5,
            "split": np.tile(["train"] * 6 + ["test"] * 6, 2),
        }
    )


def folds(leaky: bool) -> pd.DataFrame:
    """Three folds drawn by record; in the leaky set a patient with two records lies on both sides of the last."""
    drawn = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    table = pd.DataFrame({"record_id": [f"r{i}" for i in range(10)], "patient_id": [f"p{i}" for i in range(10)]})
    for fold, shift in enumerate((0, 2, 4)):
        table[f"split:{fold}"] = np.roll(drawn, shift)
    if leaky:
        table.loc[4, "patient_id"] = "p3"
    return table
