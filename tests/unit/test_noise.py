"""The noise floor: false alarms, planted slow-downs on a real clock, and the statistics against known answers."""

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from tests.spinning import loops_of, spun
from vitalbench.config.schema import Protocol
from vitalbench.measure.interleaved import interleaved
from vitalbench.measure.noise import ALPHA, itself, least_pairs, pairs_for, shift, verdict

QUICK = Protocol(warmup=1, repeats=14, seconds=0.001)


@pytest.fixture(scope="module")
def loops() -> int:
    return loops_of(0.25e-3)


@pytest.mark.slow
@pytest.mark.alone
def test_a_thing_against_itself_raises_no_alarm_in_two_hundred_trials(loops):
    verdicts = [interleaved(spun(loops), spun(loops), QUICK, seed=trial).verdict for trial in range(200)]
    assert len(verdicts) - verdicts.count("no-verdict") <= 2


@pytest.mark.slow
@pytest.mark.alone
def test_two_per_cent_are_found_or_not_told_and_never_of_the_wrong_sign(loops):
    verdicts = [interleaved(spun(loops), spun(loops * 51 // 50), QUICK, seed=trial).verdict for trial in range(20)]
    assert "faster" not in verdicts


@pytest.mark.slow
@pytest.mark.alone
def test_ten_per_cent_are_found(loops):
    verdicts = [interleaved(spun(loops), spun(loops * 11 // 10), QUICK, seed=trial).verdict for trial in range(20)]
    assert verdicts.count("slower") >= 19
    swapped = [interleaved(spun(loops * 11 // 10), spun(loops), QUICK, seed=trial).verdict for trial in range(20)]
    assert swapped.count("faster") >= 19


def test_the_interval_is_the_signed_rank_tests_own():
    logs = np.random.default_rng(0).normal(0.02, 0.01, 20)
    found = shift(np.ones(20), np.exp(logs), alpha=0.05)
    edge = math.log(found.low)
    assert (
        wilcoxon(logs - edge - 1e-9, method="exact").pvalue
        > 0.05
        >= wilcoxon(logs - edge + 1e-9, method="exact").pvalue
    )


@pytest.mark.parametrize("freedom", [1, 2, 30])
def test_the_interval_misses_no_more_often_than_it_says_whatever_the_tails(freedom):
    rng = np.random.default_rng(freedom)
    missed = 0
    for _ in range(2000):
        found = shift(np.ones(15), np.exp(rng.standard_t(freedom, 15).clip(-1e3, 1e3) * 0.05), alpha=0.05)
        missed += not found.low <= 1 <= found.high
    assert missed <= 2000 * 0.05 + 3 * math.sqrt(2000 * 0.05)


def test_one_disturbed_repeat_hides_no_difference():
    a, b = np.full(20, 1.0), np.full(20, 1.1) + np.random.default_rng(0).normal(0, 0.001, 20)
    b[3] = 9.0
    assert verdict(shift(a, b), 0.0) == "slower"


def test_a_machine_that_slows_down_slows_both():
    drift = np.linspace(1, 3, 40)
    noise = np.random.default_rng(1).normal(1, 0.002, (2, 40))
    assert verdict(shift(drift * noise[0], drift * noise[1]), 0.0) == "no-verdict"
    assert verdict(shift(drift * noise[0], 1.05 * drift * noise[1]), 0.0) == "slower"


def test_too_few_pairs_tell_nothing():
    few = least_pairs() - 1
    assert verdict(shift(np.ones(few), np.full(few, 5.0)), 0.0) == "no-verdict"
    assert math.isinf(itself([1.0] * 2 * few).floor)
    assert 2 * 0.5 ** least_pairs() <= ALPHA < 2 * 0.5 ** (least_pairs() - 1)


def test_a_ratio_inside_the_floor_gets_no_verdict():
    found = shift(np.ones(30), np.full(30, 1.02))
    assert verdict(found, 0.0) == "slower"
    assert verdict(found, 0.03) == "no-verdict"


def test_many_repeats_are_taken_together_and_find_smaller_differences():
    rng = np.random.default_rng(0)
    few, many = (itself((1 + rng.normal(0, 0.05, 2 * pairs)).tolist()).floor for pairs in (20, 2000))
    assert many < few / 4


def test_how_many_pairs_it_would_take_finds_the_difference_four_times_in_five():
    rng = np.random.default_rng(5)
    needed = pairs_for(itself(np.exp(rng.normal(0, 0.05, 400)).tolist()), 1.03)
    assert needed is not None
    found = 0
    for _ in range(200):
        a, b = np.exp(rng.normal(0, 0.05, (2, needed)))
        found += verdict(shift(a, 1.03 * b), 0.0) == "slower"
    assert 0.7 <= found / 200 <= 0.95
