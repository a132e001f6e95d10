"""The one vocabulary of the twelve-lead sources: SNOMED CT codes of findings, what they count as, and the label sets made of them.

The table (datasets/snomed.csv) holds the 133 codes of the 2021 PhysioNet Challenge with the records that carry each in the public
sources, as its organisers count them (dx_mapping_scored.csv and dx_mapping_unscored.csv of evaluation-2021). What is ours in it:
`counted_as` beyond the four pairs that the Challenge scores as one, `group`, and `scp`, the PTB-XL statements a code stands for.
"""

from functools import cache
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).parent / "datasets" / "snomed.csv"
SOURCES = ("cpsc_2018", "cpsc_2018_extra", "ptb-xl", "georgia", "chapman_shaoxing", "ningbo")
# Public records of each source in the 2021 Challenge; the codes' counts are of these.
RECORDS = dict(zip(SOURCES, (6877, 3453, 21837, 10344, 10247, 34905), strict=True))
GROUPS = ("arrhythmia", "complex", "st")
RARE_BELOW = (
    0.01  # of all records: founding document 000 calls what is rarer a rare condition, and does not say how rare
)
NORMAL = "NORMAL"
_SINUS_RHYTHM = "NSR"


@cache
def vocabulary() -> pd.DataFrame:
    """The table by code, a text, with its counts as numbers."""
    table = pd.read_csv(TABLE, dtype=str, keep_default_na=False).set_index("code")
    for source in SOURCES:
        table[source] = table[source].astype(int)
    return table.assign(scored=table["scored"] == "1")


@cache
def rare() -> frozenset[str]:
    """What is carried by fewer than one record in a hundred of all sources together.

    A record with two codes of one class is counted twice, so a class is held to be rare on the safe side.
    """
    counts = vocabulary().groupby("counted_as")[list(SOURCES)].sum().sum(axis=1)
    return frozenset(counts.index[counts < RARE_BELOW * sum(RECORDS.values())])


def classes(labels: str) -> list[str]:
    """The classes of a label set, in the vocabulary's order."""
    table = vocabulary()
    if labels == "snomed":
        return list(table["abbreviation"])
    if labels == "normal":
        return [NORMAL]
    if labels == "scored":
        return list(dict.fromkeys(table.loc[table["scored"], "counted_as"]))
    if labels in GROUPS:
        return list(dict.fromkeys(table.loc[table["group"] == labels, "counted_as"]))
    everything = list(dict.fromkeys(table["counted_as"]))
    return [name for name in everything if name in rare()] if labels == "rare" else everything


def label_sets(codes: list[list[str]]) -> dict[str, list[list[str]]]:
    """The label sets of records, from the codes each carries; all of them must be in the vocabulary.

    `snomed` has every code by its own abbreviation, `scored` the Challenge's 26 classes, `findings` what all codes count as. Of
    founding document 000's groups, `normal` is a record of sinus rhythm without any other finding, `arrhythmia`, `complex` and
    `st` are the findings of that group, `rare` those of fewer than 1 % of all records.

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
            "rare": [name for name in findings if name in rare()],
        }
        return found | {name: sorted({counted[c] for c in carried if group[c] == name}) for name in GROUPS}

    every = [of(tuple(record)) for record in codes]
    return {name: [sets[name] for sets in every] for name in of(())}


@cache
def _of_statements() -> dict[str, str]:
    table = vocabulary()
    return {statement: str(code) for code, said in table["scp"].items() for statement in said.split()}


def from_statements(statements: list[str]) -> list[str]:
    """The codes of a PTB-XL record's SCP statements. NORM has none: a normal record is one of sinus rhythm and nothing else.

    >>> from_statements(["NORM", "SR"]), from_statements(["IMI", "ASMI"])
    (['426783006'], ['164865005'])
    """
    return sorted({_of_statements()[name] for name in statements if name in _of_statements()})
