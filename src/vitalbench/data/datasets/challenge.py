"""The sources of the 2021 PhysioNet Challenge (Reyna et al., doi:10.22489/CinC.2021.2687): headers with age, sex and diagnoses.

One layout, several sources: `header_folders` says below which folders a data set's records lie, official name first. A release has
no table and no patients: what is read of a record is in its header, and every recording counts as a patient of its own. Whether two
recordings are of one person cannot be told. One recording under two names, as Georgia has them, can: their headers state the same
first samples and checksums, so they are given one patient, and no split parts them.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild, StandIn
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data import snomed
from vitalbench.data.age_bands import age_bands
from vitalbench.data.datasets import FAULT, Record
from vitalbench.data.index_rows import Rows, read_cells
from vitalbench.data.synthetic.challenge import write_release
from vitalbench.data.synthetic.ecg_statements import AXES, attainable_auroc, joint, posterior
from vitalbench.data.synthetic.ptbxl import TRUTH
from vitalbench.data.wfdb_record import read_wfdb
from vitalbench.errors import InputError

_SAID = re.compile(r"^#\s*(Age|Sex|Dx)\s*:[ \t]*(.*?)\s*$", re.M)
_CODES = re.compile(r"\d{5,18}(?:,\d{5,18})*")
_LARGEST_HEADER = 1 << 16  # bytes
_UNKNOWN = {"", "nan", "unknown", "na"}
_SEX = {"male": "male", "m": "male", "female": "female", "f": "female"}
_OLDEST, _OVER_89 = 120, 300  # years; PTB-XL's 300 for patients older than 89 came along
_BY_LETTERS = {"E": "georgia", "HR": "ptb-xl", "A": "cpsc_2018", "Q": "cpsc_2018_extra"}
_CHAPMAN_TO = 10646  # Chapman and Ningbo count their records on; those up to here are Chapman's


def _read_header(path: Path) -> tuple[list[tuple[str, str]], str]:
    """What the comments of a header say of age, sex and diagnoses, and what tells its samples from others: all but names.

    Nothing of a header that cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_HEADER).decode("utf-8", errors="replace")
    except OSError:
        return [], path.stem
    # First sample and checksum of every lead: twelve of each agree by chance in no two recordings.
    signals = [line.split()[1:] for line in text.splitlines()[1:] if line.strip() and not line.startswith("#")]
    return [(match[1], match[2]) for match in _SAID.finditer(text)], str(signals) if signals else path.stem


def _origin(folder: str, record: str) -> str:
    """The source of a record by what it is called, for folders may be, too; else its folder's name."""
    if re.fullmatch(r"JS\d{1,9}", record):
        return "chapman_shaoxing" if int(record[2:]) <= _CHAPMAN_TO else "ningbo"
    named = re.fullmatch(r"([A-Z]+)\d+", record)
    return _BY_LETTERS.get(named[1], folder) if named else folder


