"""What a search may try is held against the design's own rules before anything runs, in one line."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vitalbench.config.design import Design
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.planning import make_plan
from vitalbench.config.search_space import check_space, corners, grid_points, whole, with_parameters
from vitalbench.config.strict import validated
from vitalbench.errors import ConfigError

RANGE = {"low": 0.001, "high": 0.1, "log": True}


def written(**search) -> dict:
    """A design's file with a search of this."""
    return {
        "recipe": "supervised",
        "model": {"name": "s4d", "options": {"width": 8, "depth": 1, "state": 4}},
        "window": {"seconds": 2.5, "stride_seconds": 2.5, "aggregate": "mean"},
        "train": {"epochs": 4, "batch_size": 64, "learning_rate": 0.01},
        "search": {"space": {"train.learning_rate": RANGE}, "trials": 4, "sampler": "random"} | search,
    }


def design(**search) -> Design:
    return validated(Design, written(**search), "d.yaml")


def of_space(**space) -> Design:
    return design(space={key.replace("__", "."): value for key, value in space.items()})


def refusal(project, content: dict) -> str:
    (project / "configs/designs/sought.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as refused:
        ConfigFolder(project / "configs").design("sought", "full")
    line = str(refused.value)
    assert "\n" not in line
    assert "sought.yaml" in line
    return line


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"space": {}}, "key 'search': space is empty: a search needs a key to tune"),
        ({"trials": 0}, "key 'search.trials' is 0: input should be greater than or equal to 1"),
        ({"round": 0}, "key 'search.round' is 0"),
        ({"sampler": "tree"}, "key 'search.sampler' is 'tree'; allowed: grid, random, tpe"),
        ({"trial": 3}, "key 'search.trial' is not known here; allowed: .*; nearest: trials"),
        ({"sampler": "tpe"}, r"trials is 4: sampler 'tpe' learns from earlier trials, .*startup \(10\).* say sampler: random"),
        ({"epochs": 5}, "search.epochs is 5, more than train.epochs, which is 4"),
        ({"epochs": 2, "space": {"train.epochs": {"low": 1, "high": 3}}}, "leave one out"),
        ({"space": {"train.learning_rat": RANGE}}, "key 'train.learning_rat' is none .*; nearest: train.learning_rate"),
        ({"space": {"model.options.dept": {"choice": [1, 2]}}}, "nearest: model.options.depth"),
        ({"space": {"model.name": {"choice": ["s4d", "xresnet1d"]}}}, "key 'model.name' is none of the design's"),
        ({"space": {"search.trials": {"low": 1, "high": 2}}}, "key 'search.trials' is none of the design's"),
        ({"space": {"train.learning_rate": {"low": 0, "high": 1}}}, "key 'train.learning_rate' is 0"),
        ({"space": {"train.learning_rate": {"low": 0.1, "high": 0.1}}}, "low is 0.1 and high is 0.1: low must lie below"),
        ({"space": {"train.learning_rate": {"low": 0.1}}}, "needs `high`, or `choice`"),
        ({"space": {"train.weight_decay": {"low": 0.0, "high": 1.0, "log": True}}}, "must be above 0"),
        ({"space": {"train.learning_rate": RANGE | {"step": 0.001}}}, "has `step` and `log`"),
        ({"space": {"train.learning_rate": RANGE | {"choice": [1, 2]}}}, "has `choice` and `low`"),
        ({"space": {"train.learning_rate": {"low": 0.1, "high": float("nan")}}}, "finite number"),
        ({"space": {"train.batch_size": {"low": 16, "high": 70, "step": 16}}}, "from low, 16, to high, 70; .* is 64"),
        ({"space": {"train.batch_size": {"low": 16, "high": 64, "step": 0.5}}}, "key 'train.batch_size' is 16.5"),
        ({"space": {"train.batch_size": {"low": 1.5, "high": 64}}}, "key 'train.batch_size' is 1.5"),
        ({"space": {"train.batch_size": {"choice": [32]}}}, "a choice of one: there is nothing to search"),
        ({"space": {"train.batch_size": {"choice": [32, 32]}}}, "names 32 twice"),
        ({"space": {"train.batch_size": {"choice": [32, "64"]}}}, "key 'train.batch_size' is '64'"),
        ({"space": {"train.schedule": {"choice": ["cosine", "cosin"]}}}, "is 'cosin'; .* nearest: cosine"),
        ({"space": {"model.options.depth": {"low": 1, "high": 2.5}}}, "key 'depth' is 2.5"),
        ({"space": {"train.micro_batch": {"low": 8, "high": 128}}}, "micro_batch is 128, more than batch_size"),
        (
            {"space": {"train.augment": {"choice": [None, {"noise": {"mv": 0.1}}]}, "train.augment.noise.mv": RANGE}},
            "space has 'train.augment' and 'train.augment.noise.mv', which lies within it",
        ),
        ({"sampler": "grid"}, r"search.space.train.learning_rate: sampler 'grid' needs `choice`, or"),
        (
            {"sampler": "grid", "space": {"train.batch_size": {"choice": [32, 64]}}},
            "search.trials is 4, but the grid has 2 points",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_in_one_line(project, search, told):
    line = refusal(project, written(**search))
    assert re.search(told, line), line


def test_the_small_size_is_looked_at_whichever_runs(project):
    content = written() | {"small": {"search": {"space": {"train.learning_rate": {"low": -1.0}}}}}
    line = refusal(project, content)
    assert "sought.yaml: small: " in line
    content = written() | {"small": {"search": {"space": {"train.learning_rate": None}}}}
    assert "small: key 'search': space is empty" in refusal(project, content)


def test_a_key_may_be_taken_out_and_the_search_too_at_the_small_size(project):
    space = {"train.learning_rate": RANGE, "train.batch_size": {"choice": [32, 64]}}
    small = {"search": {"space": {"train.batch_size": None}}}
    path = project / "configs/designs/sought.yaml"
    path.write_text(yaml.safe_dump(written(space=space) | {"small": small}))
    sizes = ConfigFolder(project / "configs").design_sizes("sought")
    assert sizes["full"].search.space.keys() == space.keys()
    assert sizes["small"].search.space.keys() == {"train.learning_rate"}
    path.write_text(yaml.safe_dump(written() | {"small": {"search": None}}))
    assert ConfigFolder(project / "configs").design("sought", "small").search is None


def test_a_recipe_that_trains_nothing_has_nothing_to_search(project):
    content = {"recipe": "prevalence", "search": written()["search"]}
    assert "recipe 'prevalence' trains nothing to search for" in refusal(project, content)


def test_a_searched_window_is_held_against_the_records(project):
    content = written(space={"window.seconds": {"low": 2.5, "high": 30.0}})
    (project / "configs/designs/sought.yaml").write_text(yaml.safe_dump(content))
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("designs: [xresnet1d101, s4d]", "designs: [sought]"))
    with pytest.raises(ConfigError, match=r"sought.yaml: window.seconds is 30, but a record of 'ptbxl' has 10 s"):
        make_plan(ConfigFolder(project / "configs"), Knobs())


