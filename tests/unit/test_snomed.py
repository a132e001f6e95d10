"""The vocabulary of the twelve-lead sources, held against what the Challenge's organisers publish of it."""

import pandas as pd
import pytest

from vitalbench.config.folder import ConfigFolder
from vitalbench.data import snomed
from vitalbench.data.datasets import ptbxl
from vitalbench.data.synthetic.ptbxl import STATEMENTS

LABELS = {
    "scored": "scored",
    "normal": "normal",
    "arrhythmia": "arrhythmia",
    "complex-arrhythmia": "complex",
    "st-segment": "st",
    "rare-conditions": "findings",
}


def test_it_has_the_published_133_codes_of_which_30_are_scored_as_26_classes():
    table = snomed.vocabulary()
    assert len(table) == 133
    assert table.index.is_unique
    assert table["abbreviation"].is_unique
    assert int(table["scored"].sum()) == 30
    assert len(snomed.classes("scored")) == 26


@pytest.mark.parametrize(
    ("pair", "counts_as"),
    [
        (("733534002", "164909002"), "LBBB"),
        (("713427006", "59118001"), "RBBB"),
        (("284470004", "63593006"), "PAC"),
        (("427172004", "17338001"), "PVC"),
    ],
)
def test_the_four_pairs_that_the_challenge_scores_as_one_are_one(pair, counts_as):
    found = snomed.label_sets([[code] for code in pair])
    assert found["scored"] == [[counts_as], [counts_as]]
    assert found["snomed"][0] != found["snomed"][1]


@pytest.mark.parametrize("task", LABELS)
def test_the_tasks_ask_for_the_label_sets_classes(configs: ConfigFolder, task):
    assert configs.task(task).labels == LABELS[task]
    assert configs.task(task).classes == snomed.classes(LABELS[task])


def test_every_label_set_stays_within_its_classes():
    sets = snomed.label_sets([[code] for code in snomed.vocabulary().index])
    for labels, carried in sets.items():
        assert {name for row in carried for name in row} == set(snomed.classes(labels)), labels


def test_normal_is_sinus_rhythm_and_nothing_else():
    sinus, left_axis = "426783006", "39732003"
    assert snomed.label_sets([[sinus], [sinus, left_axis], [left_axis], []])["normal"] == [["NORMAL"], [], [], []]


def test_every_statement_of_ptbxl_has_one_code():
    statements = pd.read_csv(STATEMENTS, index_col=0).index
    assert {len(snomed.from_statements([name])) for name in statements} == {1}


@pytest.mark.parametrize(
    ("statements", "sets"),
    [
        (["NORM"], {"scored": ["NSR"], "normal": ["NORMAL"]}),
        (["NORM", "SR"], {"scored": ["NSR"], "normal": ["NORMAL"]}),
        (["NORM", "SBRAD", "IRBBB"], {"scored": ["IRBBB", "NSR", "SB"], "normal": []}),
        (["NORM", "STACH"], {"scored": ["NSR", "STach"], "normal": []}),
        (["PRC(S)"], {"scored": [], "findings": ["PVC"]}),
        (["HVOLT"], {"scored": [], "findings": ["abQRS"]}),
    ],
)
def test_statements_count_as_the_challenge_counts_them(statements, sets):
    found = snomed.label_sets([snomed.from_statements(statements)])
    assert {name: found[name][0] for name in sets} == sets


def test_no_row_has_the_counts_of_another():
    table = snomed.vocabulary()
    assert table.loc["427084000", ["chapman_shaoxing", "ningbo"]].tolist() == [1568, 5687]
    others = table.loc[table["scored"], ["chapman_shaoxing", "ningbo"]]
    assert not others[others["ningbo"] > 0].duplicated().any()


def test_the_codes_of_ptbxls_statements_agree_with_the_challenges_own_counts(configs):
    """Where one statement alone stands behind a code, both count the same records but for those that 1.0.3 took out."""
    expected = configs.dataset("ptbxl").expected.labels
    counts = expected["rhythm"] | expected["form"] | expected["subdiagnostic"]
    table = snomed.vocabulary()
    for abbreviation, statement in (
        ("AF", "AFIB"),
        ("SB", "SBRAD"),
        ("STach", "STACH"),
        ("IRBBB", "IRBBB"),
        ("QAb", "QWAVE"),
        ("PAC", "PAC"),
    ):
        challenge = table.loc[table["abbreviation"] == abbreviation, "ptb-xl"].item()
        assert abs(challenge - counts[statement]) <= 38, abbreviation
    assert ptbxl.STATEMENTS == STATEMENTS
