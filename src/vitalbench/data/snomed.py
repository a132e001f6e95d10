"""The one vocabulary of the twelve-lead sources: SNOMED CT codes of findings, what they count as, and the label sets made of them.

The table (datasets/snomed.csv) holds the 133 codes of the 2021 PhysioNet Challenge with the records that carry each in the public
sources, as its organisers count them (dx_mapping_scored.csv and dx_mapping_unscored.csv of evaluation-2021). What is ours in it:
`counted_as` beyond the four pairs that the Challenge scores as one, `group`, `scp`, the PTB-XL statements a code stands for, and
`axis`, what PTB-XL's column heart_axis has for it. Of sinus tachycardia one stored version of that file has prolonged PR's
counts in Chapman and Ningbo, 12 and 40, by mistake; others have 1,568 and 5,687, by which the row comes to the total they
state, 9,657, 12 records of PTB and INCART among them. 1,568 is Chapman's own count of it, too (Zheng et al. 2020,
doi:10.1038/s41597-020-0386-x).
"""

from functools import cache
from pathlib import Path

import pandas as pd

from vitalbench.config.label_sets import GROUPS, NORMAL, SOURCES, label_classes

TABLE = Path(__file__).parent / "datasets" / "snomed.csv"
_SINUS_RHYTHM = "NSR"


@cache
def vocabulary() -> pd.DataFrame:
    """The table by code, a text, with its counts as numbers."""
    table = pd.read_csv(TABLE, dtype=str, keep_default_na=False).set_index("code")
    for source in SOURCES:
        table[source] = table[source].astype(int)
    return table.assign(scored=table["scored"] == "1")


def classes(labels: str) -> list[str]:
    """The classes of a label set, in the vocabulary's order."""
    return label_classes("snomed")[labels]


def label_sets(codes: list[list[str]]) -> dict[str, list[list[str]]]:
    """The label sets of records, from the codes each carries; all of them must be in the vocabulary.

    `snomed` has every code by its own abbreviation, `scored` the Challenge's 26 classes, `findings` what all codes count as. Of
    founding document 000's groups, `normal` is a record of sinus rhythm without any other finding, `arrhythmia`, `complex` and
    `st` are the findings of that group; what is rare, a split's training patients say (split/asked.py).

    >>> label_sets([["426783006"], ["426783006", "713427006", "59118001"]])["scored"]
    [['NSR'], ['NSR', 'RBBB']]
    >>> label_sets([["426783006"], ["426783006", "713427006"]])["normal"]
    [['NORMAL'], []]
    """
    table = vocabulary()
    own, counted, group, scored = (table[name].to_dict() for name in ("abbreviation", "counted_as", "group", "scored"))

    @cache
    def of(carried: tuple[str, ...]) -> dict[str, list[str]]:
        findings = sorted({counted[code] for code in carried})
        found = {
            "snomed": sorted({own[code] for code in carried}),
            "scored": sorted({counted[code] for code in carried if scored[code]}),
            "findings": findings,
            "normal": [NORMAL] if findings == [_SINUS_RHYTHM] else [],
        }
        return found | {name: sorted({counted[c] for c in carried if group[c] == name}) for name in GROUPS}

    every = [of(tuple(record)) for record in codes]
    return {name: [sets[name] for sets in every] for name in of(())}


@cache
def _of_statements() -> dict[str, str]:
    table = vocabulary()
    return {statement: str(code) for code, said in table["scp"].items() for statement in said.split()}


def from_statements(statements: list[str]) -> list[str]:
    """The codes of a PTB-XL record's SCP statements, as the Challenge gave them to its copies.

    NORM is sinus rhythm, beside bradycardia and tachycardia too, as in its headers HR06002 and HR06003. HVOLT is an
    abnormal QRS and PRC(S) a ventricular ectopic beat, since only so its counts come out (docs/DATA.md).

    >>> from_statements(["NORM"]), from_statements(["NORM", "STACH"]), from_statements(["IMI", "ASMI"])
    (['426783006'], ['426783006', '427084000'], ['164865005'])
    """
    return sorted({_of_statements()[name] for name in statements if name in _of_statements()})


@cache
def _of_axes() -> dict[str, str]:
    table = vocabulary()
    return {axis: str(code) for code, said in table["axis"].items() for axis in said.split()}


def from_axis(axis: object) -> list[str]:
    """The code of what a PTB-XL record's heart_axis says: a deviation to the left or the right, extreme ones too; else none.

    No statement says it. The Challenge's copies of PTB-XL have these codes, 5,146 and 343.

    >>> from_axis("ALAD"), from_axis("RAD"), from_axis("MID"), from_axis(None)
    (['39732003'], ['47665007'], [], [])
    """
    code = _of_axes().get(str(axis))
    return [code] if code else []
