"""The values of a trial follow from the search's seed, its number and the rounds before, and from nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_search_space import design
from vitalbench.config.design import Design
from vitalbench.config.search_space import with_parameters
from vitalbench.search.sampling import Result, parameters_of

SPACE = {
    "train.learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "train.batch_size": {"low": 16, "high": 64, "step": 16},
    "model.options.dropout": {"low": 0.0, "high": 0.3, "step": 0.1},
    "train.early_stopping": {"choice": [None, {"patience": 2}, {"patience": 5}]},
    "train.schedule": {"choice": ["constant", "cosine"]},
}


def searched(**search) -> Design:
    return design(**({"space": SPACE, "trials": 12, "round": 3, "sampler": "tpe", "startup": 3} | search))


def quality(parameters: dict) -> float:
    """A made-up objective with its best at a learning rate of 1e-4."""
    return 1 - parameters.get("train.learning_rate", 0.0) ** 0.25


def run(made: Design, trials: int, direction: str = "higher", failing: tuple[int, ...] = ()) -> list[Result]:
    """A search in order, of which some trials fail."""
    sign, found = (1 if direction == "higher" else -1), []
    for number in range(trials):
        values = parameters_of(made, number, found[: made.search.first_of_round(number)], direction)
        found.append(Result(values, None if number in failing else sign * quality(values)))
    return found


@given(seed=st.integers(0, 2**31), number=st.integers(0, 11), sampler=st.sampled_from(["tpe", "random"]))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_number_and_results_give_the_same_values(seed, number, sampler):
    made = searched(seed=seed, sampler=sampler)
    earlier = run(made, made.search.first_of_round(number))
    first = parameters_of(made, number, earlier, "higher")
    assert parameters_of(made, number, list(earlier), "higher") == first
    with_parameters(made, first, "d.yaml")  # every draw is a design
    assert 1e-4 <= first["train.learning_rate"] <= 1
    assert type(first["train.batch_size"]) is int
    assert first["train.batch_size"] in (16, 32, 48, 64)
    assert first["train.early_stopping"] in (None, {"patience": 2}, {"patience": 5})


def test_more_trials_leave_those_before_as_they_are():
    short, long = searched(trials=6), searched(trials=12)
    assert run(long, 12)[:6] == run(short, 6)


def test_the_trials_of_a_round_differ_and_do_not_depend_on_one_anothers_results():
    made = searched()
    found = run(made, 12)
    assert len({str(result.parameters) for result in found}) == 12
    other = [Result(result.parameters, -5.0) for result in found[:3]]
    assert parameters_of(made, 4, other, "higher") != found[4].parameters  # the rounds before do matter
    assert parameters_of(made, 2, [], "higher") == found[2].parameters


def test_results_steer_the_model_but_not_the_draws_at_random():
    def turned(sampler: str) -> bool:
        made = searched(sampler=sampler, startup=3)
        found = run(made, 9)
        worse = [Result(result.parameters, -float(result.value or 0)) for result in found]
        return parameters_of(made, 9, found, "higher") != parameters_of(made, 9, worse, "higher")

    assert turned("tpe")
    assert not turned("random")


def test_the_model_finds_better_values_than_chance():
    def mean(sampler: str, direction: str) -> float:
        made = searched(sampler=sampler, trials=60, round=4, startup=8)
        late = run(made, 60, direction)[32:]
        return sum(quality(result.parameters) for result in late) / len(late)

    for direction in ("higher", "lower"):
        assert mean("tpe", direction) > mean("random", direction) + 0.1


def test_a_failed_trial_counts_and_ends_nothing():
    made = searched()
    found = run(made, 9, failing=(0, 4))
    assert len(found) == 9
    all_failed = [Result(result.parameters, None) for result in run(made, 3)]
    parameters_of(made, 5, all_failed, "higher")


def test_a_grid_tries_every_point_once_in_an_order_of_its_seed():
    space = {
        "train.batch_size": {"low": 16, "high": 64, "step": 16},
        "train.schedule": {"choice": ["constant", "cosine"]},
    }
    made = searched(space=space, sampler="grid", trials=8)
    points = [result.parameters for result in run(made, 8)]
    assert len({str(point) for point in points}) == 8
    other = searched(space=space, sampler="grid", trials=8, seed=1)
    assert [result.parameters for result in run(other, 8)] != points


def test_a_trial_is_not_drawn_from_other_results_than_those_of_the_rounds_before():
    with pytest.raises(ValueError, match="trial 4 follows from the 3 trials of the rounds before, not from 1"):
        parameters_of(searched(), 4, run(searched(), 1), "higher")


def test_nothing_is_printed(capfd):
    run(searched(), 6)
    assert capfd.readouterr() == ("", "")