def _table(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """A row a header, all of it texts: record_id, file, origin, age, sex, dx.

    `said` tells whether it has a line of diagnoses, `twice` what it says in more than one line.
    """
    rows = []
    first: dict[str, str] = {}
    for folder in config.header_folders:
        for name in header_files(root, [folder]):
            lines, samples = _read_header(root / name)
            said = {what.lower(): value for what, value in lines}
            record = PurePosixPath(name).stem
            rows.append(
                {
                    "record_id": record,
                    "patient_id": first.setdefault(samples, record),
                    "file": name.removesuffix(HEADER),
                    "origin": _origin(PurePosixPath(folder).name, record),
                    "age": said.get("age", ""),
                    "sex": said.get("sex", "").lower(),
                    "dx": re.sub(r"\s", "", said.get("dx", "")),
                    "said": "dx" in said,
                    "twice": next(
                        (what for what, count in Counter(what for what, _ in lines).items() if count > 1), ""
                    ),
                }
            )
    if not rows:
        raise InputError(f"{root}: no header lies below {' or '.join(config.header_folders)}")
    return pd.DataFrame(rows)


def _codes(rows: Rows) -> list[list[str]]:
    """The codes of each record; none of one that is at fault."""
    dx = rows.table["dx"]
    known = set(snomed.vocabulary().index)
    rows.refuse(~rows.table["said"], "its header says no Dx")
    rows.refuse(dx == "", "Dx is empty: nobody says what it shows, nor that it shows nothing")
    rows.refuse((dx != "") & ~dx.str.fullmatch(_CODES.pattern), "Dx is no list of SNOMED CT codes")
    found = [text.split(",") if text else [] for text in dx]
    strange = pd.Series([not set(codes) <= known for codes in found], index=dx.index)
    rows.refuse(strange, f"Dx holds a code that is none of the {len(known)} of the vocabulary")
    return [sorted(set(codes)) if not fault else [] for codes, fault in zip(found, rows.fault, strict=True)]


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a header, with label sets and subgroups, and what is wrong with it, if anything.

    Raises:
        InputError: there is no header, or most of them are at fault.
    """
    table = _table(root, config)
    table["age"] = table["age"].mask(table["age"].str.lower().isin(_UNKNOWN) | (table["age"] == "-1"), "")
    rows = Rows(table, root)
    for what in ("Age", "Sex", "Dx"):
        rows.refuse(table["twice"] == what, f"its header has more than one line of {what}")
    told = f"0 to {_OLDEST} years, {_OVER_89} (older than 89), -1 or NaN"
    age = rows.number("age", lambda years: years.between(0, _OLDEST) | (years == _OVER_89), told)
    sex = table["sex"].mask(table["sex"].isin(_UNKNOWN), "unknown").replace(_SEX)
    rows.refuse(~sex.isin(["male", "female", "unknown"]), "Sex is neither Male, Female nor Unknown")
    codes = _codes(rows)
    rows.hold()
    index = pd.DataFrame(
        {
            "record_id": table["record_id"],
            "patient_id": table["patient_id"],
            "file": table["file"],
            FAULT: rows.fault,
            "age": age.astype(float),
            "sex": sex,
            "group:sex": sex.where(rows.fault == "", "unknown"),
            "group:age_band": age_bands(age.where(rows.fault == "")),
            "group:origin": table["origin"],
        }
    )
    for name, labels in snomed.label_sets(codes).items():
        index[f"labels:{name}"] = labels
    truth = root / TRUTH
    if truth.is_file():
        severities = read_cells(truth, ("record_id",)).set_index("record_id")
        index = index.merge(severities.astype(float), on="record_id", how="left", validate="one_to_one")
    return index


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """The samples of one record, held against its header and brought to the data set's shape."""
    return read_wfdb(root / str(row["file"]), config.signal, root, config.harmonise)


def record_files(file: str, config: DatasetBuild) -> list[str]:  # noqa: ARG001 - the same for every source
    """A record's header and samples."""
    return [f"{file}{HEADER}", f"{file}.mat"]


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated records in the Challenge's layout, below the official one of the data set's folders."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.standin, config.header_folders)


def _membership(labels: str, classes: list[str]) -> NDArray[np.bool_]:
    """(statement sets, classes): whether a set of the generator's prior carries a class of a label set."""
    carried = snomed.label_sets([snomed.from_statements(list(codes)) for codes in joint().sets])[labels]
    return np.array([[name in names for name in classes] for names in carried])


def ideal_scores(index: pd.DataFrame, labels: str, classes: list[str], standin: StandIn) -> NDArray[np.float64]:
    """The ideal observer's probabilities for generated records, (records, classes): data/synthetic/ecg_statements.py."""
    severity = index[[f"truth:{axis}" for axis in AXES]].to_numpy(dtype=float)
    return posterior(severity, standin.separation, _membership(labels, classes), standin.evenness)


def ideal_auroc(labels: str, classes: list[str], standin: StandIn) -> list[float | None]:
    """The AUROC of the ideal observer on records without number: the ceiling the parameters set, a class each."""
    return attainable_auroc(standin.separation, _membership(labels, classes), evenness=standin.evenness)
