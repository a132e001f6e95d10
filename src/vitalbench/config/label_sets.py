"""The classes of the label sets that vocabularies make, read without pandas: a plan holds tasks against them before data is here.

`snomed` are the codes of the 2021 PhysioNet Challenge (data/datasets/snomed.csv, data/snomed.py), `scp` the statements of PTB-XL
(data/datasets/ptbxl_scp.csv, data/datasets/ptbxl.py).
"""

import csv
from functools import cache
from pathlib import Path
from typing import Literal

import vitalbench
from vitalbench.config.strict import Strict
from vitalbench.config.values import Count

Vocabulary = Literal["snomed", "scp"]
GROUPS = ("arrhythmia", "complex", "st")
NORMAL = "NORMAL"
SOURCES = ("cpsc_2018", "cpsc_2018_extra", "ptb-xl", "georgia", "chapman_shaoxing", "ningbo")
_DIAGNOSTIC = {"super": "class", "sub": "subclass"}  # PTB-XL's names of its two coarser sets
_TABLES = Path(vitalbench.__file__).parent / "data" / "datasets"


def _rows(name: str) -> list[dict[str, str]]:
    with (_TABLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _snomed() -> dict[str, list[str]]:
    rows = _rows("snomed.csv")

    def counted(chosen: list[dict[str, str]]) -> list[str]:
        return list(dict.fromkeys(row["counted_as"] for row in chosen))

    sets = {
        "snomed": [row["abbreviation"] for row in rows],
        "scored": counted([row for row in rows if row["scored"] == "1"]),
        "findings": counted(rows),
        "normal": [NORMAL],
    }
    return sets | {group: counted([row for row in rows if row["group"] == group]) for group in GROUPS}


def _scp() -> dict[str, list[str]]:
    rows = _rows("ptbxl_scp.csv")

    def flagged(kind: str, column: str = "") -> list[str]:
        return list(dict.fromkeys(row[column] for row in rows if row[kind] in ("1", "1.0")))

    grouped = {f"{name}diagnostic": flagged("diagnostic", f"diagnostic_{of}") for name, of in _DIAGNOSTIC.items()}
    return (
        grouped
        | {kind: flagged(kind) for kind in ("diagnostic", "form", "rhythm")}
        | {"all": [row[""] for row in rows]}
    )


@cache
def label_classes(vocabulary: Vocabulary) -> dict[str, list[str]]:
    """The label sets of a vocabulary, each with its classes in the vocabulary's order.

    >>> label_classes("snomed")["normal"], sorted(label_classes("scp")["superdiagnostic"])
    (['NORMAL'], ['CD', 'HYP', 'MI', 'NORM', 'STTC'])
    """
    return {"snomed": _snomed, "scp": _scp}[vocabulary]()


class Gives(Strict):
    """What a data set's records can be asked, as far as its module fixes it: a plan refuses anything else before data is here."""

    labels: Vocabulary | dict[str, list[str]]  # label sets with their classes, or the vocabulary that makes them
    subgroups: list[str] = []
    origins: list[str] = []  # values of the subgroup `origin`
    folds: dict[str, str] = {}  # of origins with official folds, the column that has them
    # Of the stand-in, those whose records can be used, where they are fewer than it is made of.
    standin_patients: Count | None = None
    official: str | None = None  # the column of the release's own folds or splits, where all of it has them

    @property
    def label_sets(self) -> dict[str, list[str]]:
        """Every label set with its classes."""
        return self.labels if isinstance(self.labels, dict) else label_classes(self.labels)

    @property
    def official_columns(self) -> list[str]:
        """Every column with official folds or splits, of all records or of one source."""
        return list(dict.fromkeys([*([self.official] if self.official else []), *self.folds.values()]))
