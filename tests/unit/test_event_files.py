"""TensorBoard's event file: its own reader reads it, and after a kill and resume no step is missing or there twice."""

import struct

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vitalbench.layout import EVENTS
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.event_files import EventFiles, records

BEGUN = Begun(epochs=3, steps=4, records=64)


def scalars(run):
    """Every scalar of a run by its tag, as TensorBoard reads them: (step, value) in the order of the file."""
    found = EventAccumulator(str(run / EVENTS), purge_orphaned_data=False)
    found.Reload()
    return {
        tag: [(event.step, round(event.value, 5)) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }


def row(epoch):
    return {"epoch": epoch, "steps": 4 * epoch, "train_loss": 1 / epoch, "val_loss": None if epoch == 1 else 2 / epoch}


def at(taken):
    """The course after so many batches."""
    done = taken // BEGUN.steps
    return Course(epoch=done + 1, batch=taken % BEGUN.steps, taken=taken, history=[row(n + 1) for n in range(done)])


def go(listener, first, last):
    """Tell of the batches from one to another, of their epochs too."""
    for taken in range(first + 1, last + 1):
        listener.batch(at(taken), taken / 100)
        if taken % BEGUN.steps == 0:
            listener.epoch(at(taken), row(taken // BEGUN.steps))


def whole(run, run_id="run"):
    listener = EventFiles(run, run_id)
    listener.start(BEGUN, at(0))
    go(listener, 0, 12)
    listener.close("measured")
    return scalars(run)


def test_tensorboards_own_reader_reads_every_number(tmp_path):
    found = whole(tmp_path)
    assert found["batch/loss"] == [(step, step / 100) for step in range(1, 13)]
    assert found["epoch/train_loss"] == [(1, 1.0), (2, 0.5), (3, pytest.approx(0.33333))]
    assert found["epoch/val_loss"] == [(2, 1.0), (3, pytest.approx(0.66667))]
    assert set(found) == {"batch/loss", "epoch/train_loss", "epoch/val_loss", "epoch/steps"}


@pytest.mark.parametrize("saved", [0, 3, 4, 5, 11, 12])
@pytest.mark.parametrize("lost", [0, 1, 6])
@pytest.mark.parametrize("torn", [0, 1, 9])
def test_killed_and_gone_on_with_it_is_as_if_nothing_had_been(tmp_path, saved, lost, torn):
    killed = EventFiles(tmp_path / "killed", "run")
    killed.start(BEGUN, at(0))
    go(killed, 0, min(saved + lost, 12))
    (path,) = (tmp_path / "killed" / EVENTS).iterdir()
    if lost and torn:  # a write that the machine cut off; what was saved stands before it
        path.write_bytes(path.read_bytes()[:-torn])
    again = EventFiles(tmp_path / "killed", "run")
    again.start(BEGUN, at(saved))
    go(again, saved, 12)
    assert scalars(tmp_path / "killed") == whole(tmp_path / "whole")


def test_an_event_is_with_the_system_before_the_next_step(tmp_path):
    listener = EventFiles(tmp_path, "run")
    listener.start(BEGUN, at(0))
    go(listener, 0, 2)
    assert scalars(tmp_path)["batch/loss"] == [(1, 0.01), (2, 0.02)]  # nothing was closed or flushed


def test_epochs_are_told_from_the_history_where_the_file_was_lost(tmp_path):
    listener = EventFiles(tmp_path, "run")
    listener.start(BEGUN, at(8))
    assert [step for step, _ in scalars(tmp_path)["epoch/train_loss"]] == [1, 2]


def test_another_runs_events_are_not_gone_on_with(tmp_path):
    whole(tmp_path, "earlier")
    listener = EventFiles(tmp_path, "later")
    listener.start(BEGUN, at(3))
    assert scalars(tmp_path) == {}
    assert len(list((tmp_path / EVENTS).iterdir())) == 1


def test_of_long_epochs_every_so_manieth_batch_is_told(tmp_path):
    listener = EventFiles(tmp_path, "run")
    begun = Begun(epochs=1, steps=2500, records=40_000)
    listener.start(begun, Course())
    for taken in range(1, 2501):
        listener.batch(Course(batch=taken, taken=taken), 0.5)
    assert [step for step, _ in scalars(tmp_path)["batch/loss"]][:3] == [3, 6, 9]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"not an event file at all", struct.pack("<Q", 2**62) + b"\0" * 100]
)
def test_what_is_no_event_file_holds_no_records(content):
    assert list(records(content)) == []
