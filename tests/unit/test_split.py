"""A split keeps patients whole, whatever the records look like."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitalbench.config.schema import Split, TaskData
from vitalbench.errors import InputError
from vitalbench.split.assign import assign

OFFICIAL = Split(method="official", column="strat_fold")
HASHED = Split(method="patient-hash")
DEALT = Split(method="patient-dealt")


def task(split: Split, unlabelled: str = "drop") -> TaskData:
    return TaskData(
        kind="multilabel", unit="record", labels="x", classes=["A", "B"], unlabelled=unlabelled, split=split
    )


def table(patients: list[int], labels: list[list[str]] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(len(patients))],
            "patient_id": [f"p{patient}" for patient in patients],
            "strat_fold": [patient % 10 + 1 for patient in patients],
            "labels:x": labels or [["A"]] * len(patients),
        }
    )


EVERY_FOLD = list(range(300))
some_patients = st.lists(st.integers(0, 400), max_size=80).map(lambda extra: EVERY_FOLD + extra)


@given(some_patients, st.integers(0, 9), st.sampled_from([OFFICIAL, HASHED, DEALT]))
def test_no_patient_is_in_two_splits(patients, fold, split):
    found = assign(table(patients), task(split), fold)
    assert (found.groupby("patient_id")["split"].nunique() == 1).all()
    assert set(found["split"]) == {"train", "val", "test"}


@given(some_patients, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_order_or_company(patients, random):
    whole = assign(table(patients), task(HASHED), 0).set_index("patient_id")["split"].groupby(level=0).first()
    shuffled = list(dict.fromkeys(patients))
    random.shuffle(shuffled)
    fewer = assign(table(shuffled), task(HASHED), 0).set_index("patient_id")["split"]
    assert all(whole[patient] == split for patient, split in fewer.items())


def test_fold_zero_is_the_official_split():
    found = assign(table(EVERY_FOLD), task(OFFICIAL), 0)
    by_fold = found["split"].groupby(table(EVERY_FOLD)["strat_fold"]).first()
    assert by_fold.to_dict() == {**dict.fromkeys(range(1, 9), "train"), 9: "val", 10: "test"}


def test_over_all_folds_every_record_is_tested_once():
    tested = pd.concat([assign(table(EVERY_FOLD), task(OFFICIAL), fold) for fold in range(10)])
    assert (tested[tested["split"] == "test"].groupby("record_id").size() == 1).all()
    assert tested[tested["split"] == "test"]["record_id"].nunique() == len(EVERY_FOLD)


def test_records_without_a_label_are_dropped_or_kept_as_told():
    labels = [[] if i % 7 == 0 else ["B"] for i in EVERY_FOLD]
    dropped = assign(table(EVERY_FOLD, labels), task(OFFICIAL), 0)
    kept = assign(table(EVERY_FOLD, labels), task(OFFICIAL, "keep"), 0)
    assert (dropped["split"] == "unused").sum() == sum(not row for row in labels)
    assert (kept["split"] == "unused").sum() == 0
    used = dropped["split"] != "unused"
    assert (dropped[used] == kept[used]).all(axis=None)


def test_the_hash_comes_near_to_80_10_10():
    shares = assign(table(list(range(20_000))), task(HASHED), 0)["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.02)
    assert shares["test"] == pytest.approx(0.1, abs=0.01)


@given(st.integers(10, 60))
def test_of_a_few_patients_dealing_leaves_no_fold_without(count):
    """Which the hash does: of 25 it may draw none to test."""
    found = assign(table([*range(count), 0, 0, 1]), task(DEALT), 0)
    patients = found.groupby("split")["patient_id"].nunique()
    assert patients["test"] in (count // 10, -(-count // 10))
    assert patients["val"] in (count // 10, -(-count // 10))
    assert (found.groupby("patient_id")["split"].nunique() == 1).all()


def test_fewer_patients_than_folds_cannot_be_dealt():
    with pytest.raises(InputError, match="9 patients cannot be dealt into 10 folds; allowed: 9 folds at most"):
        assign(table(list(range(9))), task(DEALT), 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="strat_fold"), "no fold column 'strat_fold'"),
        (lambda t: t.assign(strat_fold=11), "strat_fold is 11; allowed: 1 to 10"),
        (lambda t: t.assign(strat_fold="x"), "allowed: 1 to 10"),
        (lambda t: t.assign(strat_fold=3), "leaves no record to test"),
        (lambda t: t.rename(columns={"labels:x": "labels:y"}), "no label set 'x'"),
        (lambda t: t.assign(**{"labels:x": [["C"]] * len(t)}), "'C', which is no class"),
        (lambda t: t.rename(columns={"labels:x": "labels:xs"}), "no label set 'x'; allowed: xs"),
        (lambda t: t.rename(columns={"strat_fold": "strat_folds"}), "nearest: strat_folds"),
    ],
)
def test_what_cannot_be_split_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        assign(change(table(EVERY_FOLD)), task(OFFICIAL), 0)


def test_a_subgroup_the_data_set_does_not_have_is_refused_before_any_training():
    records = table(EVERY_FOLD).assign(**{"group:sex": "male"})
    assert len(assign(records, task(OFFICIAL).model_copy(update={"subgroups": ["sex"]}), 0)) == len(records)
    with pytest.raises(InputError, match="no subgroups 'sexe'; allowed: sex; nearest: sex"):
        assign(records, task(OFFICIAL).model_copy(update={"subgroups": ["sexe"]}), 0)


@pytest.mark.parametrize("fold", [-1, 10, 99])
def test_a_fold_out_of_range_is_refused(fold):
    with pytest.raises(InputError, match=f"fold {fold}: the task's split has folds 0 to 9"):
        assign(table(EVERY_FOLD), task(OFFICIAL), fold)
