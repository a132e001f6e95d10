"""Whoever listens to a run cannot end it, change it or keep it waiting; what fails is named once, without what is secret."""

import threading

import pytest

from vitalbench.train.course import Course
from vitalbench.train.observer import Begun, Stop, Unobserved
from vitalbench.watch.aside import Aside
from vitalbench.watch.observers import Listener, Observers, told

BEGUN = Begun(epochs=2, steps=2, records=8)


class Failing(Listener):
    """Fails at one word, and counts what it is told."""

    name = "a tracker"

    def __init__(self, at: str) -> None:
        self.at, self.heard = at, []

    def _hear(self, word: str) -> None:
        self.heard.append(word)
        if word == self.at:
            raise OSError(28, "No space left on device")

    def open(self, say):
        self._hear("open")

    def start(self, begun, course):
        self._hear("start")

    def batch(self, course, loss):
        self._hear("batch")

    def epoch(self, course, row):
        self._hear("epoch")

    def end(self):
        self._hear("end")

    def close(self, status):
        self._hear("close")


ALL = ["open", "start", "batch", "epoch", "batch", "epoch", "end", "close"]


def tell_all(observers, said):
    observers.open(said.append)
    observers.start(BEGUN, Course())
    for epoch in (1, 2):
        observers.batch(Course(epoch=epoch, batch=1), 0.5)
        observers.epoch(Course(epoch=epoch), {"epoch": epoch})
    observers.end()
    observers.close("measured")
    observers.close("interrupted")


@pytest.mark.parametrize("at", sorted(set(ALL)))
def test_a_tracker_that_fails_is_named_once_and_told_no_more(at):
    said, failing, sound = [], Failing(at), Failing("never")
    tell_all(Observers([failing, sound], Unobserved()), said)
    assert said == ["warning: a tracker is told no more of this run: OSError: [Errno 28] No space left on device"]
    assert failing.heard == ALL[: ALL.index(at) + 1]
    assert sound.heard == ALL


def test_a_budgets_stop_goes_through_after_the_others_were_told():
    class Empty(Unobserved):
        def batch(self, course, loss):
            raise Stop("budget: nothing is left")

    sound = Failing("never")
    observers = Observers([sound], Empty())
    with pytest.raises(Stop, match="nothing is left"):
        observers.batch(Course(), 0.5)
    assert sound.heard == ["batch"]


def test_an_error_is_told_without_keys_and_passwords(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    error = ValueError("key 0123456789abcdef\nrefused by https://me:pass@host/api")
    assert told(error) == "ValueError: key *** refused by https://***@host/api"


def test_aside_hands_on_all_but_batches_in_order():
    said, sound = [], Failing("never")
    tell_all(Observers([Aside(sound)], Unobserved()), said)
    assert sound.heard == ["open", "start", "epoch", "epoch", "close"]
    assert said == []


def test_aside_hands_on_the_course_as_it_was():
    seen, go_on = [], threading.Event()

    class Slow(Listener):
        name = "slow"

        def start(self, begun, course):
            go_on.wait(10)
            seen.append((course.epoch, course.history))

    aside, course = Aside(Slow()), Course(epoch=3, history=[{"epoch": 1}, {"epoch": 2}])
    aside.open(print)
    aside.start(BEGUN, course)
    course.epoch = 4
    course.history.append({"epoch": 3})
    go_on.set()
    aside.close("measured")
    assert seen == [(3, [{"epoch": 1}, {"epoch": 2}])]


def test_aside_names_a_failure_once():
    said = []
    tell_all(Observers([Aside(Failing("start"))], Unobserved()), said)
    assert said == ["warning: a tracker is told no more of this run: OSError: [Errno 28] No space left on device"]


def test_a_tracker_that_hangs_keeps_neither_a_step_nor_the_end_waiting():
    said, release = [], threading.Event()

    class Hanging(Listener):
        name = "a network"

        def start(self, begun, course):
            release.wait(60)

    tell_all(Observers([Aside(Hanging(), patience=0.05)], Unobserved()), said)
    release.set()
    assert said == ["warning: a network did not answer in time: what it was told may be lost"]
