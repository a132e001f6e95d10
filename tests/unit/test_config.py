"""A wrong configuration is one line: file, key, what is allowed, what comes nearest."""

from pathlib import Path

import pytest

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError


def refusal(project: Path, **given: object) -> str:
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError) as caught:
        make_plan(folder, folder.knobs(given))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / "configs" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_file_that_ships_is_valid(configs):
    for suite in configs.names("suites"):
        assert make_plan(configs, configs.knobs({"suite": suite})).cells
    for design in configs.names("designs"):
        assert configs.design(design, "full")
        assert configs.design(design, "small")
    for kind, read in (("datasets", configs.dataset), ("tasks", configs.task), ("targets", configs.target)):
        for name in configs.names(kind):
            assert read(name)


def test_unknown_key_names_file_key_allowed_and_nearest(project):
    edit(project, "designs/s4d.yaml", "learning_rate:", "learning_rat:")
    message = refusal(project)
    assert message.startswith(str(project / "configs/designs/s4d.yaml"))
    assert "'train.learning_rat'" in message
    assert message.endswith("nearest: learning_rate")


def test_unknown_model_option(project):
    edit(project, "designs/s4d.yaml", "options: {width: 128", "options: {widht: 128")
    message = refusal(project)
    assert "model.options" in message
    assert "'widht'" in message
    assert message.endswith("nearest: width")


def test_wrong_type_shows_the_value(project):
    edit(project, "designs/s4d.yaml", "epochs: 50", "epochs: many")
    message = refusal(project)
    assert "key 'train.epochs' is 'many'" in message
    assert "integer" in message


def test_true_is_not_one(project):
    edit(project, "designs/s4d.yaml", "epochs: 50", "epochs: true")
    assert "key 'train.epochs'" in refusal(project)


def test_wrong_choice_offers_the_nearest(project):
    edit(project, "designs/s4d.yaml", "optimizer: adamw", "optimizer: adanw")
    message = refusal(project)
    assert "allowed: adam, adamw, sgd" in message
    assert message.endswith("nearest: adamw")


@pytest.mark.parametrize(
    ("file", "old", "new", "nearest"),
    [
        ("suites/quick.yaml", "designs: [xresnet1d101, s4d]", "designs: [xresnet1d10, s4d]", "xresnet1d101"),
        ("suites/quick.yaml", "tasks: [superdiagnostic]", "tasks: [superdiagnostics]", "superdiagnostic"),
        ("suites/quick.yaml", "datasets: [ptbxl]", "datasets: [ptb-xl]", "ptbxl"),
        ("tasks/superdiagnostic.yaml", "primary: auroc", "primary: aurok", "auroc"),
        ("designs/s4d.yaml", "name: s4d", "name: s4dd", "s4d"),
    ],
)
def test_misspelt_name_offers_the_nearest(project, file, old, new, nearest):
    edit(project, file, old, new)
    assert refusal(project).endswith(f"nearest: {nearest}")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("targets/cpu.yaml", "threads: 2", "threads: 2\nstrategy: zero4", "key 'strategy' is 'zero4'"),
        ("targets/cpu.yaml", "threads: 2", "threads: 2\nprocesses: 0", "key 'processes' is 0"),
        ("targets/cpu.yaml", "threads: 2", "threads: 2\noffload: true", "allowed: zero1, zero2, zero3"),
        ("designs/s4d.yaml", "epochs: 50", "epochs: 50\n  precision: fp8", "key 'train.precision' is 'fp8'"),
        ("designs/s4d.yaml", "epochs: 50", "epochs: 50\n  micro_batch: 65", "micro_batch is 65, more than batch_size"),
    ],
)
def test_a_way_of_running_that_cannot_be_is_refused(project, file, old, new, said):
    edit(project, file, old, new)
    message = refusal(project)
    assert said in message
    assert file.split("/")[1] in message


def test_a_gpu_a_process(project):
    edit(project, "targets/h100.yaml", "threads: 8", "threads: 8\nprocesses: 8")
    assert "scheduler.gpus is 1, and processes is 8" in refusal(project, targets=["h100"])


def test_misspelt_setting_on_the_command_line(project):
    assert refusal(project, suit="quick").endswith("nearest: suite")
    assert "nearest: quick" in refusal(project, suite="quikc")
    assert "nearest: cpu" in refusal(project, targets=["cpuu"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mirror": "ftp://host/a"}, "mirror must begin with https or http://"),
        ({"mirror": "https://me:SECRET@host/a"}, "mirror must hold no user, password"),
        ({"mirror": "https://host/a?token=SECRET"}, "mirror must hold no user, password"),
        ({"publish_to": "/a/folder"}, "publish_to must begin with s3://"),
        ({"pull_from": "s3://me:SECRET@bucket/a"}, "pull_from must hold no user, password"),
        ({"publish_to": "s3://a/my folder"}, "publish_to must be s3://BUCKET/PREFIX of names"),
        ({"publish_to": "s3://a/../../x"}, "none of them . or .."),
        ({"pull_from": "s3://a/b//c"}, "pull_from must be s3://BUCKET/PREFIX of names"),
        ({"pull_from": "s3://a/{SECRET}"}, "pull_from must be s3://BUCKET/PREFIX of names"),
        ({"pull_from": "s3://a:80/b"}, "pull_from must be s3://BUCKET/PREFIX of names"),
        ({"publish_to": "s3://a/b", "pull_from": "s3://a/b"}, "publish_to and pull_from are both given"),
        ({"streams": 33}, "key 'streams' is 33"),
        ({"download": "yes"}, "key 'download' is 'yes'"),
    ],
)
def test_a_wrong_download_setting_is_told_without_its_secret(project, given, said):
    message = refusal(project, **given)
    assert said in message
    assert "SECRET" not in message


