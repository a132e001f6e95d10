"""A file is written whole or not at all."""

import os

import pytest

from vitalbench.errors import InputError
from vitalbench.files import atomic, read_json, write_if_changed, write_json


def test_an_error_leaves_the_old_content_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_equal_content_keeps_the_time_stamp(tmp_path):
    path = tmp_path / "a.json"
    assert write_if_changed(path, "x")
    stamp = path.stat().st_mtime_ns
    assert not write_if_changed(path, "x")
    assert path.stat().st_mtime_ns == stamp


def test_json_round_trip_and_damage(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [0.1]})
    assert read_json(path) == {"a": [0.1], "b": 1}
    path.write_text("{")
    with pytest.raises(InputError, match=r"a\.json: not readable"):
        read_json(path)
    for content, kind in (("[]", "list"), ("3", "int"), ("null", "NoneType")):
        path.write_text(content)
        with pytest.raises(InputError, match=rf"a\.json: damaged: not a JSON object but {kind}"):
            read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match="a folder; name a file"):
        read_json(tmp_path)


def test_nothing_takes_the_place_of_a_device_or_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="a device, a pipe or a socket; name a file"):
        write_json(pipe, {})
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_key_that_is_not_there_is_told_with_the_file_and_the_nearest(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"record": 1})
    with pytest.raises(
        InputError, match=r"a\.json: damaged: key 'records' is missing; allowed: record; nearest: record"
    ):
        read_json(path)["records"]
    assert read_json(path).get("records") is None
