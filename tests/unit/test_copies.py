"""One recording under two names is trained and scored on once, where a data set says so."""

import pandas as pd
import pytest

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.origins import by_origin, copies, unused_copies
from vitalbench.files import write_json
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit


@pytest.fixture
def index():
    """300 records of two sources; 20 recordings of the first are in the second too, whose names sort before."""
    names = [f"s/z{number}" for number in range(150)] + [f"s/a{number}" for number in range(150)]
    digest = [f"d{number}" for number in range(150)] + [f"d{n if n < 20 else 1000 + n}" for n in range(150)]
    return pd.DataFrame(
        {
            "record_id": names,
            "patient_id": [f"p{name}" for name in names[:150]]
            + [f"p{names[n]}" if n < 20 else f"p{names[150 + n]}" for n in range(150)],
            "digest": digest,
            "group:origin": ["georgia"] * 150 + ["ningbo"] * 150,
            "group:sex": "male",
            "group:age_band": "60-69",
            "labels:scored": [["AF"]] * 300,
        }
    )


def test_the_first_in_the_index_is_the_one_that_counts(index):
    found = copies(index, index.sample(frac=1, random_state=0))
    assert found.to_dict() == {f"s/a{number}": f"s/z{number}" for number in range(20)}
    counted = by_origin(index, index)
    assert (counted["georgia"].copies, counted["ningbo"].copies) == (0, 20)
    assert sum(origin.adds for origin in counted.values()) == index["digest"].nunique()


@pytest.mark.parametrize("name", ["scored", "external-georgia"])
def test_no_split_holds_a_copy_and_each_says_of_what(configs, index, name):
    task = configs.task(name)
    if name == "external-georgia":
        split = task.split.model_copy(update={"test_on": ["ningbo"]})
        task = task.model_copy(update={"split": split, "subgroups": ["origin"]})
        twins = index["patient_id"].duplicated()
        without = assign(index, task, 0)
        leaking = set(without[twins]["patient_id"]) & set(without.loc[without["split"] == "train", "patient_id"])
        assert leaking  # what the audit would refuse
    found = assign(index, task, 0, copies(index, index))
    used = found[found["split"] != "unused"].merge(index[["record_id", "digest"]], on="record_id")
    assert not used["digest"].duplicated().any()
    assert set(used["digest"]) == set(index["digest"])
    marked = found[found["copy_of"] != ""]
    assert set(marked["record_id"]) == {f"s/a{number}" for number in range(20)}
    assert set(marked["split"]) == {"unused"}
    digests = index.set_index("record_id")["digest"]
    checks, _ = audit(found, digests)
    assert {check.verdict for check in checks if check.severity == "fatal"} == {"clean"}


def test_only_a_data_set_that_says_so_leaves_them_out(configs, index, tmp_path):
    for name, count in (("combined", 20), ("challenge2021", 20), ("georgia", 0)):
        config = configs.dataset(name).model_dump(include=set(DatasetBuild.model_fields))
        write_json(tmp_path / "config.json", {"config": config})
        index.to_parquet(tmp_path / "index.parquet")
        assert len(unused_copies(tmp_path, index)) == count, name


def test_without_copies_a_split_has_no_column_of_them(configs, index):
    assert "copy_of" not in assign(index.iloc[20:150], configs.task("scored"), 0, pd.Series(dtype=object)).columns
