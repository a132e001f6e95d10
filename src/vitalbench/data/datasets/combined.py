"""Every twelve-lead source once: PTB-XL 1.0.3 and the other sources of the 2021 Challenge, in one vocabulary and one shape.

The Challenge holds PTB-XL 1.0.1 under other names (HR00001 is ecg_id 1) and without its patients. So its copies are left out by
their number, and the release's own records taken: they have patients and folds. What a copy adds is its SNOMED CT codes, which
a record is given where the copy is here and its samples, held against their checksums, are the record's; else its statements
and its axis are mapped by datasets/snomed.csv. Numbers that 1.0.3 no longer has are left out too. Chapman and Ningbo, CPSC2018
and Georgia are in the Challenge once. Every patient has a fold: PTB-XL's own, elsewhere a hash of the id.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from vitalbench.config.dataset import DatasetBuild
from vitalbench.config.header_files import HEADER, header_files
from vitalbench.data import snomed
from vitalbench.data.datasets import FAULT, NOTICE, Record, UnreadableRecord, challenge, ptbxl
from vitalbench.data.datasets.challenge import ideal_auroc, ideal_scores
from vitalbench.data.same_recording import MIN_CORRELATION, correlation
from vitalbench.data.synthetic.combined import write_release
from vitalbench.errors import InputError
from vitalbench.measure.device import cpu_count
from vitalbench.progress import say

__all__ = [
    "ideal_auroc", "ideal_scores", "left_out", "read_index", "read_record", "record_files", "write_standin"
]  # fmt: skip
UNLIKE = "copy-differs"  # the check that tells of a copy which is none
PTBXL, CHALLENGE = "ptbxl", "challenge2021"  # the releases, side by side
ORIGIN, COPIES, GONE = "ptb-xl", "ptb-xl, the Challenge's copies", "ptb-xl, in the Challenge alone"
DIFFERS = "ptb-xl, by the number alone"  # the Challenge's records of which no sample says that they are copies
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


def _unlike(root: Path, config: DatasetBuild, own: str, copy: str) -> str:
    """Why a record of the Challenge is not taken for a copy of one of PTB-XL; empty where it is one, or that cannot be read.

    Args:
        own, copy: their files, below the releases.
    """
    try:
        ours = _read(root, PTBXL, {"file": own}, config)
    except UnreadableRecord:  # it is kept out of the store for it
        return ""
    try:
        theirs = _read(root, CHALLENGE, {"file": copy}, config)
    except UnreadableRecord as wrong:
        name = Path(copy).name
        return f"not readable, {str(wrong).removeprefix(f'{name}: ').replace(name, 'it')}"
    found = correlation(ours, theirs)
    return "" if found >= MIN_CORRELATION else f"its samples correlate at {found:.2f} with the record's"


def _held(root: Path, config: DatasetBuild, own: pd.DataFrame, copied: pd.DataFrame) -> dict[str, str]:
    """By ecg_id, of every record with a copy: why that is not taken for one, or an empty text.

    Every copy is read, on every core: whole, they are 2.6 GB.
    """
    files = dict(zip(copied["record_id"].map(ecg_id), copied["file"], strict=True))
    here = own[own["record_id"].isin(list(files)) & (own[FAULT] == "")]
    with ThreadPoolExecutor(cpu_count()) as pool:
        told = pool.map(
            lambda at: _unlike(root, config, at[1], files[at[0]]), zip(here["record_id"], here["file"], strict=True)
        )
        return dict(zip(here["record_id"], told, strict=True))


def _ptbxl(root: Path, config: DatasetBuild, copied: pd.DataFrame) -> pd.DataFrame:
    """PTB-XL's own records, with the codes of the Challenge's copies where there are such."""
    index = ptbxl.read_index(root / PTBXL, _of(config, PTBXL))
    index["record_id"] = index["record_id"].astype(str)
    unlike = _held(root, config, index, copied)
    theirs = dict(zip(copied["record_id"].map(ecg_id), _codes_of(copied["labels:snomed"]), strict=True))
    axes = index[_AXIS] if _AXIS in index.columns else [None] * len(index)
    said = zip(index["labels:all"], axes, index[FAULT], strict=True)
    mapped = ([] if fault else _mapped(list(statements), axis) for statements, axis, fault in said)
    codes = [
        theirs[number] if unlike.get(number) == "" else own
        for number, own in zip(index["record_id"], mapped, strict=True)
    ]
    found = _labelled(index, codes)
    wrong = [unlike.get(number, "") for number in index["record_id"]]
    found[NOTICE] = [why and f"{UNLIKE}: the Challenge's record of its number is no copy: {why}" for why in wrong]
    for column in ("record_id", "patient_id"):
        found[column] = f"{PTBXL}-" + index[column]
    found["file"] = f"{PTBXL}/" + index["file"]
    found["sex"] = index["sex"].map(_SEX).fillna("unknown")
    found["group:origin"] = ORIGIN
    known = {"record_id", "patient_id", "file", FAULT, NOTICE, "age", "sex", _FOLD}
    return found[[name for name in found.columns if name in known or ":" in name]]


def _others(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """All that the Challenge has, PTB-XL's copies among it."""
    return challenge.read_index(root / CHALLENGE, _of(config, CHALLENGE))


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
        f"{root}: {len(copied) - len(gone):,} records of the Challenge are copies of PTB-XL's by their number and left out"
    )
    unlike = own.loc[own[NOTICE] != "", "record_id"]
    if len(unlike):
        say(
            f"{root}: {len(unlike):,} of them are none by their samples, so those records keep the codes of {PTBXL}'s table: "
            f"{unlike.iloc[0]}"
        )
    if gone:
        say(f"{root}: {len(gone):,} more of them are in no row of {PTBXL}'s table and are left out: {gone[0]}")
    others = theirs[number.isna()].reset_index(drop=True)
    others["file"] = f"{CHALLENGE}/" + others["file"]
    others[_FOLD] = others["patient_id"].map({patient: _fold(patient) for patient in others["patient_id"].unique()})
    index = pd.concat([own, others], ignore_index=True)
    index[NOTICE] = index[NOTICE].fillna("")
    index["age"] = index["age"].astype(float)
    index[_FOLD] = pd.to_numeric(index[_FOLD], errors="coerce").astype(float)
    return index


def left_out(root: Path, config: DatasetBuild, index: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """The Challenge's records of PTB-XL: copies of the release's own, those of its numbers that are none, and those of others."""
    names = header_files(root / CHALLENGE, _of(config, CHALLENGE).header_folders)
    numbers = {number for name in names if (number := ecg_id(Path(name).name.removesuffix(HEADER))) is not None}
    here = numbers & set(index["record_id"].str.rpartition(f"{PTBXL}-")[2])
    unlike = int(index[NOTICE].str.startswith(UNLIKE).sum())
    found = {
        COPIES: (0, len(here) - unlike),
        DIFFERS: (unlike, 0),
        GONE: (len(numbers) - len(here), 0),
    }
    return {name: counts for name, counts in found.items() if any(counts)}


def _release_of(file: str) -> tuple[str, str]:
    release, _, rest = file.partition("/")
    return release, rest


def _read(root: Path, release: str, row: dict[str, Any], config: DatasetBuild) -> Record:
    module = ptbxl if release == PTBXL else challenge
    record: Record = module.read_record((root / release).resolve(), row, config)
    return record


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """The samples of one record, brought to the data set's rate and leads; a release may be a link beside the other."""
    release, file = _release_of(str(row["file"]))
    return _read(root, release, row | {"file": file}, config)


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
