"""PTB-XL, Wagner et al. 2020 (doi:10.1038/s41597-020-0495-6): 12-lead ECGs of ten seconds with SCP-ECG statements.

Labels follow the published benchmark (Strodthoff et al. 2021, doi:10.1109/JBHI.2020.3022989): every statement of a record counts
whatever its likelihood, also 0; diagnostic statements are grouped by the release's own scp_statements.csv.
"""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vitalbench.config.dataset import DatasetBuild, StandIn
from vitalbench.data.datasets import Record
from vitalbench.data.synthetic.ecg_statements import AXES, attainable_auroc, joint, posterior
from vitalbench.data.synthetic.ptbxl import STATEMENTS, TRUTH, file_column, write_release
from vitalbench.data.wfdb_record import read_wfdb
from vitalbench.errors import InputError

_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr", "filename_hr")
_READ = ("ecg_id", "patient_id", "scp_codes", "filename_lr", "filename_hr")
_AGE_BANDS = {"under 40": 40, "40 to 59": 60, "60 to 79": 80, "80 and over": 1000}


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype={"patient_id": str, "ecg_id": str})
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"{path}: column '{missing[0]}' is missing; found: {', '.join(map(str, table.columns))}")
    return table


def _codes(text: str, path: Path, record: str) -> list[str]:
    try:
        codes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        codes = None
    if not isinstance(codes, dict) or not all(isinstance(code, str) for code in codes):
        raise InputError(f"{path}: ecg_id {record}: scp_codes is not a dictionary of statements: {str(text)[:60]!r}")
    return list(codes)


def label_sets(codes: list[list[str]], statements: pd.DataFrame) -> dict[str, list[list[str]]]:
    """The six label sets of the benchmark from each record's statements.

    Args:
        codes: the statements of each record.
        statements: the release's scp_statements.csv, indexed by statement.
    """
    flag = {kind: set(statements.index[statements[kind] == 1]) for kind in ("diagnostic", "form", "rhythm")}

    def kept(kind: str, column: str | None = None) -> list[list[str]]:
        group = statements[column].to_dict() if column else {}
        return [sorted({group.get(code, code) for code in record if code in flag[kind]}) for record in codes]

    return {
        "superdiagnostic": kept("diagnostic", "diagnostic_class"),
        "subdiagnostic": kept("diagnostic", "diagnostic_subclass"),
        "diagnostic": kept("diagnostic"),
        "form": kept("form"),
        "rhythm": kept("rhythm"),
        "all": [sorted(set(record)) for record in codes],
    }


def _age_band(age: float) -> str:
    # The release writes 300 for patients older than 89.
    return "unknown" if pd.isna(age) else next(band for band, below in _AGE_BANDS.items() if age < below)


def read_index(root: Path, config: DatasetBuild) -> pd.DataFrame:
    """One row a record of ptbxl_database.csv, with label sets and subgroups."""
    path = root / "ptbxl_database.csv"
    table = _read(path, _COLUMNS)
    statements = _read(root / "scp_statements.csv", ("Unnamed: 0", "diagnostic", "form", "rhythm")).set_index(
        "Unnamed: 0"
    )
    codes = [_codes(text, path, record) for record, text in zip(table["ecg_id"], table["scp_codes"], strict=True)]
    unknown = {code for record in codes for code in record} - set(statements.index)
    if unknown:
        raise InputError(
            f"{path}: statement '{min(unknown)}' is not one of the {len(statements)} in scp_statements.csv"
        )
    if table["patient_id"].isna().any():
        raise InputError(f"{path}: ecg_id {table['ecg_id'][table['patient_id'].isna()].iloc[0]} has no patient_id")
    index = pd.DataFrame(
        {
            "record_id": table["ecg_id"],
            "patient_id": table["patient_id"].str.removesuffix(".0"),
            "file": table[file_column(config.signal.rate_hz)],
        }
    )
    index = pd.concat([index, table[[column for column in table.columns if column not in _READ]]], axis=1)
    index["group:sex"] = table["sex"].map({0: "male", 1: "female"}).fillna("unknown")
    index["group:age_band"] = table["age"].map(_age_band, na_action=None)
    for name, labels in label_sets(codes, statements).items():
        index[f"labels:{name}"] = labels
    truth = root / TRUTH
    if truth.is_file():
        severities = _read(truth, ("ecg_id",)).rename(columns={"ecg_id": "record_id"})
        index = index.merge(severities, on="record_id", how="left", validate="one_to_one")
    return index


def read_record(root: Path, row: dict[str, Any], config: DatasetBuild) -> Record:
    """The samples of one record, held against its header."""
    return read_wfdb(root / str(row["file"]), config.signal)


def record_files(file: str, config: DatasetBuild) -> list[str]:  # noqa: ARG001 - the same at both rates
    """A record's header and samples."""
    return [f"{file}.hea", f"{file}.dat"]


def write_standin(root: Path, config: DatasetBuild) -> None:
    """Generated records in PTB-XL's layout: ptbxl_database.csv, scp_statements.csv and the records' WFDB files."""
    if config.standin is None:
        raise InputError("the data set's configuration has no section 'standin'")
    write_release(root, config.standin, config.signal.rate_hz)


def _membership(labels: str, classes: list[str]) -> NDArray[np.bool_]:
    """(statement sets, classes): whether a set of the generator's prior carries a class of a label set."""
    statements = _read(STATEMENTS, ()).set_index("Unnamed: 0")
    carried = label_sets([list(codes) for codes in joint().sets], statements)[labels]
    return np.array([[name in names for name in classes] for names in carried])


def ideal_scores(index: pd.DataFrame, labels: str, classes: list[str], standin: StandIn) -> NDArray[np.float64]:
    """The ideal observer's probabilities for generated records, (records, classes): data/synthetic/ecg_statements.py."""
    severity = index[[f"truth:{axis}" for axis in AXES]].to_numpy(dtype=float)
    return posterior(severity, standin.separation, _membership(labels, classes))


def ideal_auroc(labels: str, classes: list[str], standin: StandIn) -> list[float | None]:
    """The AUROC of the ideal observer on records without number: the ceiling the parameters set, a class each."""
    return attainable_auroc(standin.separation, _membership(labels, classes))
