"""What a task names and a data set cannot have is told when the suite is planned: nothing is built first."""

import pandas as pd
import pytest

from vitalbench import cli
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.label_sets import label_classes
from vitalbench.config.planning import make_plan
from vitalbench.data.datasets import load, ptbxl
from vitalbench.data.synthetic.ptbxl import STATEMENTS
from vitalbench.errors import ConfigError


def ask(project, dataset: str, task: str, old: str = "", new: str = ""):
    """The plan of a suite of one data set and one task, whose file is edited."""
    path = project / f"configs/tasks/{task}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return ask_of(project, dataset, task)


def ask_of(project, dataset: str, task: str):
    """The plan of a suite of one data set and one task."""
    told = f'{{datasets: ["{dataset}"], tasks: ["{task}"], designs: [prevalence]}}'
    (project / "configs/suites/own.yaml").write_text(
        f"description: x\nsource: generated\nsize: small\ngrids: [{told}]\n"
    )
    folder = ConfigFolder(project / "configs")
    return make_plan(folder, folder.knobs({"suite": "own"}))


@pytest.mark.parametrize(
    ("dataset", "task", "old", "new", "told"),
    [
        (
            "georgia",
            "scored",
            "labels: scored",
            "labels: scred",
            "labels: 'georgia' has no label set 'scred'; .*: scored",
        ),
        ("georgia", "scored", "[\n  AF, AFL,", "[\n  AF, AFLL,", "no class 'AFLL'; .*nearest: AFL"),
        ("georgia", "scored", "[sex,", "[sexx,", "subgroups: 'georgia' has none named 'sexx'; .*nearest: sex"),
        ("challenge2021", "external-georgia", "train_on: georgia", "train_on: gerogia", "train_on: .*nearest: georgia"),
        ("challenge2021", "external-georgia", "chapman_shaoxing", "chapman_shaoxin", "test_on: .*: chapman_shaoxing$"),
        ("georgia", "beats-aami", "", "", "labels: 'georgia' has no label set 'nsvf'"),
        ("mitdb", "scored", "", "", "labels: 'mitdb' has no label set 'scored'; allowed: aami, nsvf$"),
        ("georgia", "external-georgia", "", "", "test_on: 'georgia' has no records of 'chapman_shaoxing'"),
        ("georgia", "scored-combined", "", "", "split.column: 'georgia' carries no column 'strat_fold'"),
        (
            "combined",
            "scored",
            "folds_column: strat_fold",
            "folds_column: stratfold",
            "split.folds_column: 'combined' has official folds in 'strat_fold'; .*nearest: strat_fold",
        ),
    ],
)
def test_a_name_that_the_data_set_cannot_have_is_refused(project, dataset, task, old, new, told):
    with pytest.raises(
        ConfigError, match=rf"tasks/{task}\.yaml: {told}" if told.startswith("labels") else told
    ) as error:
        ask(project, dataset, task, old, new)
    assert str(error.value).startswith(str(project / f"configs/tasks/{task}.yaml"))


@pytest.mark.parametrize(
    ("dataset", "task", "told"),
    [
        ("afdb@5", "af", r"afdb@5: 5 patients cannot be split .*into 10 folds; allowed: 10 or more"),
        ("edb@9", "st-change", "allowed: 10 or more"),
        ("mitdb@1", "beats-aami", "mitdb@1: 1 patients cannot be split .* allowed: 2 or more"),
    ],
)
def test_patients_too_few_for_the_split_are_told(project, dataset, task, told):
    with pytest.raises(ConfigError, match=told) as error:
        ask(project, dataset, task)
    assert str(error.value).startswith(str(project / "configs/suites/own.yaml: datasets"))


@pytest.mark.parametrize(
    ("dataset", "task", "told"),
    [
        (
            "ptbxl",
            "superdiagnostic@5000",
            r"superdiagnostic@5000: 5,000 patients to train on; 'ptbxl' has 2,600, and some are tested on",
        ),
        ("georgia@60", "normal@60", r"60 patients to train on; 'georgia@60' has 60"),
        (
            "georgia@20",
            "rare-conditions",
            r"one of the 19 there can be is 5.3%; allowed: 101 training patients or more",
        ),
        ("georgia@101", "rare-conditions", r"one of the 100 there can be is 1.0%"),
        ("georgia", "rare-conditions@100", r"rare-conditions@100: asks of 'georgia' .* one of the 100 there can be"),
    ],
)
def test_training_patients_that_there_cannot_be_are_told(project, dataset, task, told):
    with pytest.raises(ConfigError, match=told) as error:
        ask_of(project, dataset, task)
    assert str(error.value).startswith(str(project / "configs/suites/own.yaml: tasks"))