@pytest.mark.parametrize("address", ["s3://bench", "s3://bench/", "s3://my-bench.x/project/a_b=1+c/"])
def test_an_address_of_plain_names_is_taken(configs, address):
    assert configs.knobs({"publish_to": address}).publish_to == address


@pytest.mark.parametrize(
    ("new", "said"), [("2022-13-09", "is no day"), ("2022-1-9", "is no day"), ("soon", "is no day")]
)
def test_a_release_was_published_on_a_day(project, new, said):
    edit(project, "datasets/ptbxl.yaml", "published: 2022-11-09", f"published: {new}")
    message = refusal(project)
    assert "published" in message
    assert said in message


def test_what_is_not_here_is_told_with_where_to_get_it(project):
    edit(project, "datasets/ptbxl.yaml", "access: open", "access: credentialed")
    text = (project / "configs/datasets/ptbxl.yaml").read_text()
    head, rest = text.split("\ndownload:", 1)
    after = rest.split("\n", 1)[1].split("\n")
    kept = [line for at, line in enumerate(after) if not all(part.startswith(" ") for part in after[: at + 1])]
    (project / "configs/datasets/ptbxl.yaml").write_text("\n".join([head, *kept]))
    folder = ConfigFolder(project / "configs")
    (line,) = make_plan(folder, folder.knobs({"suite": "ptbxl", "download": True})).absent()
    assert line.startswith("ptbxl: no records here: ")
    assert "needs credentialed access; get it at https://" in line
    assert "data_root=FOLDER that holds ptbxl/" in line


def test_a_publisher_is_asked_over_an_encrypted_line(project):
    edit(project, "datasets/ptbxl.yaml", "https://physionet.org/files", "http://physionet.org/files")
    assert "url must begin with https://" in refusal(project, suite="ptbxl")


def test_a_single_target_or_seed_may_be_given_without_a_list(configs):
    plan = make_plan(configs, configs.knobs({"targets": "cpu", "seeds": 3}))
    assert {cell.seed for cell in plan.running} == {3}


def test_duplicate_key_is_refused(project):
    edit(project, "designs/s4d.yaml", "recipe: supervised", "recipe: supervised\nrecipe: prevalence")
    assert "'recipe' stands here twice" in refusal(project)


def test_broken_yaml_names_the_line(project):
    edit(project, "designs/s4d.yaml", "recipe: supervised", "recipe: [supervised")
    assert "s4d.yaml: line " in refusal(project)


def test_exponents_without_a_point_are_numbers_and_dates_are_text(tmp_path):
    (tmp_path / "a.yaml").write_text("rate: 1e-3\nday: 2026-09-06\n")
    assert read_yaml(tmp_path / "a.yaml") == {"rate": 0.001, "day": "2026-09-06"}


def test_yaml_cannot_make_objects(tmp_path):
    (tmp_path / "a.yaml").write_text("a: !!python/object/apply:os.system [true]\n")
    with pytest.raises(ConfigError):
        read_yaml(tmp_path / "a.yaml")


def test_a_window_longer_than_the_records_is_refused(project):
    edit(project, "designs/s4d.yaml", "seconds: 2.5", "seconds: 25")
    assert "has 10 s" in refusal(project)


def test_a_supervised_design_needs_a_model(project):
    (project / "configs/designs/s4d.yaml").write_text("recipe: supervised\n")
    assert "'model' and 'train'" in refusal(project)


def test_a_cell_asked_for_twice_is_refused(project):
    edit(project, "suites/quick.yaml", "designs: [xresnet1d101, s4d]", "designs: [xresnet1d101, s4d, prevalence]")
    assert "asked for twice" in refusal(project)


def test_small_overrides_only_what_it_names(configs):
    full, small = configs.design("s4d", "full"), configs.design("s4d", "small")
    assert small.train.epochs != full.train.epochs
    assert small.train.learning_rate == full.train.learning_rate
    assert small.model.options["dropout"] == full.model.options["dropout"]


def test_val_and_test_folds_must_differ(project):
    edit(project, "tasks/superdiagnostic.yaml", "val: [9]", "val: [10]")
    assert "disjoint" in refusal(project)


def test_a_fold_beyond_the_split_is_refused(project):
    edit(project, "suites/quick.yaml", "seeds: [0, 1]", "seeds: [0, 1]\n    folds: [10]")
    assert "folds 0 to 9" in refusal(project)


def test_a_class_may_not_be_named_as_the_mean_over_classes(project):
    edit(project, "tasks/superdiagnostic.yaml", "NORM", "macro")
    assert "no class may be named 'macro'" in refusal(project)
