"""Samples that a search keeps in a file have no name there; of an encrypted store they are sealed before they reach it."""

import os
import stat
import tempfile
from threading import Thread

import numpy as np
import pytest

from vitalbench.split.scratch import SampleFile

SHAPE = (3, 40)


def samples(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *SHAPE)).astype(np.float16)


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def opened(request, tmp_path):
    with SampleFile(tmp_path, 50, SHAPE, request.param) as kept:
        yield kept


def test_samples_come_back_in_any_order_and_repeated(opened):
    some = samples(50)
    for block in (slice(0, 20), slice(20, 50)):
        opened[block] = some[block]
    at = np.array([49, 0, 7, 7, 20])
    assert np.array_equal(opened[at], some[at])


def test_blocks_may_be_written_from_threads(opened):
    some = samples(50)

    def write(start):
        opened[start : start + 10] = some[start : start + 10]

    threads = [Thread(target=write, args=(start,)) for start in range(0, 50, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(opened[np.arange(50)], some)


def test_the_file_has_no_name_and_is_its_owners_alone(opened, tmp_path):
    opened[0:50] = samples(50)
    assert list(tmp_path.iterdir()) == []
    held = os.fstat(opened.fileno())
    assert (held.st_nlink, stat.S_IMODE(held.st_mode) & 0o077) == (0, 0)


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_reaches_the_disk_is_sealed_where_the_store_is(tmp_path, encrypted):
    some = samples(50)
    with SampleFile(tmp_path, 50, SHAPE, encrypted) as kept:
        kept[0:50] = some
        content = os.pread(kept.fileno(), 1 << 20, 0)
    assert all((row.tobytes() in content) is not encrypted for row in some)


def test_a_file_system_without_unnamed_files_gets_one_that_is_unlinked_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "_O_TMPFILE_WORKS", False)
    with SampleFile(tmp_path, 50, SHAPE, False) as kept:
        kept[0:50] = samples(50)
        assert list(tmp_path.iterdir()) == []
