"""Several processes are one run: ended together, saved together, gone on with from one place; here without torch's own start."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import Popen
from threading import Barrier
from types import SimpleNamespace

import pytest

from vitalbench.errors import GateError, Interrupted
from vitalbench.files import only_one_in
from vitalbench.interrupt import Interrupt
from vitalbench.train import launch
from vitalbench.train.among import Alone
from vitalbench.train.checkpoints import Checkpoints, listed
from vitalbench.train.course import Course
from vitalbench.train.keeper import Keeper
from vitalbench.train.observer import Stop
from vitalbench.train.ranks import HALVED, MICRO_BATCH
from vitalbench.train.sealed import damage
from vitalbench.train.shared_checkpoints import SharedCheckpoints, part_of
from vitalbench.train.step import Step


def started(*programs: str) -> list[Popen]:
    return [Popen([sys.executable, "-S", "-c", program]) for program in programs]


WAITS = "import signal; signal.pause()"


def test_processes_that_end_well_end_with_nothing():
    assert launch._ended(started("pass", "pass")) == (0, 0)


def test_one_that_fails_ends_those_it_leaves_waiting(monkeypatch):
    monkeypatch.setattr(launch, "_GRACE", 0.2)
    children = started(WAITS, "raise SystemExit(3)")
    assert launch._ended(children) == (1, 3)
    assert children[0].returncode == -signal.SIGKILL


def test_what_a_signal_ended_is_the_cause_of_what_the_others_died_of():
    fails = "import os, time; os.read(0, 1); raise SystemExit(1)"
    first = Popen([sys.executable, "-S", "-c", fails], stdin=-1)
    killed = started(WAITS)[0]
    killed.kill()
    first.stdin.close()
    assert launch._ended([first, killed]) == (1, -signal.SIGKILL)


@pytest.mark.parametrize(
    ("code", "by"),
    [(-9, signal.SIGKILL), (-15, signal.SIGTERM), (143, signal.SIGTERM), (138, signal.SIGUSR1), (-11, None), (1, None), (0, None)],
)  # fmt: skip
def test_a_crash_is_no_interruption(code, by):
    assert launch._interrupted_by(code) == by


class Two(Alone):
    """A process among two, which are threads here."""

    several = True

    def __init__(self, rank: int, barrier: Barrier, said: dict[int, object]) -> None:
        self.rank, self._barrier, self._said = rank, barrier, said

    def _all(self, value):
        self._said[self.rank] = value
        self._barrier.wait()
        found = dict(self._said)
        self._barrier.wait()
        return found

    def largest(self, number):
        return max(self._all(number).values())

    def from_first(self, text):
        return self._all(text)[0]

    def wait(self):
        self._all(0)


def both(work):
    """What each of two processes gives."""
    barrier, said = Barrier(2, timeout=20), {}
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: work(Two(rank, barrier, said)), range(2)))


def checkpoints(tmp_path, together, say=print):
    return SharedCheckpoints(tmp_path, "run", None, say, tmp_path / "own", together)


def save(tmp_path, together, name):
    def write(folder):
        (folder / "state").write_text(f"{name} {together.rank}")

    checkpoints(tmp_path, together).save(name, {"epoch": 1}, write)


def test_every_process_writes_its_part_and_one_seals_them(tmp_path):
    both(lambda together: save(tmp_path, together, "epoch-00001-batch-0000003"))
    (saved,) = listed(tmp_path / "checkpoints/run")
    assert not damage(saved)
    assert [(part_of(saved, rank) / "state").read_text() for rank in (0, 1)] == [
        f"{saved.name} {rank}" for rank in (0, 1)
    ]
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    (part_of(saved, 1) / "state").write_text("another")
    assert damage(saved).startswith("rank1/state: sealed as")


def test_all_go_on_from_what_the_first_found_sound(tmp_path):
    for batch in (1, 2):
        both(lambda together, batch=batch: save(tmp_path, together, f"epoch-00001-batch-{batch:07d}"))
    before, newest = listed(tmp_path / "checkpoints/run")
    (part_of(newest, 1) / "state").unlink()
    told = []
    found = both(lambda together: checkpoints(tmp_path, together, told.append).newest())
    assert found == [before, before]
    assert len(told) == 1
    assert f"{newest.name} is damaged" in told[0]
    assert both(lambda together: checkpoints(tmp_path / "empty", together).newest()) == [None, None]


class Saved:
    def __init__(self) -> None:
        self.course = Course(epoch=1, batch=2, taken=2)

    def write(self, folder, rank):
        (folder / "state").write_text(str(rank))

    def read(self, checkpoint, rank):
        pass


@pytest.mark.parametrize(
    ("asked", "stop", "end"), [(signal.SIGUSR1, None, Interrupted), (None, Stop("dear"), Stop), (None, None, None)]
)
def test_what_one_process_has_to_do_all_do(tmp_path, asked, stop, end):
    """The second is asked, the first is not; then they save the same, and end the same."""

    def work(together):
        one, state = together.rank == 1, Saved()
        own = SharedCheckpoints(tmp_path, "run", None, lambda _: None, tmp_path / f"own{together.rank}", together)
        keeper = Keeper(own, 10.0, Interrupt("USR1"), lambda _: None, together)
        keeper.resume(state, SimpleNamespace(lap=lambda: 0.0, so_far=lambda: 0.0))
        keeper.interrupt.asked = asked if one else None
        try:
            with keeper.between_steps(state):
                if one and stop:
                    raise stop
        except (Interrupted, Stop) as error:
            return type(error)
        finally:
            keeper.close()

    assert both(work) == [end, end]
    assert len(listed(tmp_path / "checkpoints/run")) == (end is not None)


def test_one_process_agrees_with_itself(tmp_path):
    alone = Alone()
    assert (alone.first, alone.largest(3), alone.from_first("x")) == (True, 3, "x")
    assert Checkpoints(tmp_path, "run", None, print).attempts == tmp_path / "checkpoints/run/attempts"


@pytest.mark.parametrize(
    ("given", "times", "saved", "left"),
    [
        (None, 0, (8, 1), (8, 1)),  # a later start goes on with what memory had made of it
        (8, 1, (None, 0), (8, 1)),  # halved since it was saved
        (8, 1, (16, 0), (8, 1)),  # of a design with micro-batches
        (4, 1, (8, 1), (4, 2)),  # halved again, by another launcher
        (4, 2, (8, 1), (4, 2)),  # and by the same one
        (16, 1, (8, 2), (8, 2)),
    ],
)
def test_a_micro_batch_is_the_least_that_memory_has_left(monkeypatch, given, times, saved, left):
    monkeypatch.setenv(HALVED, str(times))
    if given is not None:
        monkeypatch.setenv(MICRO_BATCH, str(given))
    step = Step.__new__(Step)
    step.load_state_dict({"micro_batch": saved[0], "halved": saved[1]})
    assert (step.micro_batch, step.halved) == left


def test_a_folder_has_one_process_at_work_in_it(tmp_path):
    with (
        only_one_in(tmp_path),
        pytest.raises(GateError, match="another process is at work on this"),
        only_one_in(tmp_path),
    ):
        pytest.fail("a second one came in")
    with only_one_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
