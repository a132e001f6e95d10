"""What is rare is decided by a split's training patients: no test patient has a say in what is scored."""

import pandas as pd
import pytest

from vitalbench.config.schema import METRICS, Task
from vitalbench.config.strict import validated
from vitalbench.errors import ConfigError, InputError
from vitalbench.split.asked import asked_classes, of_split

TASK = {
    "description": "x",
    "kind": "multilabel",
    "unit": "record",
    "labels": "s",
    "classes": ["COMMON", "RARE", "TESTED", "NEVER"],
    "rare_below": 0.01,
    "primary": "auprc",
    "direction": "higher",
    "margin": 0.02,
    "unlabelled": "keep",
    "split": {"method": "patient-hash"},
}


def task(**changed) -> Task:
    return validated(Task, TASK | changed, "task.yaml")


@pytest.fixture
def records():
    """500 training patients of two records; RARE is carried by four of them, and by every test patient."""
    rows = []
    for patient in range(600):
        test = patient >= 500
        for again in range(2):
            labels = ["COMMON"] if patient % 2 else []
            labels += ["RARE"] if test or patient < 4 else []
            labels += ["TESTED"] if test and patient % 3 == 0 else []
            rows.append((f"r{patient}-{again}", f"p{patient}", labels, "test" if test else "train"))
    return pd.DataFrame(rows, columns=["record_id", "patient_id", "labels:s", "split"])


def test_the_training_patients_decide_and_are_counted_once(records):
    found = asked_classes(records, records["split"], task()).set_index("class")
    assert found["train_patients"].to_dict() == {"COMMON": 250, "RARE": 4, "TESTED": 0, "NEVER": 0}
    assert set(found["of_patients"]) == {500}
    assert found.index[found["asked"]].tolist() == ["RARE"]


def test_what_test_patients_carry_changes_nothing(records):
    before = asked_classes(records, records["split"], task())
    test = records["split"] == "test"
    records.loc[test, "labels:s"] = pd.Series([["COMMON", "NEVER"]] * test.sum(), index=records.index[test])
    pd.testing.assert_frame_equal(before, asked_classes(records, records["split"], task()))


def test_one_percent_is_not_below_one_percent(records):
    records.loc[records["patient_id"] == "p4", "labels:s"] = pd.Series(
        [["RARE"]] * 2, index=records.index[records["patient_id"] == "p4"]
    )
    with pytest.raises(InputError, match=r"fewer than 1\.0% of the 500 training patients"):
        asked_classes(records, records["split"], task())


def test_a_task_without_the_key_asks_all(records):
    assert asked_classes(records, records["split"], task(rare_below=None))["asked"].all()


def test_a_training_is_given_what_the_split_asks(records, tmp_path):
    path = tmp_path / "classes.csv"
    with pytest.raises(InputError, match="vitalbench split"):
        of_split(path, task())
    asked_classes(records, records["split"], task()).to_csv(path, index=False)
    assert of_split(path, task()).classes == ["RARE"]
    assert of_split(path, task(rare_below=None)).classes == TASK["classes"]
    with pytest.raises(InputError, match="other classes"):
        of_split(path, task(classes=["COMMON", "RARE"]))


def test_only_classes_that_stand_side_by_side_can_be_chosen_among():
    with pytest.raises(ConfigError, match="not of a multiclass one"):
        task(kind="multiclass")


def test_where_a_class_is_rare_the_primary_metric_counts_what_is_found_wrongly(configs):
    for name in ("rare-conditions", "complex-arrhythmia"):
        asked = configs.task(name)
        assert asked.primary == "auprc"
        assert asked.primary in METRICS[asked.kind]
    assert configs.task("rare-conditions").rare_below == 0.01
