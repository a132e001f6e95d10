"""What would decide a comparison that was not decided, and when a ratio of times means something."""

import numpy as np
import pytest

from vitalbench.errors import InputError
from vitalbench.evaluate.power import Errors, errors, would_decide
from vitalbench.evaluate.time_ratio import Part, Spent, _part, spent_on, time_ratio


def test_the_errors_of_patients_and_of_seeds_are_told_apart():
    rng = np.random.default_rng(0)
    patients = rng.normal(0, 0.02, 4000)
    a = np.array([patients + shift for shift in rng.normal(0, 0.01, 40)])
    found = errors(a, np.zeros((1, 4000)))
    assert found.patients == pytest.approx(0.02, rel=0.1)
    assert found.seeds == pytest.approx(0.01 / 40**0.5, rel=0.3)
    assert found.detectable == pytest.approx(2.8 * found.both)


def test_what_is_shared_by_both_designs_is_no_error():
    shared = np.random.default_rng(0).normal(0, 0.05, (1, 1000))
    assert errors(shared, shared - 0.01).both == pytest.approx(0.0, abs=1e-12)


def test_four_times_the_patients_find_half_the_difference():
    said = would_decide(Errors(0.02, 0.0), 0.028, None, 100, 1)
    assert said == "detectable here 0.056; for 0.028 about 400 patients (100 here)"


def test_where_seeds_alone_are_too_noisy_more_patients_are_not_asked_for():
    said = would_decide(Errors(0.001, 0.02), 0.01, None, 5000, 2)
    assert "seeds (2 here)" in said
    assert "patients (" not in said
    both = would_decide(Errors(0.02, 0.02), 0.01, None, 100, 2)
    assert "patients and" in both


def test_it_is_as_many_as_a_simulation_needs():
    rng = np.random.default_rng(1)
    error, patients, difference = 0.03, 100, 0.02
    needed = int(
        would_decide(Errors(error, 0.0), difference, None, patients, 1).split("about ")[1].split()[0].replace(",", "")
    )
    spread = error * np.sqrt(patients / needed)
    found = np.abs(rng.normal(difference, spread, 20000)) > 1.96 * spread
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_a_ratio_within_the_noise_of_two_jobs_gets_no_verdict():
    a, b = Spent(1.02, 2.0, 0.02, 0.001), Spent(1.0, 1.0, 0.02, 0.001)
    found = time_ratio(a, b)
    assert (found.verdict, found.cost_ratio) == ("no-verdict", 2.0)
    assert found.floor == pytest.approx(0.0284, abs=0.001)
    assert time_ratio(Spent(1.1, None, 0.02, 0.001), b).verdict == "slower"
    assert time_ratio(b, Spent(1.1, None, 0.02, 0.001)).verdict == "faster"


def test_two_jobs_in_which_the_reference_differed_are_that_much_noisier():
    slow_hour = Spent(1.3, None, 0.02, 0.0013)
    assert time_ratio(slow_hour, Spent(1.0, None, 0.02, 0.001)).verdict == "no-verdict"
    assert time_ratio(Spent(1.3, None, None, 0.001), Spent(1.0, None, 0.02, 0.001)).verdict == "no-verdict"


