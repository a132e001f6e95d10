"""Knobs mean the same from config.yaml, `snakemake --config` and `vitalbench matrix`; a wrong one names where it was turned."""

from pathlib import Path

import pytest
from snakemake.cli import parse_config

from tests.conftest import resolved
from tests.unit.test_config import refusal
from vitalbench import layout
from vitalbench.commands.matrix import given_settings
from vitalbench.config.checkpointing import Checkpointing
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import Cell
from vitalbench.config.strict import validated
from vitalbench.config.workflow import load
from vitalbench.errors import ConfigError
from vitalbench.files import read_json
from vitalbench.results import Results
from vitalbench.train.job import backup_of

READERS = [parse_config, given_settings]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("written", "seeds"), [("[0,1]", [0, 1]), ("7", [7]), ("[7]", [7]), ("['3', 4]", [3, 4]), ("null", None)]
)
def test_seeds_are_numbers_however_they_are_handed_over(configs, read, written, seeds):
    assert configs.knobs(read([f"seeds={written}"])).seeds == seeds


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("seeds=[-1]", "key 'seeds.0' is -1: input should be greater than or equal to 0"),
        ("seeds=-1", "key 'seeds.0' is -1: input should be greater than or equal to 0"),
        ("seeds=[2,2]", "key 'seeds': names 2 twice"),
        ("seeds=[]", "key 'seeds': list should have at least 1 item"),
        ("seeds=[one]", "key 'seeds.0' is 'one'"),
        ("seeds=[true]", "key 'seeds.0' is "),
        ("targets=[]", "key 'targets': list should have at least 1 item"),
    ],
)
def test_what_is_no_list_of_seeds_or_targets_is_told(configs, read, pair, said):
    with pytest.raises(ConfigError) as caught:
        configs.knobs(read([pair]))
    assert str(caught.value).startswith(f"--config: {said}")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ("checkpoint_minutes=5", "checkpoint_minutes", 5.0),
        ("checkpoint_minutes=0.5", "checkpoint_minutes", 0.5),
        ("checkpoint_keep=none", "checkpoint_keep", "none"),
        ("warning_signal=USR2", "warning_signal", "USR2"),
        ("backup=/elsewhere", "backup", "/elsewhere"),
        ("backup=null", "backup", None),
    ],
)
def test_how_runs_are_saved_is_turned_like_any_knob(configs, read, pair, key, value):
    assert getattr(configs.knobs(read([pair])), key) == value


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("checkpoint_minutes=0", "key 'checkpoint_minutes' is 0: input should be greater than 0"),
        ("checkpoint_keep=best", "key 'checkpoint_keep' is 'best'; allowed: best-and-last, last, none; nearest: last"),
        ("warning_signal=SIGUSR1", "key 'warning_signal' is 'SIGUSR1'; allowed: HUP, USR1, USR2, XCPU; nearest: USR1"),
        ("backup=5", "key 'backup' is 5: input should be a valid string"),
    ],
)  # fmt: skip
def test_a_wrong_way_of_saving_is_told(configs, read, pair, said):
    with pytest.raises(ConfigError) as caught:
        configs.knobs(read([pair]))
    assert str(caught.value).startswith(f"--config: {said}")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ("trackers=wandb", "trackers", ["wandb"]),
        ("trackers=[wandb,mlflow]", "trackers", ["wandb", "mlflow"]),
        ("trackers=[]", "trackers", []),
        ("budget_usd=2", "budget_usd", 2.0),
        ("budget_hours=0.5", "budget_hours", 0.5),
        ("budget_suite_usd=null", "budget_suite_usd", None),
    ],
)
def test_how_runs_are_watched_is_turned_like_any_knob(configs, read, pair, key, value):
    assert getattr(configs.knobs(read([pair])), key) == value


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("trackers=[wandb,wandb]", "key 'trackers': names wandb twice"),
        ("trackers=wanb", "key 'trackers.0' is 'wanb'; allowed: mlflow, wandb; nearest: wandb"),
        ("budget_usd=0", "key 'budget_usd' is 0: input should be greater than 0"),
        ("budget_usd=.inf", "key 'budget_usd' is "),
        ("budget_hours=cheap", "key 'budget_hours' is 'cheap': input should be a valid number"),
    ],
)
def test_a_wrong_way_of_watching_is_told(configs, read, pair, said):
    with pytest.raises(ConfigError) as caught:
        configs.knobs(read([pair]))
    assert str(caught.value).startswith(f"--config: {said}")


