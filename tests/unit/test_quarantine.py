"""A store that lost too many of its records is not made; what was there before, and the reasons, are not lost with it."""

import numpy as np
import pandas as pd
import pytest

from tests.conftest import build
from tests.unit.test_parts import add_damage
from tests.unit.test_store import copy_release
from vitalbench.config.dataset import DatasetBuild
from vitalbench.data import join as join_module
from vitalbench.data.build import DataFolder
from vitalbench.data.index import read_part
from vitalbench.data.join import join
from vitalbench.data.quarantine import REFUSED, hold_quarantined
from vitalbench.data.release import acquire
from vitalbench.data.standardise import standardise
from vitalbench.data.store import Store, read_records
from vitalbench.data.versions import recover
from vitalbench.errors import GateError, InputError
from vitalbench.files import only_one_in, read_json, write_json
from vitalbench.unfinished import at_work, attempt

OUTPUTS = ("store.h5", "records.parquet", "quality.csv", "manifest.json")


@pytest.fixture
def release(small_store, tmp_path):
    return copy_release(small_store, tmp_path)


def allowing(dataset, share: float):
    return dataset.model_copy(update={"quality": dataset.quality.model_copy(update={"max_quarantined": share})})


def files(folder) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def test_too_many_quarantined_end_the_build_with_the_count_the_reasons_and_the_table(small_dataset, release, tmp_path):
    count = add_damage(release, slice(0, 20))
    header = sorted(release.rglob("*.hea"))[30]
    header.write_text(header.read_text().replace("/mV", "/uV"))
    with pytest.raises(GateError) as told:
        build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    assert told.value.exit_code == 1
    assert "\n" not in str(told.value)
    assert f"{count + 1} of 179 records quarantined (11.7%)" in str(told.value)
    assert "quality.max_quarantined allows 5.0%: 20 short-file, 1 wrong-unit; " in str(told.value)
    assert str(tmp_path / "data" / REFUSED) in str(told.value)
    refused = pd.read_csv(tmp_path / "data" / REFUSED)
    assert (refused["check"] == "short-file").sum() == count
    assert not [name for name in OUTPUTS if (tmp_path / "data" / name).exists()]


def test_few_are_one_line(small_dataset, release, tmp_path, capsys):
    count = add_damage(release)
    build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    told = [line for line in capsys.readouterr().err.splitlines() if "records quarantined" in line]
    assert told == [f"{tmp_path / 'data'}: {count} of 179 records quarantined ({count / 179:.1%}): {count} short-file"]
    assert not (tmp_path / "data" / REFUSED).exists()


def test_the_limit_is_the_data_sets_and_no_part_depends_on_it(small_dataset, release, tmp_path, capsys):
    add_damage(release, slice(0, 20))
    with pytest.raises(GateError):
        build("ptbxl", small_dataset, "local", release, tmp_path / "data")
    capsys.readouterr()
    store = build("ptbxl", allowing(small_dataset, 0.12), "local", release, tmp_path / "data")
    assert Store(store).records == 159
    assert capsys.readouterr().err.count("unchanged, kept") == small_dataset.parts
    assert not (tmp_path / "data" / REFUSED).exists()


def test_a_limit_is_a_share(tmp_path):
    def table(name, rows):
        found = pd.DataFrame(rows, columns=["record_id", "check", "action"])
        found.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    first = table("first.csv", [("a", "x", "quarantined"), ("a", "y", "quarantined"), ("c", "x", "flagged")])
    second, none = table("second.csv", [("b", "x", "quarantined")]), table("none.csv", [])
    hold_quarantined([first, none, second], 38, 0.05, tmp_path)
    with pytest.raises(GateError, match=r"2 of 39 records.* 2 x; see"):  # a record found wrong twice is one record
        hold_quarantined([first, none, second], 37, 0.05, tmp_path)
    assert pd.read_csv(tmp_path / REFUSED)["record_id"].tolist() == ["a", "a", "c", "b"]
    hold_quarantined([none], 0, 0.0, tmp_path)
    assert not (tmp_path / REFUSED).exists()
    hold_quarantined([first], 0, 1.0, tmp_path)


