"""Twelve-lead records with controlled parameters, known exactly: a data set of its own, of as many records as are asked for.

A record is made when it is read, of its row of parameters.csv and its number, so no part of a store needs another and nothing but
the store holds samples. What is carried into it: the findings, each of the parameters (synthetic/parameters.py) and the severities,
of which the best score that anyone can reach follows (synthetic/ecg_statements.py). What few records of PTB-XL have, `evenness`
makes less rare. Generated records: nothing here supports a clinical claim.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data import snomed
from vitalbench.data.age_bands import age_bands
from vitalbench.data.datasets import Record
from vitalbench.data.datasets.challenge import ideal_auroc, ideal_scores
from vitalbench.data.index_rows import read_cells
from vitalbench.data.synthetic import ecg
from vitalbench.data.synthetic.ecg_statements import AXES
from vitalbench.data.synthetic.parameters import COLUMNS, TABLE, signal_of, write_release
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.errors import InputError

__all__ = ["ideal_auroc", "ideal_scores", "read_index", "read_record", "record_files", "write_standin"]
_NOISE = (0.0, 2 / 3, 3 / 2, np.inf)  # of the configured level
_LEVELS = ["low", "middle", "high"]
_TRUTH = [f"truth:{axis}" for axis in AXES]


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a record of parameters.csv.

    Raises:
        InputError: the table is missing, lacks a column, or is not one that was generated.
    """
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    numbers = [*COLUMNS, *_TRUTH]
    table = read_cells(root / TABLE, ("record_id", "age", "sex", "codes", "note", *numbers))
    if not table["note"].eq(WATERMARK).all():
        raise InputError(f"{root / TABLE}: a row is not marked as generated")
    index = pd.DataFrame({"record_id": table["record_id"], "patient_id": table["record_id"], "file": TABLE})
    for column in ("age", *numbers):
        index[column] = pd.to_numeric(table[column], errors="coerce")
    index["group:sex"] = table["sex"]
    index["group:age_band"] = age_bands(index["age"])
    index["group:origin"] = "synthetic"
    share = index["noise_mv"] / config.standin.noise_mv
    index["group:noise"] = pd.cut(share, _NOISE, labels=_LEVELS, right=False).astype(str)
    for name, labels in snomed.label_sets([codes.split() for codes in table["codes"]]).items():
        index[f"labels:{name}"] = labels
    return index


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:  # noqa: ARG001 - made of the row alone
    """The samples of one record."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    signal = config.signal
    digital = signal_of(
        np.array([float(row[axis]) for axis in _TRUTH]),
        float(row["noise_mv"]),
        config.standin.seed,
        int(str(row["record_id"]).rpartition("/")[2]),
        rate_hz=signal.rate_hz,
        seconds=signal.seconds,
    )
    leads = [ecg.LEADS.index(lead) for lead in signal.leads]
    gain = np.full(len(leads), ecg.UNITS_PER_MV, dtype=np.float32)
    return Record(digital[leads], gain, np.zeros_like(gain), generated=True)


def record_files(file: str, config: DatasetBuild) -> list[str]:  # noqa: ARG001 - the same of all
    """The table: a row is all there is of a record."""
    return [file]


def write_standin(root: Path, config: DatasetBuild) -> None:
    """The table of parameters."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.standin, config.signal.seconds)
