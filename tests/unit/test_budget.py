"""A budget is held against what was taken and what the next step may take; its word holds the arithmetic."""

import pytest

from tests.unit.test_progress_file import progress
from vitalbench.config.watching import Rate, Watch
from vitalbench.layout import PROGRESS
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun, Stop
from vitalbench.watch.budget import Budget, Others
from vitalbench.watch.progress_file import write_progress
from vitalbench.watch.spent import Spent, usd_of_suite

BEGUN = Begun(epochs=10, steps=5, records=160)
PRICES = {"gpu": Rate(key="somewhere", usd_per_hour=4.0, price_date="2026-01-01")}


class Taken:
    """What was taken, as the test says."""

    seconds = 0.0
    earlier = 0.0

    @property
    def here(self):
        return self.seconds - self.earlier


def held(knobs, others=0.0, target="gpu"):
    taken = Taken()
    watch = Watch(prices=PRICES, **knobs)
    return taken, Budget(watch, target, taken, Others(lambda: others), "vitalbench runs resume x")


@pytest.mark.parametrize(
    ("knobs", "within", "beyond", "said"),
    [
        (
            {"budget_usd": 2.0}, 0.49, 0.501,
            "budget: 0.501 h x 4 USD/h = 2.004 of 2 USD at epoch 3 of 10, 2 of 5 batches done; "
            "raise budget_usd and run `vitalbench runs resume x`, it goes on from epoch 3",
        ),
        (
            {"budget_hours": 0.25}, 0.24, 0.26,
            "budget: 0.26 of 0.25 h at epoch 3 of 10, 2 of 5 batches done; "
            "raise budget_hours and run `vitalbench runs resume x`, it goes on from epoch 3",
        ),
        (
            {"budget_suite_usd": 3.0}, 0.49, 0.51,
            "budget: 0.51 h x 4 USD/h + 1 USD of the suite's other training jobs = 3.04 of 3 USD at epoch 3 of 10, "
            "2 of 5 batches done; raise budget_suite_usd and run `vitalbench runs resume x`, it goes on from epoch 3",
        ),
    ],
)  # fmt: skip
def test_a_run_stops_once_it_would_exceed_its_budget_and_says_by_what(knobs, within, beyond, said):
    taken, budget = held(knobs, others=1.0)
    budget.start(BEGUN, Course())
    course = Course(epoch=3, batch=2, taken=12)
    taken.seconds = within * 3600
    budget.batch(course, 0.5)
    taken.seconds = beyond * 3600
    with pytest.raises(Stop) as stop:
        budget.batch(course, 0.5)
    assert str(stop.value) == said


def test_long_before_that_an_alarm_is_said_once(monkeypatch, capsys):
    taken, budget = held({"budget_usd": 2.0, "budget_hours": 100.0})
    begun = Begun(epochs=10, steps=100, records=3200)
    budget.start(begun, Course())
    monkeypatch.setattr(budget._pause, "lap", lambda: 3.6)
    for step in range(1, 61):
        taken.seconds = 3.6 * step
        budget.batch(Course(taken=step), 0.5)
    told = [line for line in capsys.readouterr().err.splitlines() if "alarm" in line]
    assert told == [
        "budget alarm: at this pace 10 epochs come to 1 h x 4 USD/h = 4 of 2 USD (budget_usd); "
        "unless it ends early it is stopped before that"
    ]


def test_within_the_budget_no_alarm_is_said(monkeypatch, capsys):
    taken, budget = held({"budget_usd": 5.0})
    budget.start(Begun(epochs=10, steps=100, records=3200), Course())
    monkeypatch.setattr(budget._pause, "lap", lambda: 3.6)
    for step in range(1, 61):
        taken.seconds = 3.6 * step
        budget.batch(Course(taken=step), 0.5)
    assert "alarm" not in capsys.readouterr().err


def test_it_stops_before_what_the_next_step_would_take(monkeypatch):
    taken, budget = held({"budget_hours": 1.0})
    budget.start(BEGUN, Course())
    pauses = iter([10.0, 700.0, 10.0, 10.0])
    monkeypatch.setattr(budget._pause, "lap", lambda: next(pauses))
    for taken.seconds in (1000.0, 1700.0, 2890.0):
        budget.batch(Course(taken=3), 0.5)
    taken.seconds = 2901.0  # and a pause as long as the longest would end beyond the hour
    with pytest.raises(Stop, match=r"0\.8058 of 1 h"):
        budget.batch(Course(taken=4), 0.5)


