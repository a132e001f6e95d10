"""Every twelve-lead source once: PTB-XL 1.0.3 and the other sources of the 2021 Challenge, in one vocabulary and one shape.

The Challenge holds PTB-XL 1.0.1 under other names (HR00001 is ecg_id 1) and without its patients. So its copies are left out by
their number, and the release's own records taken: they have patients and folds. What a copy adds is its SNOMED CT codes, which a
record is given where the copy is here; else its statements and its axis are mapped by datasets/snomed.csv. Numbers that 1.0.3 no
longer has are left out too. Chapman and Ningbo, CPSC2018 and Georgia are in the Challenge once. Every patient has a fold: PTB-XL's
own, elsewhere a hash of the id.
"""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data import snomed
from vitalbench.data.datasets import FAULT, Record, challenge, ptbxl
from vitalbench.data.datasets.challenge import ideal_auroc, ideal_scores
from vitalbench.data.synthetic.combined import write_release
from vitalbench.errors import InputError
from vitalbench.progress import say

__all__ = [
    "ideal_auroc", "ideal_scores", "left_out", "read_index", "read_record", "record_files", "write_standin"
]  # fmt: skip
PTBXL, CHALLENGE = "ptbxl", "challenge2021"  # the releases, side by side
ORIGIN, COPIES, GONE = "ptb-xl", "ptb-xl, the Challenge's copies", "ptb-xl, in the Challenge alone"
_FOLD, _AXIS = "strat_fold", "heart_axis"
_FOLDS = 10
_SEX = {0: "male", 1: "female"}


def _of(config: DatasetBuild, release: str) -> DatasetBuild:
    """The configuration of one of the releases, as its own reader takes it."""
    below = f"{release}/"
    folders = [name.removeprefix(below) for name in config.header_folders if name.startswith(below)]
    tables = [name.removeprefix(below) for name in config.index_files if name.startswith(below)]
    return config.model_copy(update={"header_folders": folders, "index_files": tables, "release": release})


def ecg_id(record: str) -> str | None:
    """The number in PTB-XL of a record of the Challenge; None of any other source's.

    >>> ecg_id("HR06000"), ecg_id("E07500")
    ('6000', None)
    """
    digits = record.removeprefix("HR")
    return str(int(digits)) if record.startswith("HR") and digits.isascii() and digits.isdigit() else None


def _fold(patient: str) -> int:
    """A fold of 1 to 10 by a hash of the patient's id."""
    return int.from_bytes(hashlib.sha256(f"combined/{patient}".encode()).digest()[:8], "big") % _FOLDS + 1


def _labelled(index: pd.DataFrame, codes: list[list[str]]) -> pd.DataFrame:
    """An index with the label sets of these codes and no others."""
    kept = index[[column for column in index.columns if not column.startswith("labels:")]].copy()
    for name, labels in snomed.label_sets(codes).items():
        kept[f"labels:{name}"] = labels
    return kept


def _codes_of(carried: pd.Series) -> list[list[str]]:
    """Codes from their own abbreviations."""
    table = snomed.vocabulary()
    by_name = dict(zip(table["abbreviation"], table.index, strict=True))
    return [[by_name[name] for name in names] for names in carried]


def _mapped(statements: list[str], axis: object) -> list[str]:
    """The codes of a record of PTB-XL: its statements', and that of its axis, which no statement says."""
    return sorted({*snomed.from_statements(statements), *snomed.from_axis(axis)})


def _ptbxl(root: Path, config: DatasetBuild, copied: pd.DataFrame) -> pd.DataFrame:
    """PTB-XL's own records, with the codes of the Challenge's copies where there are such."""
    index = ptbxl.read_index(root / PTBXL, _of(config, PTBXL))
    theirs = dict(zip(copied["record_id"].map(ecg_id), _codes_of(copied["labels:snomed"]), strict=True))
    axes = index[_AXIS] if _AXIS in index.columns else [None] * len(index)
    said = zip(index["labels:all"], axes, index[FAULT], strict=True)
    mapped = ([] if fault else _mapped(list(statements), axis) for statements, axis, fault in said)
    codes = [theirs.get(str(number), own) for number, own in zip(index["record_id"], mapped, strict=True)]
    found = _labelled(index, codes)
    for column in ("record_id", "patient_id"):
        found[column] = f"{PTBXL}-" + index[column]
    found["file"] = f"{PTBXL}/" + index["file"]
    found["sex"] = index["sex"].map(_SEX).fillna("unknown")
    found["group:origin"] = ORIGIN
    known = {"record_id", "patient_id", "file", FAULT, "age", "sex", _FOLD}
    return found[[name for name in found.columns if name in known or ":" in name]]


def _others(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """All that the Challenge has, PTB-XL's copies among it."""
    index = challenge.read_index(root / CHALLENGE, _of(config, CHALLENGE))
    return index.assign(file=f"{CHALLENGE}/" + index["file"])


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a recording, whichever of the releases has it.

    Raises:
        InputError: a release is not there, or as its own reader raises it.
    """
    theirs = _others(root, config)
    number = theirs["record_id"].map(ecg_id)
    copied = theirs[number.notna()]
    own = _ptbxl(root, config, copied[copied[FAULT] == ""])
    here = set(own["record_id"].str.removeprefix(f"{PTBXL}-"))
    gone = [name for name, found in zip(copied["record_id"], number.dropna(), strict=True) if found not in here]
    say(
        f"{root}: {len(copied) - len(gone):,} records of the Challenge are copies of PTB-XL's and left out by their number"
    )
    if gone:
        say(f"{root}: {len(gone):,} more of them are in no row of {PTBXL}'s table and are left out: {gone[0]}")
    others = theirs[number.isna()].reset_index(drop=True)
    others[_FOLD] = others["patient_id"].map({patient: _fold(patient) for patient in others["patient_id"].unique()})
    index = pd.concat([own, others], ignore_index=True)
    index["age"] = index["age"].astype(float)
    index[_FOLD] = pd.to_numeric(index[_FOLD], errors="coerce").astype(float)
    return index


def left_out(root: Path, config: DatasetBuild, index: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """The Challenge's records of PTB-XL: those that the release has itself, and those that it has not."""
    names = header_files(root / CHALLENGE, _of(config, CHALLENGE).header_folders)
    numbers = {number for name in names if (number := ecg_id(Path(name).name.removesuffix(HEADER))) is not None}
    here = numbers & set(index["record_id"].str.rpartition(f"{PTBXL}-")[2])
    found = {COPIES: (0, len(here)), GONE: (len(numbers) - len(here), 0)}
    return {name: counts for name, counts in found.items() if any(counts)}


def _release_of(file: str) -> tuple[str, str]:
    release, _, rest = file.partition("/")
    return release, rest


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """The samples of one record, brought to the data set's rate and leads; a release may be a link beside the other."""
    release, file = _release_of(str(row["file"]))
    module = ptbxl if release == PTBXL else challenge
    record: Record = module.read_record((root / release).resolve(), row | {"file": file}, config)
    return record


def record_files(file: str, config: DatasetBuild) -> list[str]:
    """A record's header and samples."""
    release, rest = _release_of(file)
    module = ptbxl if release == PTBXL else challenge
    return [f"{release}/{name}" for name in module.record_files(rest, config)]


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Both releases of generated records, side by side: every record of the one is a copy in the other, as it is in fact."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(
        root / PTBXL, root / CHALLENGE, config.standin, config.signal.rate_hz, _of(config, CHALLENGE).header_folders
    )
