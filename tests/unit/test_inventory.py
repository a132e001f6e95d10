"""`vitalbench sources`: what a data set comes to, counted of a store that is built and gone."""

import re
import shutil

import pandas as pd
import pytest
import yaml

from vitalbench import cli
from vitalbench.config.folder import ConfigFolder
from vitalbench.data.datasets import challenge, rhythm, sound
from vitalbench.data.origins import by_origin
from vitalbench.errors import ConfigError, GateError, InputError


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


def test_a_recording_at_fault_is_no_window(few):
    file = few / "configs/datasets/afdb.yaml"
    about = yaml.safe_load(file.read_text())
    about["standin"] |= {"patients": 6, "seconds": 60.0}
    about["quality"]["max_quarantined"] = 0.5
    file.write_text(yaml.safe_dump(about))
    out = few / "out.csv"
    assert cli.run(["sources", "afdb", "--configs", str(few / "configs"), "--out", str(out)]) == 0
    row = pd.read_csv(out, dtype=str).iloc[0]
    assert (row["recordings"], row["patients"], row["kept out"]) == ("6", "4", "2 bad-row")
    dataset = ConfigFolder(few / "configs").dataset("afdb")
    rhythm.write_standin(few / "afdb", dataset)
    assert int(row["records"]) == len(sound(rhythm.read_index(few / "afdb", dataset)))


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


def test_a_refused_set_is_told_with_its_first_finding_and_the_others_are_still_counted(few, capsys):
    file = few / "configs/datasets/nsrdb.yaml"
    about = yaml.safe_load(file.read_text())
    about["standin"] |= {"patients": 2, "seconds": 60.0}
    del about["harmonise"]  # so that its leads, of a gain of 0, are not calibrated
    file.write_text(yaml.safe_dump(about))
    out = few / "out.csv"
    with pytest.raises(GateError) as told:
        cli.run(["sources", "nsrdb", "georgia", "--configs", str(few / "configs"), "--out", str(out)])
    assert re.fullmatch(
        r"nsrdb, generated: \d+ of \d+ records quarantined \(100\.0%\), quality\.max_quarantined allows 5\.0%: \d+ wrong-unit; "
        r"the first is nsrdb/\S+: wrong-unit, lead ECG1 ECG2: not calibrated, its gain is 0 or left out",
        str(told.value),
    )
    assert pd.read_csv(out)["data set"].tolist() == ["georgia"]
    assert "| georgia | generated |" in capsys.readouterr().out


def test_a_set_of_which_no_suite_asks_anything_is_counted_by_its_first_labels(few, configs):
    for name in configs.names("suites"):
        path = few / f"configs/suites/{name}.yaml"
        if "georgia" in path.read_text():
            path.unlink()
    assert ConfigFolder(few / "configs").asked_of("georgia") is None
    assert configs.first_task("chestxray14-64@300") == configs.first_task("chestxray14-64")  # some of its patients
    row = table(few).loc["generated"]
    assert (row["records"], row["patients"]) == ("47", "45")
    assert int(row["classes"]) > 5


def test_a_set_whose_file_cannot_be_read_is_told_and_the_others_are_still_counted(few, monkeypatch, capsys):
    def breaks(root, config):
        raise PermissionError(13, "Permission denied", str(root / "x.hea"))

    monkeypatch.setattr(rhythm, "read_index", breaks)
    out = few / "out.csv"
    with pytest.raises(InputError, match=r"x\.hea: permission denied$"):
        cli.run(["sources", "nsrdb", "georgia", "--configs", str(few / "configs"), "--out", str(out)])
    assert pd.read_csv(out)["data set"].tolist() == ["georgia"]
    assert "nsrdb, generated: refused: " in capsys.readouterr().err


def test_a_set_of_several_sources_says_what_each_really_adds():
    index = pd.DataFrame(
        {"record_id": list("abcdef"), "group:origin": ["one", "one", "two", "two", "two", "three"]}
    )  # d is a copy of a, f of e; c is quarantined
    records = index.iloc[[0, 1, 3, 4, 5]].assign(digest=["1", "2", "1", "5", "5"])
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
