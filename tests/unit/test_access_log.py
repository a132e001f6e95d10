"""Every access to records of people is a line of a log, and a line that was altered, put in or taken out is found."""

import json
import os
import pwd
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import build, describe
from tests.unit.test_store import copy_release
from vitalbench import cli
from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.store import Store, read_records
from vitalbench.errors import ConfigError, GateError, InputError
from vitalbench.files import read_json, write_json
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
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "erika")
    with acting("vitalbench train", "ptbxl/form/s4d/cpu/seed0-fold0"):
        note(folder, "signals", 147)
    entry = entries(folder)[0]
    assert entry.pop("hash")
    assert entry.pop("when").endswith("+00:00")
    assert entry == {
        "who": pwd.getpwuid(os.getuid()).pw_name,
        "command": "vitalbench train",
        "about": "ptbxl/form/s4d/cpu/seed0-fold0",
        "what": "signals",
        "data": "ptbxl/local",
        "records": 147,
        "purpose": "audit 7",
    }


def test_a_user_without_a_name_is_the_number(folder, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    note(folder, "signals", 1)
    assert entries(folder)[0]["who"] == f"uid {os.getuid()}"


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


LOG, HEAD = "access.log", "access.head.json"


def cut(folder):
    path = folder / LOG
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))


def alter_the_last(folder):
    path = folder / LOG
    *before, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*before, last.replace('"records": 4', '"records": 0')]))


def replace_by_another(folder):
    for name in (LOG, HEAD):
        (folder / name).rename(folder / f"old {name}")
    for number in range(9):
        note(folder, "other", number)
    (folder / f"old {HEAD}").rename(folder / HEAD)


