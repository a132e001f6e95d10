"""The values of a trial, by Optuna. They follow from the search's seed, the trial's number and the rounds before, and nothing else.

A trial asks a study of its own, made of the trials of earlier rounds; the trials of its own round that have smaller numbers are
asked for first, each from its own random stream, and left running, so that the sampler keeps away from them. No order in which
jobs ran, and no kill, can show in that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from vitalbench.config.design import Design
from vitalbench.config.search import Dimension, Search
from vitalbench.config.search_space import grid_points, whole

optuna.logging.set_verbosity(optuna.logging.WARNING)
_GRID_STREAM = 3  # keeps the order of a grid apart from the draws of trials


@dataclass(frozen=True)
class Result:
    """A trial that has ended: its values by key, and its objective; None where it failed."""

    parameters: dict[str, Any]
    value: float | None


def stream(seed: int, trial: int) -> int:
    """The seed of a trial's own random numbers."""
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])


def label(choice: Any) -> Any:
    """What stands for a choice in Optuna, which knows no lists and no mappings: those by their JSON."""
    return json.dumps(choice, sort_keys=True) if isinstance(choice, list | dict) else choice


def _distribution(design: Design, key: str, dimension: Dimension) -> BaseDistribution:
    if dimension.choice is not None:
        return CategoricalDistribution([label(choice) for choice in dimension.choice])
    assert dimension.low is not None
    assert dimension.high is not None
    if whole(design, key, dimension):
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    step = None if dimension.step is None else float(dimension.step)
    return FloatDistribution(float(dimension.low), float(dimension.high), dimension.log, step)


def distributions(design: Design) -> dict[str, BaseDistribution]:
    """Optuna's distribution of every key of a design's search."""
    assert design.search is not None
    return {key: _distribution(design, key, dimension) for key, dimension in sorted(design.search.space.items())}


def labelled(parameters: dict[str, Any]) -> dict[str, Any]:
    """Values by key as Optuna holds them."""
    return {key: label(value) for key, value in parameters.items()}


def _unlabelled(search: Search, drawn: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in drawn.items():
        choice = search.space[key].choice
        found[key] = value if choice is None else next(item for item in choice if label(item) == value)
    return found


def frozen(result: Result, space: dict[str, BaseDistribution]) -> FrozenTrial:
    """A trial that has ended, as Optuna holds it."""
    state = TrialState.FAIL if result.value is None else TrialState.COMPLETE
    return create_trial(state=state, value=result.value, params=labelled(result.parameters), distributions=space)


def _grid(design: Design, search: Search, trial: int) -> dict[str, Any]:
    points = grid_points(design, "")
    every = list(product(*points.values()))
    order = np.random.default_rng([search.seed, _GRID_STREAM]).permutation(len(every))
    return dict(zip(points, every[order[trial]], strict=True))


def _sampler(search: Search, trial: int, measured: int) -> BaseSampler:
    seed = stream(search.seed, trial)
    if search.sampler == "random" or measured < search.startup:
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True)


def parameters_of(design: Design, trial: int, earlier: Sequence[Result], direction: str) -> dict[str, Any]:
    """The values that a trial of a design's search is to try, by key.

    Args:
        earlier: the results of all trials of the rounds before the trial's, in their order.
        direction: of the objective, `higher` or `lower`.
    """
    search = design.search
    assert search is not None
    first = search.first_of_round(trial)
    if len(earlier) != first:
        raise ValueError(f"trial {trial} follows from the {first} trials of the rounds before, not from {len(earlier)}")
    if search.sampler == "grid":
        return _grid(design, search, trial)
    space = distributions(design)
    study = optuna.create_study(direction="maximize" if direction == "higher" else "minimize")
    for result in earlier:
        study.add_trial(frozen(result, space))
    measured = sum(result.value is not None for result in earlier)
    drawn: dict[str, Any] = {}
    for number in range(first, trial + 1):
        study.sampler = _sampler(search, number, measured)
        drawn = study.ask(fixed_distributions=space).params
    return _unlabelled(search, drawn)
