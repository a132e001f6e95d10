"""`vitalbench memory`: the arithmetic that a training is held against, for every target and strategy, before anything runs."""

import pytest

from vitalbench import cli
from vitalbench.config.design import Train
from vitalbench.config.fast import Fast
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import ConfigError
from vitalbench.files import read_json
from vitalbench.models import build
from vitalbench.tables import number, read_table
from vitalbench.train.activations import Activations
from vitalbench.train.memory_plan import plan_memory
from vitalbench.train.memory_table import STRATEGIES, largest_micro_batch, memory_rows

SETTINGS = Train(epochs=1, batch_size=64, learning_rate=0.1)
PARAMETERS, A_RECORD = 100_000_000, 3.7e6


def planner(target):
    def plan_of(records):
        sizes = {"batch_size": records * target.processes, "micro_batch": records}
        return plan_memory(PARAMETERS, Activations(5e6, A_RECORD), SETTINGS.model_copy(update=sizes), target)

    return plan_of


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("processes", [1, 3, 8])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("memory_gb", [1.0, 2.5, 24.0, 80.0])
def test_the_largest_micro_batch_fits_and_one_more_does_not(configs, strategy, processes, device, memory_gb):
    changes = {"strategy": strategy, "processes": processes, "device": device, "memory_gb": memory_gb}
    plan_of = planner(configs.target("cpu").model_copy(update=changes))
    largest = largest_micro_batch(plan_of)
    assert largest is not None
    assert not plan_of(largest + 1).fits
    assert largest == 0 or (plan_of(largest).fits and plan_of(largest).records == largest)


def test_where_no_memory_is_declared_nothing_is_said(configs):
    assert largest_micro_batch(planner(configs.target("cpu"))) is None


def test_a_row_holds_what_a_training_would_say_there(configs):
    design, dataset, task = configs.design("s4d", "small"), configs.dataset("ptbxl"), configs.task("superdiagnostic")
    targets = {name: configs.target(name) for name in ("cpu", "h100", "a100-40")}
    rows = list(memory_rows(design, dataset, task, targets, [8]))
    assert len(rows) == 3 * 2 * len(STRATEGIES)
    assert {row["basis"] for row in rows} == {"computed"}
    assert [(row["target"], row["strategy"]) for row in rows if row["declared"]] == [
        ("cpu", "ddp"), ("h100", "ddp"), ("a100-40", "ddp"),
    ]  # fmt: skip
    alone, shared = (
        next(row for row in rows if (row["target"], row["strategy"], row["processes"]) == ("h100", "zero3", n))
        for n in (1, 8)
    )
    for part in ("parameters_mb", "gradients_mb", "optimiser_mb"):
        assert shared[part] == pytest.approx(alone[part] / 8)
    assert shared["records"] == design.train.batch_size / 8


@pytest.mark.parametrize("features", [True, False])
def test_a_frozen_encoder_lies_in_memory_and_is_not_trained(configs, features):
    design, dataset, task = (
        configs.design("s4-36x256", "small"),
        configs.dataset("ptbxl"),
        configs.task("superdiagnostic"),
    )
    design = design.model_copy(update={"fast": Fast(features=features)})
    model = build(design.model.name, design.model.options, leads=8, samples=1000, classes=5)
    whole, head = (sum(parameter.numel() for parameter in part.parameters()) for part in (model, model.head))
    rows = memory_rows(design, dataset, task, {"h100": configs.target("h100")}, [])
    found = {row["strategy"]: row for row in rows}
    assert found["ddp"]["parameters_mb"] == pytest.approx(4 * whole / 1e6)
    assert found["ddp"]["gradients_mb"] == pytest.approx(4 * head / 1e6)


def memory(*arguments):
    return cli.run(["memory", *arguments])


def test_the_command_prints_and_writes_what_a_training_is_held_against(tmp_path, capsys):
    out = tmp_path / "memory.csv"
    assert (
        memory("--design", "s4d", "--dataset", "ptbxl", "--target", "h200", "--size", "small", "--out", str(out)) == 0
    )
    printed = capsys.readouterr().out
    assert "computed" in printed
    rows = read_table("memory", out)
    assert [row["strategy"] for row in rows] == list(STRATEGIES)
    assert [row["declared"] for row in rows] == ["true", "false", "false", "false"]
    assert all(number(row["needed_gb"]) < number(row["memory_gb"]) == 141.0 for row in rows)
    assert all(row["fits"] == "true" and number(row["largest_micro_batch"]) > 1000 for row in rows)


def test_a_suites_table_holds_all_its_designs_that_have_a_model(configs, tmp_path, capsys):
    write_slices(make_plan(configs, configs.knobs({"targets": ["cpu", "h100"]})), configs, tmp_path)
    assert memory("--results", str(tmp_path / "quick")) == 0
    rows = read_table("memory", tmp_path / "quick/tables/memory.csv")
    suite = read_json(tmp_path / "quick/config/suite.json")
    designs = suite["designs"]
    assert {row["design"] for row in rows} == {name for name, design in designs.items() if design["model"]}
    assert {row["target"] for row in rows} == set(suite["targets"]) > {"cpu", "h100"}  # and those that are projected to


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--design", "s4d"], "needs --design NAME and --dataset NAME"),
        (["--design", "s4", "--dataset", "ptbxl"], "--design: no design is named 's4'; allowed: "),
        (["--design", "prevalence", "--dataset", "ptbxl"], "design 'prevalence' has no model to train"),
        (["--design", "s4d", "--dataset", "ptbxl", "--target", "h10"], "--target: no target is named 'h10'; allowed: "),
        (["--design", "s4d", "--dataset", "ptbxl", "--processes", "0"], "--processes 0: allowed: 1 or more"),
    ],
)
def test_what_cannot_be_computed_is_one_line(arguments, said):
    with pytest.raises(ConfigError) as caught:
        memory(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_beside_a_whole_suite_are_not_left_unheard():
    for option, value in (("--design", "s4d"), ("--target", "h100"), ("--size", "small")):
        with pytest.raises(ConfigError, match=f"--results and {option} do not go together"):
            cli.run(["memory", "--results", "results/quick", option, value])