@pytest.mark.parametrize("key", ["budget_usd", "budget_suite_usd"])
def test_usd_are_not_held_against_hours_without_a_price(project, key):
    said = refusal(project, targets=["cpu", "h200"], **{key: 2.0})
    file = project / "configs/targets/h200.yaml"
    assert said == (
        f"--config {key}: target 'h200' names no price, so its hours cannot be held against USD; "
        f"name one in {file}: prices, or give budget_hours instead"
    )
    load({"targets": ["cpu", "h200"], "budget_hours": 2.0}, project / "configs")


@pytest.mark.parametrize(
    ("key", "value"),
    [("targets", ["h10"]), ("suite", "quikc"), ("price_file", "missing.csv"), ("data_root", "missing")],
)
def test_a_wrong_knob_names_where_it_was_turned(project, key, value):
    quick = project / "configs/suites/quick.yaml"
    quick.write_text(quick.read_text().replace("source: generated", "source: records"))
    assert refusal(project, **{key: value}).startswith(f"--config {key}: ")
    file = project / "configs/config.yaml"
    file.write_text(f"{key}: {value}\n")
    assert refusal(project).startswith(f"{file}: {key}: ")


def test_a_suites_own_target_is_still_told_by_the_suites_file(project):
    quick = project / "configs/suites/quick.yaml"
    quick.write_text(quick.read_text() + "targets: [h10]\n")
    assert refusal(project).startswith(f"{quick}: targets: no target is named 'h10'")


def test_one_list_of_seeds_for_all_grids_asks_for_no_cell_twice(project):
    quick = project / "configs/suites/quick.yaml"
    quick.write_text(
        "description: d\nsource: generated\nsize: small\ngrids:\n"
        "  - {datasets: [ptbxl], tasks: [superdiagnostic], designs: [s4d], seeds: [0]}\n"
        "  - {datasets: [ptbxl], tasks: [superdiagnostic], designs: [s4d], seeds: [1]}\n"
    )
    assert len(load({"seeds": [5]}, project / "configs").cells) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suite: [quick\n", "config.yaml: line 2: "),
        ("suite: quick\n\tseeds: 1\n", "config.yaml: line 2: "),
        ("- suite\n", "config.yaml: the file must be a mapping, `key: value`, not a list"),
        ("quick\n", "config.yaml: the file must be a mapping, `key: value`, not text"),
        ("suit: quick\n", "nearest: suite"),
    ],
)
def test_a_broken_config_yaml_is_one_line_and_exit_2(project, monkeypatch, capsys, text, said):
    monkeypatch.chdir(project)
    (project / "configs/config.yaml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        load({}, project / "configs")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_config_yaml_means_the_defaults(project, text):
    (project / "configs/config.yaml").write_text(text)
    knobs = ConfigFolder(project / "configs").knobs({})
    assert (knobs.suite, knobs.seeds, knobs.streams) == ("quick", None, 8)


def test_the_command_line_stands_above_the_file(project):
    (project / "configs/config.yaml").write_text("seeds: [1]\nstreams: 3\n")
    knobs = ConfigFolder(project / "configs").knobs({"seeds": [2]})
    assert (knobs.seeds, knobs.streams) == ([2], 3)


def test_a_backup_names_a_folder(project):
    (project / "configs/config.yaml").write_text('backup: " "\n')
    assert "key 'backup' is ' ': names no folder" in refusal(project)


def test_a_backup_below_a_home_is_one_place_wherever_a_job_runs(project, monkeypatch):
    """A job in an image has the project for its home."""
    monkeypatch.setenv("HOME", "/home/who")
    resolved(project, backup="~/copies")
    monkeypatch.setenv("HOME", str(project))
    results = Results(project / "results/quick")
    slice_of = results.folder / layout.CHECKPOINT_SLICE
    backup = validated(Checkpointing, read_json(slice_of), slice_of).backup
    cell = Cell("ptbxl", "superdiagnostic", "s4d", "cpu", 0, 0)
    assert backup_of(results, cell, backup) == Path("/home/who/copies/quick/runs", cell.path)


@pytest.mark.parametrize("key", ["backup", "data_root"])
def test_a_home_of_nobody_is_told(project, key):
    (project / "configs/config.yaml").write_text(f"{key}: ~no-such-user/x\n")
    assert f"key '{key}' is '~no-such-user/x': begins with ~no-such-user, and there is no such user here" in refusal(
        project
    )
