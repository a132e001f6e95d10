"""Knobs mean the same from config.yaml, `snakemake --config` and `vitalbench matrix`; a wrong one names where it was turned."""

import pytest
from snakemake.cli import parse_config

from tests.unit.test_config import refusal
from vitalbench.commands.matrix import given_settings
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.workflow import load
from vitalbench.errors import ConfigError

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