def test_values_take_the_place_of_the_designs_own_and_the_search_is_gone():
    changed = with_parameters(
        design(),
        {
            "train.learning_rate": 0.5, "model.options.depth": 3, "train.early_stopping": {"patience": 2},
            "train.augment.noise.mv": 0.1, "train.clip_norm": None,
        },
        "d.yaml",
    )  # fmt: skip
    assert changed.search is None
    assert (changed.train.learning_rate, changed.model.options["depth"]) == (0.5, 3)
    assert changed.train.early_stopping.patience == 2
    assert changed.train.augment.noise.mv == 0.1
    assert changed.train.clip_norm is None
    assert changed.train.batch_size == design().train.batch_size


def test_a_range_is_one_of_whole_numbers_where_the_key_takes_no_other():
    made = of_space(
        train__batch_size={"low": 16, "high": 64},
        train__weight_decay={"low": 0, "high": 1},
        model__options__dropout={"low": 0, "high": 1},
        model__options__depth={"low": 1, "high": 3},
    )
    found = {key: whole(made, key, dimension) for key, dimension in made.search.space.items()}
    assert found == {
        "train.batch_size": True, "train.weight_decay": False, "model.options.dropout": False, "model.options.depth": True,
    }  # fmt: skip


def test_keys_that_go_together_only_at_some_values_are_tried_together():
    ends = {"train.batch_size": {"choice": [32, 64]}, "train.micro_batch": {"choice": [16, 32]}}
    check_space(design(space=ends), "d.yaml")
    with pytest.raises(ConfigError, match="micro_batch is 64, more than batch_size, which is 32"):
        check_space(design(space=ends | {"train.micro_batch": {"choice": [16, 64]}}), "d.yaml")


AUGMENT = {
    "stretch": {"factor": 1.1}, "amplitude": {"factor": 1.1}, "wander": {"mv": 0.1}, "powerline": {"mv": 0.1},
    "noise": {"mv": 0.1}, "mask": {"seconds": 0.5}, "drop_leads": {"at_most": 2},
}  # fmt: skip


def test_a_large_space_is_tried_one_end_at_a_time():
    space = {f"train.augment.{name}": {"choice": [None, value]} for name, value in AUGMENT.items()}
    space["train.beta2"] = {"choice": [0.9, 0.95, 1.0]}
    assert 2 ** len(AUGMENT) * 3 > 256
    with pytest.raises(ConfigError, match=r"key 'train.beta2' is 1.0"):
        check_space(design(space=space), "d.yaml")


def test_a_design_without_a_search_is_its_own_only_corner():
    plain = design().model_copy(update={"search": None})
    assert list(corners(plain, "d.yaml")) == [plain]


@given(low=st.integers(1, 50), steps=st.integers(1, 20), step=st.sampled_from([0.001, 0.1, 0.25, 1.0]))
@settings(deadline=None)
def test_a_grid_ends_where_its_range_does(low, steps, step):
    high = round(low + steps * step, 6)
    made = design(
        space={"train.learning_rate": {"low": float(low), "high": high, "step": step}}, sampler="grid", trials=1
    )
    points = grid_points(made, "d.yaml")["train.learning_rate"]
    assert len(points) == steps + 1
    assert (points[0], points[-1]) == (low, high)
