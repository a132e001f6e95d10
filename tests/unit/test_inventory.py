"""`vitalbench sources`: what a data set comes to, counted of a store that is built and gone."""

import shutil

import pandas as pd
import pytest
import yaml

from vitalbench import cli
from vitalbench.data.datasets import challenge
from vitalbench.data.origins import by_origin
from vitalbench.errors import ConfigError, InputError


@pytest.fixture
def few(project):
    """The project with Georgia's stand-in cut to 47 patients."""
    file = project / "configs/datasets/georgia.yaml"
    about = yaml.safe_load(file.read_text())
    about["standin"]["patients"] = 47
    file.write_text(yaml.safe_dump(about))
    return project


def table(project, *arguments):
    out = project / "out.csv"
    given = ["sources", "georgia", "--configs", str(project / "configs"), "--out", str(out), *arguments]
    assert cli.run(given) == 0
    return pd.read_csv(out, dtype=str).set_index("source")


def test_it_counts_what_is_in_the_stand_in(few):
    row = table(few).loc["generated"]
    assert row["records"] == row["recordings"] == "47"
    assert row["patients"] == "45"  # two recordings have two names
    assert row["kept out"] == "0"
    assert row["flagged"] == "2 filled-up, 2 duplicate"
    assert float(row["seconds"]) > 0
    assert row["other work"].endswith("%")


def test_a_folder_without_the_data_set_is_told(few, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/challenge2021").mkdir()
    arguments = ["--data-root", str(tmp_path / "empty"), "--no-generated"]
    with pytest.raises(ConfigError, match="holds none of the data sets that were named"):
        table(few, *arguments)
    assert "georgia: no Georgia 12-lead ECGs" in capsys.readouterr().err


def test_a_release_that_is_a_stand_in_is_not_counted_as_records(few, tmp_path, configs):
    dataset = configs.dataset("georgia")
    root = tmp_path / "challenge2021"
    challenge.write_standin(
        root, dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 5})})
    )
    shutil.copytree(root, tmp_path / "again/challenge2021")
    with pytest.raises(InputError, match="this is a stand-in"):
        table(few, "--data-root", str(tmp_path / "again"))


def test_a_set_of_several_sources_says_what_each_really_adds():
    index = pd.DataFrame(
        {"record_id": list("abcdef"), "group:origin": ["one", "one", "two", "two", "two", "three"]}
    )  # d is a copy of a, f of e; c is quarantined
    records = index.iloc[[5, 4, 3, 1, 0]].assign(digest=["5", "5", "1", "2", "1"])
    found = by_origin(index, records)
    assert list(found) == ["one", "two", "three"]
    assert [(o.listed, o.kept_out, o.copies, o.adds) for o in found.values()] == [
        (2, 0, 0, 2),
        (3, 1, 1, 1),
        (1, 0, 1, 0),
    ]


def test_a_set_of_one_source_has_no_such_table():
    index = pd.DataFrame({"record_id": list("ab"), "group:origin": ["one", "one"]})
    assert by_origin(index, index.assign(digest=["1", "1"])) == {}