def test_a_ratio_of_jobs_whose_threads_were_placed_apart_counts_by_as_much_at_most():
    """What a cache line takes four times as long for takes no work more than four times as long."""

    def spent(hours: float, *latencies: float | None, phases: tuple[str, ...] = ("train_step", "features")) -> Spent:
        threads = tuple((phase, 1 / len(latencies), ns) for phase, ns in zip(phases, latencies, strict=False))
        return Spent(hours, None, 0.02, 0.001, threads=threads)

    found = time_ratio(spent(1.3, 50.0), spent(1.0, 200.0))
    assert (found.verdict, found.ratio, found.floor) == ("no-verdict", 1.3, pytest.approx(3.11, abs=0.01))
    said = "threads of train_step were 50 ns from one another in one job and 200 ns in another: time both"
    assert found.why.startswith(said)
    assert time_ratio(spent(1.01, 50.0), spent(1.0, 200.0)).why.startswith(said)  # more repeats would not help
    assert time_ratio(spent(5.0, 50.0), spent(1.0, 200.0)).verdict == "slower"
    assert time_ratio(spent(1.3, 44.0), spent(1.0, 56.0)).verdict == "slower"
    assert time_ratio(spent(1.3, None), spent(1.0, None)).verdict == "slower"  # where nobody could look
    unseen = time_ratio(spent(1.3, None), spent(1.0, 200.0))
    assert (unseen.verdict, unseen.ratio, unseen.floor) == ("no-verdict", 1.3, None)
    assert unseen.why.startswith("where the threads of train_step were was seen in one job alone: time both")
    # Each phase with itself, by its share.
    assert time_ratio(spent(1.3, 50.0, 200.0), spent(1.0, 50.0, 200.0)).floor == pytest.approx(0.0284, abs=0.001)
    half = time_ratio(spent(1.3, 50.0, 200.0), spent(1.0, 50.0, 50.0))
    assert half.floor == pytest.approx(1.0284 * 2.5 - 1, abs=0.01)
    assert "threads of features were 50 ns" in half.why
    other = time_ratio(spent(1.3, 50.0), spent(1.0, 200.0, phases=("features",)))
    assert other.verdict == "slower"


@pytest.mark.parametrize("text", ["abc", "-5", "nan", "1e400"])
def test_a_latency_in_a_table_that_is_none_is_refused(text):
    row = dict.fromkeys(("median_s", "to_reference", "noise_floor", "disturbed", "throttled"), "")
    with pytest.raises(InputError):
        _part(row | {"phase": "train_step", "design": "a", "repeats": "22", "core_to_core_ns": text}, 1.0)


def test_the_floor_of_a_training_counts_each_phase_by_its_share_of_the_hours():
    step, features = Part("train_step", 1.0, 30, 0.02, 0.001), Part("features", 3.0, 22, 0.40, 0.002)
    found = spent_on(1.0, None, [step, features])
    assert found.floor == pytest.approx(np.hypot(0.25 * 0.02, 0.75 * 0.40))
    assert found.reference_s == pytest.approx(0.00175)
    assert found.repeats == 22
    other = Spent(1.25, None, 0.02, 0.00175, 30)
    assert time_ratio(other, found).verdict == "no-verdict"
    assert time_ratio(other, spent_on(1.0, None, [step])).floor > 0.02  # the calm step alone would have told


def test_a_training_of_which_one_phase_was_disturbed_has_no_ratio():
    step, features = Part("train_step", 1.0, 22, 0.02, 0.001), Part("features", 3.0, 22, 0.02, 0.001, "disturbed")
    found = time_ratio(Spent(9.0, 9.0, 0.02, 0.001, 22), spent_on(1.0, 1.0, [step, features]))
    assert (found.ratio, found.cost_ratio, found.floor, found.verdict) == (None, None, None, "no-verdict")
    assert found.why == "design_b: features was disturbed while it was timed: measure again"


def test_a_ratio_without_a_verdict_says_what_would_decide():
    a, b = Spent(1.02, None, 0.02, 0.001, 30), Spent(1.0, None, 0.02, 0.001, 22)
    said = time_ratio(a, b).why
    needed = int(said.split("about ")[1].split()[0])
    assert "repeats (22 here), `repeats` or `seconds` of the suite's protocol" in said
    finer = 0.02 * (22 / needed) ** 0.5
    assert time_ratio(Spent(1.02, None, finer, 0.001), Spent(1.0, None, finer, 0.001)).verdict == "slower"
    apart = time_ratio(Spent(1.02, None, 0.02, 0.0013, 22), b).why
    assert "the reference operation itself was 30.0% apart in the two jobs, which no repeats mend" in apart
    few = spent_on(1.0, None, [Part("train_step", 1.0, 5, None, 0.001)])
    assert time_ratio(few, b).why == "design_a: train_step has no noise floor: 5 repeats, 22 at least would tell it"
    alone = spent_on(1.0, None, [Part("train_step", 1.0, 22, 0.02, None)])
    assert "design_a: no reference operation was timed beside train_step" in time_ratio(alone, b).why
