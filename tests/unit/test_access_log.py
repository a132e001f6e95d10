"""Every access to records of people is a line of a log, and a line that was altered, put in or taken out is found."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import build, describe
from tests.unit.test_store import copy_release
from vitalbench import cli
from vitalbench.data.store import Store, read_records
from vitalbench.errors import GateError, InputError
from vitalbench.files import write_json
from vitalbench.privacy.access_log import acting, note, problems


def data_folder(path, source="local", **config):
    write_json(path / "config.json", {"source": source, "config": config})
    return path


@pytest.fixture
def folder(tmp_path):
    return data_folder(tmp_path / "ptbxl" / "local")


def entries(folder):
    return [json.loads(line) for line in (folder / "access.log").read_text().splitlines()]


def test_a_line_says_who_when_with_what_command_on_what_and_why(folder, monkeypatch):
    monkeypatch.setenv("VITALBENCH_PURPOSE", "audit 7")
    monkeypatch.setenv("LOGNAME", "erika")
    with acting("vitalbench train", "ptbxl/form/s4d/cpu/seed0-fold0"):
        note(folder, "signals", 147)
    entry = entries(folder)[0]
    assert entry.pop("hash")
    assert entry.pop("when").endswith("+00:00")
    assert entry == {
        "who": "erika",
        "command": "vitalbench train",
        "about": "ptbxl/form/s4d/cpu/seed0-fold0",
        "what": "signals",
        "data": "ptbxl/local",
        "records": 147,
        "purpose": "audit 7",
    }


def test_generated_records_are_logged_only_where_encrypted(tmp_path):
    plain, sealed = data_folder(tmp_path / "a", "generated"), data_folder(tmp_path / "b", "generated", encrypt=True)
    for place in (plain, sealed, tmp_path / "none"):
        note(place, "signals", 1)
    assert not (plain / "access.log").exists()
    assert len(entries(sealed)) == 1
    assert problems(plain) == ([], 0, "")


def test_records_that_may_not_be_read_unlogged_are_refused(folder):
    (folder / "access.log").mkdir()
    with pytest.raises(InputError, match=r"access\.log: Is a directory; records .* are not read without"):
        note(folder, "signals", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_any_line_edited_taken_out_put_in_or_moved_is_found(folder, data):
    for name in ("access.log", "access.head.json"):
        (folder / name).unlink(missing_ok=True)
    for number in range(5):
        note(folder, f"part {number}", number)
    assert problems(folder)[:2] == ([], 5)
    lines = (folder / "access.log").read_text().splitlines(keepends=True)
    at = data.draw(st.integers(0, 4))
    changed = data.draw(
        st.sampled_from(
            [
                [*lines[:at], lines[at].replace('"records": ', '"records": 1'), *lines[at + 1 :]],
                [*lines[:at], *lines[at + 1 :]],
                [*lines[: at + 1], lines[at], *lines[at + 1 :]],
                [*lines[:at], "{}\n", *lines[at:]],
                [*lines[at:], *lines[:at]] if at else lines[::-1],
                [],
            ]
        )
    )
    (folder / "access.log").write_text("".join(changed))
    assert problems(folder)[0]


def test_a_log_that_was_deleted_is_found(folder):
    note(folder, "signals", 1)
    (folder / "access.log").unlink()
    assert "0 lines; there were 1" in problems(folder)[0][0]


def test_jobs_in_parallel_each_leave_their_lines_whole(folder):
    code = f"""
from pathlib import Path
from vitalbench.privacy.access_log import note
for number in range(30):
    note(Path({str(folder)!r}), "x" * 500, number)
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert problems(folder)[:2] == ([], 120)


@pytest.fixture
def local(small_store, small_dataset, tmp_path, configs):
    """A local store whose accesses are logged from the first."""
    root = copy_release(small_store, tmp_path)
    folder = tmp_path / "data" / "ptbxl" / "local"
    folder.mkdir(parents=True)
    describe_config(folder, small_dataset, configs, root)
    build("ptbxl", small_dataset, "local", root, folder)
    return folder


def describe_config(folder, dataset, configs, root):
    """config.json as the plan writes it for a local release."""
    config = dataset.model_dump(exclude={"title", "licence", "access", "citation", "homepage", "published"})
    write_json(
        folder / "config.json",
        {"dataset": "ptbxl", "source": "local", "root": str(root), "config": config, "code": "c"},
    )


def test_building_and_reading_a_store_are_logged_and_no_id_is(local):
    Store(local / "store.h5")
    records = read_records(local / "store.h5")
    built = entries(local)
    assert [entry["what"] for entry in built] == [
        "the release's index",
        *["records of the release"] * 3,
        "joining the store",
        "signals",
        "table of records",
    ]
    assert built[-1]["records"] == len(records)
    text = (local / "access.log").read_text()
    assert not [patient for patient in records["patient_id"] if patient in text]
    assert not [file for file in records["file"] if file in text]


def test_verify_names_an_altered_line_and_an_intact_log(local, small_dataset, configs, capsys):
    root = json.loads((local / "config.json").read_text())["root"]
    describe(local, small_dataset, configs)
    made = json.loads((local / "config.json").read_text()) | {"source": "local", "root": root}
    write_json(local / "config.json", made)
    assert cli.run(["describe", "--data", str(local)]) == 0
    assert cli.run(["verify", "--data", str(local)]) == 0
    assert f"{local}: the log of accesses holds, 5 lines, chain " in capsys.readouterr().out
    log = local / "access.log"
    log.write_text(log.read_text().replace('"records": ', '"records": 9', 1))
    with pytest.raises(GateError):
        cli.run(["verify", "--data", str(local)])
    assert "access.log: line 1: states" in capsys.readouterr().out


def test_a_command_is_logged_with_the_cell_it_is_about(folder, monkeypatch):
    monkeypatch.setattr("vitalbench.commands.train.run", lambda args: note(folder, "signals", 1))
    cli.run(["train", "--results", "x", "--cell", "a/b/c/d/seed0-fold0"])
    assert (entries(folder)[0]["command"], entries(folder)[0]["about"]) == ("vitalbench train", "a/b/c/d/seed0-fold0")
