"""Work that was done twice is counted, however often a run was killed."""

import pytest

from vitalbench.errors import InputError
from vitalbench.train.attempts import Attempts


def start(folder, *, at, reached, epoch=1):
    """A process of its own: it goes on at a step, comes to another and is killed there (nothing is closed)."""
    attempts = Attempts(folder)
    attempts.begin(epoch, at, at * 0.5, 2.0, 0.25)
    for step in range(at + 1, reached + 1):
        attempts.reached(step, step * 0.5)
    return attempts


def test_what_is_done_again_is_lost_once_however_often_it_is_killed(tmp_path):
    start(tmp_path, at=0, reached=10)
    assert start(tmp_path, at=5, reached=7).lost() == [(1, 5, 2.5)]
    assert start(tmp_path, at=5, reached=12, epoch=2).lost() == [(1, 5, 2.5), (2, 2, 1.0)]
    assert start(tmp_path, at=12, reached=12, epoch=3).lost()[-1] == (3, 0, 0.0)
    assert [one.setup for one in Attempts(tmp_path).starts()] == [2.0] * 4


def test_a_kill_before_the_first_step_loses_nothing(tmp_path):
    start(tmp_path, at=0, reached=0)
    assert start(tmp_path, at=0, reached=3).lost() == [(1, 0, 0.0)]


def test_a_row_keeps_its_length_so_that_it_is_written_in_place(tmp_path):
    attempts = start(tmp_path, at=0, reached=1)
    (file,) = attempts.files()
    size = file.stat().st_size
    attempts.reached(10**9, 1e7 + 0.1234)
    assert file.stat().st_size == size
    assert attempts.starts()[0].reached_step == 10**9
    assert attempts.starts()[0].reached_seconds == pytest.approx(1e7 + 0.1234)


def test_a_file_that_is_no_start_is_named(tmp_path):
    (tmp_path / "00001").write_text("1 2 three\n")
    with pytest.raises(InputError, match="00001: holds no start"):
        Attempts(tmp_path).starts()


@pytest.mark.parametrize("content", [b"", b"\xff" * 112, b"1 2 three\n"])
def test_what_holds_no_start_is_set_aside_and_counted_and_no_number_is_given_twice(tmp_path, content):
    start(tmp_path, at=0, reached=10)
    (tmp_path / "00001").write_bytes(content)
    (told,) = Attempts(tmp_path).set_aside()
    assert told == f"{tmp_path / '00001'}: holds no start of a run"
    assert Attempts(tmp_path).set_aside() == []
    assert start(tmp_path, at=5, reached=7).files() == [tmp_path / "00002"]
    assert start(tmp_path, at=6, reached=7).lost() == [(1, 1, 0.5)]
    assert Attempts(tmp_path).count == 3