def in_session(hours, earlier=0.0, least=None, steps=30):
    """Run some steps of 10 s in a session, of 1,000 in all; the first takes 500 s."""
    taken = Taken()
    taken.earlier = earlier
    budget = Budget(Watch(), "gpu", taken, Others(lambda: 0.0), "vitalbench runs resume x", session_hours=hours)
    pauses = iter([0.0, 500.0, *[10.0] * steps])
    budget._pause.lap = lambda: next(pauses)
    budget.start(Begun(epochs=10, steps=100, records=3200, least=least), Course())
    for done in range(1, steps + 1):
        taken.seconds = earlier + 500.0 + 10.0 * (done - 1)
        budget.batch(Course(epoch=1, batch=done, taken=done), 0.5)


def test_a_training_that_outlasts_its_session_is_not_tried_any_longer():
    """Held against the shortest step: the first, with its compiling and caching, says nothing."""
    with pytest.raises(Stop) as stop:
        in_session(2.0)
    assert str(stop.value) == (
        "budget: 0.1917 h of this session + 980 steps x 10 s, the shortest of 20 = 2.914 h, and session_hours of the target "
        "is 2; raise it or take it out and run `vitalbench runs resume x`, it goes on from epoch 1"
    )


def test_a_training_that_may_fit_its_session_goes_on():
    in_session(3.0)
    in_session(3.0, earlier=9 * 3600.0)  # of sessions before this one
    in_session(1.0, least=2)  # which may stop after two epochs


def test_nothing_is_begun_on_an_empty_purse():
    taken, budget = held({"budget_usd": 1.0})
    taken.seconds = 3600.0
    with pytest.raises(Stop, match=r"at epoch 1 of 10, 0 of 5 batches done"):
        budget.start(BEGUN, Course())


def test_a_run_that_is_trained_is_not_robbed_of_its_result():
    taken, budget = held({"budget_usd": 1.0})
    taken.seconds = 1e6
    budget.start(BEGUN, Course(epoch=11, taken=50, ended=True))
    budget.batch(Course(epoch=10, batch=5, taken=50), 0.5)


def test_without_a_budget_nothing_stops():
    taken, budget = held({})
    taken.seconds = 1e9
    budget.start(BEGUN, Course())
    budget.batch(Course(taken=1), 0.5)


def test_what_an_interrupted_run_took_is_carried_on_and_what_a_finished_one_took_is_told_apart(tmp_path):
    run = progress().run_id
    write_progress(tmp_path, progress(seconds=100.0, other_seconds=7.0))
    spent = Spent(tmp_path, run)
    assert (spent.earlier, spent.other) == (100.0, 7.0)
    assert 100.0 <= spent.seconds < 160.0
    write_progress(tmp_path, progress(seconds=100.0, other_seconds=7.0, stage="ended", status="measured"))
    assert (Spent(tmp_path, run).earlier, Spent(tmp_path, run).other) == (0.0, 107.0)
    write_progress(tmp_path, progress(seconds=100.0, stage="ended", status="not-allowed"))
    assert Spent(tmp_path, run).earlier == 100.0
    assert (Spent(tmp_path, "another").earlier, Spent(tmp_path, "another").other) == (0.0, 100.0)


def test_a_damaged_account_begins_at_nothing_and_is_told(tmp_path):
    (tmp_path / PROGRESS).write_text("{")
    spent = Spent(tmp_path, "run")
    assert spent.earlier == spent.other == 0.0
    assert PROGRESS in spent.damaged


def test_a_suites_account_adds_up_its_other_runs_at_their_targets_prices(tmp_path):
    watch = Watch(prices=PRICES | {"cpu": Rate(key="cheap", usd_per_hour=0.1, price_date="2026-01-01")})
    for path, seconds, other in (
        ("gpu/seed0-fold0", 1800.0, 900.0),
        ("cpu/seed0-fold0", 3600.0, 0.0),
        ("gpu/own", 1e9, 0.0),
    ):
        folder = tmp_path / "runs/data/task/design" / path
        write_progress(folder, progress(seconds=seconds, other_seconds=other))
    write_progress(tmp_path / "search/data/task/design/cpu/fold0/trial-0001", progress(seconds=7200.0))
    torn = tmp_path / "runs/data/task/design/gpu/seed1-fold0"
    torn.mkdir()
    (torn / PROGRESS).write_text("{")
    own = tmp_path / "runs/data/task/design/gpu/own"
    assert usd_of_suite(tmp_path, watch, own) == pytest.approx(0.75 * 4.0 + (1.0 + 2.0) * 0.1)