BREAKS = {
    "lines cut off": (cut, "3 lines; there were 5"),
    "the last line altered": (alter_the_last, "line 5 is not the one that was written"),
    "another log in its place": (replace_by_another, "line 5 is not the one that was written"),
    "a line cut in half": (lambda folder: os.truncate(folder / LOG, 900), r"\d lines; there were 5"),
    "the log deleted": (lambda folder: (folder / LOG).unlink(), "0 lines; there were 5"),
    "the head deleted": (lambda folder: (folder / HEAD).unlink(), f"5 lines and no {HEAD}"),
    "the head emptied": (lambda folder: (folder / HEAD).write_text(""), f"{HEAD} is damaged"),
    "the head an empty object": (lambda folder: (folder / HEAD).write_text("{}"), f"{HEAD} is damaged"),
    "the head a list": (lambda folder: (folder / HEAD).write_text("[]"), f"{HEAD} is damaged"),
    "the head cut in half": (lambda folder: os.truncate(folder / HEAD, 20), f"{HEAD} is damaged"),
    "the head of another kind": (
        lambda folder: write_json(folder / HEAD, {"lines": True, "hash": "0" * 64}),
        f"{HEAD} is damaged",
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_stays_in_the_log_for_ever_however_many_accesses_follow(folder, kind, capsys):
    breaking, said = BREAKS[kind]
    for number in range(5):
        note(folder, f"part {number}", number)
    breaking(folder)
    found, _, _ = problems(folder)
    assert len(found) >= 1
    assert all(line.startswith("access: ") and "\n" not in line for line in found)
    for _ in range(3):
        note(folder, "signals", 1)
    assert capsys.readouterr().err.count("the log of accesses does not go on where it stopped") == 1
    broken = [line for line in problems(folder)[0] if "records a break" in line]
    assert len(broken) == 1
    assert re.search(said, broken[0])
    (folder / LOG).write_text("".join((folder / LOG).read_text().splitlines(keepends=True)[:-3]))  # the break itself
    note(folder, "signals", 1)
    assert [line for line in problems(folder)[0] if "records a break" in line]


def test_a_write_that_was_killed_before_the_head_followed_is_no_break(folder, capsys):
    note(folder, "part 0", 1)
    head = (folder / HEAD).read_text()
    note(folder, "part 1", 1)
    (folder / HEAD).write_text(head)
    assert problems(folder)[:2] == ([], 2)
    note(folder, "part 2", 1)
    assert problems(folder)[:2] == ([], 3)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"hash": "\\ud800"}', b"\xff\xfe", b'{"hash": 1}', b'"hash"'])
def test_a_line_that_is_none_is_one_line_whatever_it_holds(folder, line):
    note(folder, "part 0", 1)
    with (folder / LOG).open("ab") as stream:
        stream.write(line + b"\n")
    found, lines, _ = problems(folder)
    assert (found, lines) == ([f"access: {folder / LOG}: line 2: not a line of the log"], 2)


@pytest.mark.parametrize("content", ["[]", "{}", '{"source": 1}', "{"])
def test_a_configuration_that_does_not_say_whether_to_log_is_one_line(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: "):
        note(folder, "signals", 1)


def test_no_room_for_the_line_is_one_line_and_no_access(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"access\.log: No space left on device; records .* are not read without"):
        note(folder, "signals", 1)


def test_the_last_hash_kept_elsewhere_shows_a_log_that_was_made_anew(folder):
    for number in range(3):
        note(folder, "signals", number)
    kept = problems(folder)[2]
    note(folder, "signals", 3)
    assert problems(folder, kept[:12])[0] == []
    for name in (LOG, HEAD):
        (folder / name).unlink()
    for number in range(4):
        note(folder, "other signals", number)
    assert problems(folder)[0] == []
    assert problems(folder, kept[:12])[0] == [
        f"access: {folder / LOG}: no line has the hash {kept[:12]}: the log was made anew, or cut off before it"
    ]


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
    config = DatasetBuild(**small_dataset.model_dump(include=set(DatasetBuild.model_fields)))
    build("ptbxl", config, "local", root, folder)
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


@pytest.mark.parametrize("log_of", ["local", "sealed"])
def test_both_files_of_the_log_deleted_are_missed_since_records_are_there(log_of, request, capsys):
    folder = request.getfixturevalue(log_of)
    for name in (LOG, HEAD):
        (folder / name).unlink()
    assert problems(folder)[0] == [
        f"access: {folder / LOG}: there is none, though records were stored here whose accesses are logged"
    ]
    read_records(folder / "store.h5")
    assert len(entries(folder)) == 1
    assert "records a break: there was no log" in problems(folder)[0][0]
    assert "does not go on where it stopped" in capsys.readouterr().err


@pytest.fixture
def sealed(small_dataset, tmp_path, monkeypatch):
    """A generated store, encrypted, whose accesses are logged from the first."""
    monkeypatch.setenv("VITALBENCH_KEY", bytes(range(32)).hex())
    few = small_dataset.model_copy(
        update={"standin": small_dataset.standin.model_copy(update={"patients": 20}), "encrypt": True}
    )
    folder = data_folder(tmp_path / "data" / "ptbxl" / "generated", "generated", encrypt=True)
    build("ptbxl", few, "generated", None, folder)
    assert problems(folder)[0] == []
    return folder


def test_records_that_were_stored_plain_before_they_were_encrypted_have_no_log_to_miss(small_dataset, tmp_path):
    folder = data_folder(tmp_path / "ptbxl" / "generated", "generated")
    few = small_dataset.model_copy(update={"standin": small_dataset.standin.model_copy(update={"patients": 20})})
    build("ptbxl", few, "generated", None, folder)
    data_folder(folder, "generated", encrypt=True)
    assert problems(folder)[0] == []
    note(folder, "records", 1)
    assert problems(folder)[:2] == ([], 1)


def test_sealed_records_are_logged_whatever_the_configuration_says_now(sealed):
    before = len(entries(sealed))
    data_folder(sealed, "generated")
    read_records(sealed / "store.h5")
    (sealed / "config.json").unlink()
    read_records(sealed / "store.h5")
    assert len(entries(sealed)) == before + 2


def test_an_older_build_that_is_recovered_is_logged_where_it_was_and_where_it_goes(local, tmp_path, capsys):
    version = read_json(local / "manifest.json")["version"]
    out = tmp_path / "older"
    assert cli.run(["store", "--data", str(local), "--recover", version, "--out", str(out)]) == 0
    entry = entries(local)[-1]
    assert (entry["command"], entry["what"]) == ("vitalbench store", f"version {version}, recovered elsewhere")
    assert entry["records"] == len(read_records(out / "store.h5"))
    assert [entry["what"] for entry in entries(out)] == ["joining the store", "table of records"]
    assert problems(local)[0] == problems(out)[0] == []


def test_a_recovered_build_that_may_not_be_logged_is_not_recovered(local, tmp_path):
    version = read_json(local / "manifest.json")["version"]
    (local / LOG).unlink()
    (local / LOG).mkdir()
    with pytest.raises(InputError, match="are not read without"):
        cli.run(["store", "--data", str(local), "--recover", version, "--out", str(tmp_path / "older")])
    assert not list((tmp_path / "older").rglob("*"))


@pytest.mark.parametrize("content", ["{}", "[]", '{"lines": 5, "ha', "", '{"lines": "5", "hash": null}'])
def test_verify_tells_a_damaged_head_in_one_line(local, content, capsys):
    (local / HEAD).write_text(content)
    with pytest.raises((GateError, InputError)):
        cli.run(["verify", "--data", str(local)])
    assert f"access: {local / HEAD}: damaged: it does not say how far the log had come\n" in capsys.readouterr().out


def test_verify_holds_the_log_against_a_hash_that_was_kept(local, capsys):
    kept = problems(local)[2]
    with pytest.raises(InputError, match=r"receipt\.json"):  # not described yet: the log is told first
        cli.run(["verify", "--data", str(local), "--accesses", kept[:12]])
    assert "the log of accesses holds, 5 lines" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"receipt\.json"):
        cli.run(["verify", "--data", str(local), "--accesses", "0123456789ab"])
    assert "no line has the hash 0123456789ab" in capsys.readouterr().out
    for wrong in ("0123", "erika mustermann"):
        with pytest.raises(ConfigError, match="--accesses"):
            cli.run(["verify", "--data", str(local), "--accesses", wrong])


def test_a_command_is_logged_with_the_cell_it_is_about(folder, monkeypatch):
    monkeypatch.setattr("vitalbench.commands.train.run", lambda args: note(folder, "signals", 1))
    cli.run(["train", "--results", "x", "--cell", "a/b/c/d/seed0-fold0"])
    assert (entries(folder)[0]["command"], entries(folder)[0]["about"]) == ("vitalbench train", "a/b/c/d/seed0-fold0")