def test_a_refused_build_leaves_the_one_before_it_and_it_comes_back(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before, samples = files(folder), Store(folder / "store.h5").read(np.arange(9))
    add_damage(release, slice(0, 60))
    with pytest.raises(GateError):
        build("ptbxl", small_dataset, "local", release, folder)
    assert files(folder) == before
    # The parts are new, and it must not be read through them.
    with pytest.raises(InputError, match=r"part-000\d\.h5 was made again after the store was joined"):
        Store(folder / "store.h5")
    version = read_json(folder / "manifest.json")["version"]
    manifest, parts = recover(folder / "versions", version, tmp_path / "old")
    join(small_dataset, manifest["release"], parts, tmp_path / "old/store.h5")
    assert np.array_equal(Store(tmp_path / "old/store.h5").read(np.arange(9)), samples)


@pytest.mark.parametrize("step", ["keep", "write_parquet", "_write_findings", "_join_signals", "_content", "note"])
def test_a_join_that_fails_at_any_step_leaves_the_store_before_it(small_dataset, release, tmp_path, monkeypatch, step):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = files(folder)

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(join_module, step, full)
    parts = sorted((folder / "parts").glob("*.h5"))
    with pytest.raises(OSError, match="No space"):
        join(allowing(small_dataset, 0.5), read_json(folder / "release.json"), parts, folder / "store.h5")
    assert files(folder) == before
    monkeypatch.undo()
    assert len(read_records(folder / "store.h5")) == Store(folder / "store.h5").records
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_part_that_fails_leaves_all_files_of_the_one_before_it(small_dataset, release, tmp_path, monkeypatch):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    before = {path.name: path.read_bytes() for path in (folder / "parts").iterdir()}
    add_damage(release)
    acquire("ptbxl", small_dataset, "local", release, folder / "release.json")

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    part = folder / "parts" / "part-0001.h5"
    for step in ("PartWriter", "write_table", "write_text", "file_digest"):
        monkeypatch.setattr(f"vitalbench.data.standardise.{step}", full)
        with pytest.raises(OSError, match="No space"):
            standardise(read_part(folder / "index.parquet", 1), small_dataset, "local", release, part)
        monkeypatch.undo()
        assert {path.name: path.read_bytes() for path in (folder / "parts").iterdir()} == before, step


def test_what_a_killed_join_left_goes_with_the_next_and_two_do_not_join_at_once(small_dataset, release, tmp_path):
    folder = build("ptbxl", small_dataset, "local", release, tmp_path / "data").parent
    config = small_dataset.model_dump(include=set(DatasetBuild.model_fields), mode="json")
    told = {"dataset": "ptbxl", "source": "local", "root": str(release), "code": "", "config": config}
    write_json(folder / "config.json", told)
    left = [folder / ".store.h5.b7gdc70b.h5", folder / ".quality.csv.nmvmf27_.csv"]
    for path in left:
        path.write_text("half")
    before = files(folder)
    with only_one_in(folder), pytest.raises(GateError, match="another process is at work"):
        DataFolder(folder).join()
    DataFolder(folder).join()
    assert not [path for path in left if path.exists()]
    assert files(folder) == before
    assert attempt(folder / "store.h5") == ""


def test_an_attempt_that_comes_to_nothing_has_a_name_until_one_does_not(small_dataset, release, tmp_path):
    output = tmp_path / "data/store.h5"
    names = set()
    for _ in range(2):
        with pytest.raises(InputError), at_work(output):
            raise InputError("refused")
        names.add(attempt(output))
    assert len(names) == 2
    with at_work(output):
        assert attempt(output) not in names | {""}
    assert attempt(output) in names  # as it was when the job was planned, so that nothing has changed since