@pytest.mark.parametrize(("dataset", "task"), [("georgia@102", "rare-conditions"), ("ptbxl", "superdiagnostic@2599")])
def test_of_as_many_as_there_may_be_the_split_tells(project, dataset, task):
    assert ask_of(project, dataset, task).running


@pytest.mark.parametrize(
    ("task", "old", "new", "told"),
    [
        (
            "scored",
            "[\n  AF, AFL,",
            "[\n  AF,",
            r"label set 'scored' of 'georgia' has 'AFL' too, which the task does not name",
        ),
        ("scored", "kind: multilabel", "kind: binary", "a binary task has one class, this one has 26"),
        ("normal", "kind: binary", "kind: multiclass", "a multiclass task has two classes or more, this one has one"),
    ],
)
def test_classes_that_do_not_go_with_the_kind_or_the_labels_are_told(project, task, old, new, told):
    with pytest.raises(ConfigError, match=rf"tasks/{task}\.yaml: .*{told}"):
        ask(project, "georgia", task, old, new)


OF_GROUPS = ["scored", "normal", "arrhythmia", "st-segment", "complex-arrhythmia", "rare-conditions"]


@pytest.mark.parametrize("task", OF_GROUPS)
def test_the_plan_tells_when_official_folds_are_not_those_that_are_split_by(project, task, capsys):
    assert ask(project, "combined", task).drawn_instead() == []
    (line,) = ask(project, "combined", task, ", folds_column: strat_fold", "").drawn_instead()
    assert line.startswith(f"combined: has official folds in 'strat_fold'; task '{task}' draws patients")
    cli.run(["matrix", "--suite", "own", "--configs", str(project / "configs")])
    assert line in capsys.readouterr().out.splitlines()
    assert ask(project, "georgia", task).drawn_instead() == []


def test_matrix_ends_with_exit_code_2(project):
    with pytest.raises(ConfigError):
        ask(project, "georgia", "beats-aami")
    with pytest.raises(ConfigError) as error:
        cli.run(["matrix", "--suite", "own", "--configs", str(project / "configs")])
    assert error.value.exit_code == 2


def test_a_data_set_that_declares_nothing_is_left_to_the_split(project):
    path = project / "configs/datasets/mitdb.yaml"
    path.write_text("".join(line for line in path.open() if not line.startswith("gives:")))
    assert ask(project, "mitdb", "scored").running


def test_every_suite_that_is_here_asks_for_what_there_is(configs):
    for name in configs.names("suites"):
        make_plan(configs, configs.knobs({"suite": name}))


@pytest.mark.parametrize(
    "name", ["edb", "mitdb", "afdb", "synthetic-ecg", "georgia", "challenge2021", "chestxray14-64"]
)
def test_a_data_set_gives_what_its_module_reads(configs, tmp_path, name):
    dataset = configs.dataset(name)
    few = {"patients": 12 if name != "mitdb" else 48} | ({"seconds": 65.0} if dataset.standin.seconds else {})
    small = dataset.model_copy(update={"standin": dataset.standin.model_copy(update=few)})
    module = load(dataset.module)
    module.write_standin(tmp_path, small)
    index = module.read_index(tmp_path, small)
    sets = {column.removeprefix("labels:") for column in index.columns if column.startswith("labels:")}
    groups = {column.removeprefix("group:") for column in index.columns if column.startswith("group:")}
    assert sets == set(dataset.gives.label_sets)
    assert groups == set(dataset.gives.subgroups)
    for labels, classes in dataset.gives.label_sets.items():
        assert set(index[f"labels:{labels}"].explode().dropna()) <= set(classes), labels
    assert set(index.get("group:origin", pd.Series(dtype=str))) <= set(dataset.gives.origins)


def test_the_statements_make_the_classes_that_are_declared():
    statements = ptbxl.read_statements(STATEMENTS)
    read = ptbxl.label_sets([[name] for name in statements.index], statements)
    declared = label_classes("scp")
    assert set(read) == set(declared)
    for labels, carried in read.items():
        assert {name for row in carried for name in row} == set(declared[labels])
