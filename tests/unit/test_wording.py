"""How a split is told: each method in words of its own, since a reader trusts the sentence and not the YAML."""

import pytest

from vitalbench.config.schema import Split
from vitalbench.report.wording import split_words


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ({"method": "official", "column": "strat_fold"}, "official folds (strat_fold)"),
        ({"method": "patient-hash"}, "patients drawn by a hash of their id"),
        ({"method": "patient-hash", "folds_column": "strat_fold"}, "official folds (strat_fold)"),
        ({"method": "patient-hash", "folds_column": "other"}, "patients drawn by a hash of their id"),
        ({"method": "named", "column": "split"}, "the splits that the release names (split)"),
        (
            {"method": "external", "column": "group:origin", "train_on": "georgia", "test_on": ["ningbo", "ptb-xl"]},
            "patients drawn by a hash of their id among the records of georgia, "
            "and all of ningbo and ptb-xl to test on (group:origin)",
        ),
        (
            {
                "method": "external",
                "column": "group:origin",
                "train_on": "ptb-xl",
                "test_on": ["ningbo"],
                "folds_column": "strat_fold",
            },
            "official folds (strat_fold) among the records of ptb-xl, and all of ningbo to test on (group:origin)",
        ),
    ],
)
def test_a_split_is_told_as_it_was_made(split, told):
    assert split_words(Split(**split), ["record_id", "strat_fold"]) == told
