"""progress.json: whoever wrote it, it is read or refused in one line; and a process that is no more is never taken to run."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitalbench.errors import InputError
from vitalbench.layout import PROGRESS
from vitalbench.measure.clock import utc_now
from vitalbench.watch.process import SILENT_AFTER, Writer, memory_bytes, silence, this_process
from vitalbench.watch.progress_file import Gpu, Progress, Training, read_progress, write_progress

HERE = this_process()


def progress(**changes) -> Progress:
    values = {
        "run_id": "0123456789abcdef",
        "stage": "training",
        "writer": HERE,
        "written": utc_now(),
        "seconds": 90.0,
        "training": Training(
            epoch=2,
            epochs=4,
            batch=3,
            batches=10,
            loss=0.5,
            val_loss=0.25,
            metric="auroc",
            val_metric=0.875,
            records_per_s=800.0,
            left_s=60.0,
        ),
        "memory_bytes": 1_200_000_000,
        "gpus": [Gpu(name="NVIDIA H200", use=0.87, memory=12_300_000_000, memory_total=141_000_000_000)],
        "price_key": "somewhere",
        "usd_per_hour": 3.6,
    }
    return Progress(**values | changes)


def test_what_was_written_is_read(tmp_path):
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, progress())
    assert read_progress(tmp_path) == progress(written=read_progress(tmp_path).written)


WRONG = {
    "torn": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "another version": lambda text: text.replace('"version": 1', '"version": 2'),
    "no number": lambda text: text.replace('"seconds": 90.0', '"seconds": NaN'),
    "endless": lambda text: text.replace('"seconds": 90.0', '"seconds": 1e999'),
    "negative": lambda text: text.replace('"seconds": 90.0', '"seconds": -1'),
    "a word more": lambda text: text.replace('"version": 1', '"version": 1, "surprise": 1'),
    "a text for a number": lambda text: text.replace('"pid": ', '"pid": "x", "was": '),
    "huge": lambda text: text + " " * 100_000,
    "deep": lambda text: "[" * 30_000,
}


@pytest.mark.parametrize("how", WRONG)
def test_a_damaged_or_foreign_file_is_one_line_that_names_it(tmp_path, how):
    write_progress(tmp_path, progress())
    path = tmp_path / PROGRESS
    text = path.read_text()
    assert WRONG[how](text) != text
    path.write_text(WRONG[how](text))
    with pytest.raises(InputError) as caught:
        read_progress(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    key=st.sampled_from(sorted(progress().model_dump())),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_whatever_stands_in_a_key_it_is_read_or_refused(tmp_path_factory, key, value):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / PROGRESS).write_text(json.dumps(progress().model_dump() | {key: value}))
    try:
        found = read_progress(folder)
    except InputError as error:
        found, told = None, str(error)
    assert isinstance(found, Progress) or str(folder / PROGRESS) in told


def test_this_process_is_there():
    assert silence(HERE, "whenever") == ""
    assert memory_bytes() > 10_000_000


def test_a_killed_process_is_gone_before_and_after_it_is_waited_for():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    writer = HERE.model_copy(update={"pid": child.pid, "started": process.create_time()})
    assert silence(writer, utc_now()) == ""
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
    assert silence(writer, utc_now()) == f"process {child.pid} is no more"
    child.communicate()
    assert silence(writer, utc_now()) == f"process {child.pid} is no more"


def test_another_process_of_the_same_number_is_not_it():
    assert silence(HERE.model_copy(update={"started": HERE.started - 100}), utc_now())


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"space": "pid:[1]"}])
def test_of_another_machine_or_container_the_age_of_its_word_tells(elsewhere):
    writer = Writer(**HERE.model_dump() | elsewhere | {"pid": 1})
    assert silence(writer, utc_now()) == ""
    old = datetime.now(UTC) - timedelta(seconds=SILENT_AFTER + 30)
    assert silence(writer, old.isoformat()).startswith("not heard of for ")
    assert silence(writer, "yesterday") == "it does not say when it was written"
    assert silence(writer, "2026-01-01T00:00:00") == "it does not say when it was written"
