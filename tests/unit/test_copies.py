"""One recording under two names is trained and scored on once, where a data set says so."""

import pandas as pd
import pytest

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.origins import by_origin, copies, unused_copies
from vitalbench.files import write_json
from vitalbench.layout import NEIGHBOURS
from vitalbench.split import near_copies, neighbours
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


def test_the_record_of_the_first_source_is_the_one_that_counts(index):
    found = copies(index)
    assert found.to_dict() == {f"s/a{number}": f"s/z{number}" for number in range(20)}
    counted = by_origin(index, index)
    assert (counted["georgia"].copies, counted["ningbo"].copies) == (0, 20)
    assert sum(origin.adds for origin in counted.values()) == index["digest"].nunique()


def pairs(*names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(names, columns=["record_a", "record_b"])


def test_a_near_duplicate_is_a_copy_too_and_counted_apart(index):
    near = pairs(("s/a100", "s/z100"), ("s/a101", "s/a3"), ("s/z120", "s/z121"))
    found = copies(index, near)
    assert len(found) == 23
    assert (found["s/a100"], found["s/a101"], found["s/z121"]) == (
        "s/z100",
        "s/z3",
        "s/z120",
    )  # by way of a3, which is z3
    counted = by_origin(index, index, near)
    assert [(o.copies, o.near, o.adds) for o in counted.values()] == [(0, 1, 149), (20, 2, 128)]


def test_near_duplicates_that_nobody_looked_for_are_not_said_to_be_none(index):
    assert {origin.near for origin in by_origin(index, index).values()} == {None}
    assert {origin.near for origin in by_origin(index, index, pairs()).values()} == {0}
    assert by_origin(index, index)["ningbo"].adds == 130


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
    found = assign(index, task, 0, copies(index))
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


def test_a_near_duplicate_crosses_no_split_where_copies_are_unused(configs, index):
    near = pairs(*((f"s/z{number}", f"s/a{number}") for number in range(30, 60)))
    digests = index.set_index("record_id")["digest"]
    parted = assign(index, configs.task("scored"), 0, copies(index))
    assert any(check.check == "near-duplicate" and check.found for check in audit(parted, digests, copies=near)[0])
    found = assign(index, configs.task("scored"), 0, copies(index, near))
    assert {check.verdict for check in audit(found, digests, copies=near)[0] if check.severity == "fatal"} == {"clean"}
    assert (
        found.set_index("record_id").loc[near["record_b"], "copy_of"].to_numpy() == near["record_a"].to_numpy()
    ).all()


def test_without_copies_a_split_has_no_column_of_them(configs, index):
    assert "copy_of" not in assign(index.iloc[20:150], configs.task("scored"), 0, pd.Series(dtype=object)).columns


def test_a_store_is_searched_where_no_search_of_its_content_lies_beside_it(small_store, tmp_path, monkeypatch):
    for path in [*small_store.parent.glob("*.*"), small_store.parent / "parts"]:
        (tmp_path / path.name).symlink_to(path)
    store, looked = tmp_path / "store.h5", []
    found = pd.DataFrame(
        [("a", "b", 0.9, 0.0, 0.0, True), ("a", "c", 0.8, 0.6, 0.0, False)], columns=neighbours.COLUMNS
    )
    monkeypatch.setattr(neighbours, "find", lambda path, threads: looked.append(path) or found)
    assert near_copies.known(store) is None
    assert near_copies.near_copies(store, 1)["record_b"].tolist() == ["b"]
    neighbours.write(found, neighbours.store_content(store), tmp_path / NEIGHBOURS)
    assert near_copies.near_copies(store, 1)["record_b"].tolist() == ["b"]
    assert near_copies.known(store)["record_b"].tolist() == ["b"]
    assert looked == [store]
