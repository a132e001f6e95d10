"""External validation: who is trained on and tested, and the drop by known answers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.schema import Task
from vitalbench.config.strict import validated
from vitalbench.errors import ConfigError, InputError
from vitalbench.evaluate.run import evaluate_run
from vitalbench.files import read_json, write_json
from vitalbench.report.external_rows import external_rows
from vitalbench.split.assign import assign

TASK = {
    "description": "x",
    "kind": "multilabel",
    "unit": "record",
    "labels": "s",
    "classes": ["A", "B", "C"],
    "primary": "auroc",
    "direction": "higher",
    "margin": 0.02,
    "unlabelled": "keep",
    "subgroups": ["origin"],
    "split": {"method": "external", "column": "group:origin", "train_on": "one", "test_on": ["two"]},
}


def task(**split) -> Task:
    return validated(Task, TASK | {"split": TASK["split"] | split}, "task.yaml")


@pytest.fixture
def records():
    origin = ["one"] * 400 + ["two"] * 60 + ["three"] * 40
    names = [f"r{number}" for number in range(500)]
    return pd.DataFrame({"record_id": names, "patient_id": names, "group:origin": origin, "labels:s": [["A"]] * 500})


def test_the_other_source_is_tested_on_and_a_third_is_unused(records):
    found = assign(records, task(), 0).assign(origin=records["group:origin"])
    counts = found.groupby("origin")["split"].agg(lambda splits: sorted(set(splits)))
    assert counts["one"] == ["test", "train", "val"]
    assert counts["two"] == ["test"]
    assert counts["three"] == ["unused"]


def test_the_first_source_is_split_as_it_would_be_alone(records):
    alone = validated(Task, TASK | {"split": {"method": "patient-hash"}}, "task.yaml")
    one = records[records["group:origin"] == "one"]
    assert assign(one, alone, 0)["split"].tolist() == assign(records, task(), 0)["split"].tolist()[:400]


def test_a_source_that_is_not_there_is_told_with_the_nearest(records):
    with pytest.raises(InputError, match=r"no record of 'tow' in group:origin; .*nearest: two"):
        assign(records, task(test_on=["tow"]), 0)


def test_a_source_with_official_folds_is_split_by_them(records):
    records["fold"] = [number % 10 + 1 for number in range(400)] + [0] * 100  # those of other sources are nobody's
    found = assign(records, task(folds_column="fold"), 0)["split"]
    own = found[:400].groupby(records["fold"][:400]).unique()
    assert {fold: list(split) for fold, split in own.items()} == {
        **{fold: ["train"] for fold in range(1, 9)}, 9: ["val"], 10: ["test"]
    }  # fmt: skip
    assert set(found[400:460]) == {"test"}


def test_official_folds_have_to_be_named_where_there_are_some(project):
    path = project / "configs/tasks/external-ptbxl.yaml"
    told = '{datasets: ["combined"], tasks: [external-ptbxl], designs: [prevalence]}'
    (project / "configs/suites/own.yaml").write_text(
        f"description: x\nsource: generated\nsize: small\ngrids: [{told}]\n"
    )
    folder = ConfigFolder(project / "configs")
    assert make_plan(folder, folder.knobs({"suite": "own"})).running
    path.write_text(path.read_text().replace(" folds_column: strat_fold,", ""))
    with pytest.raises(ConfigError, match=r"folds_column: 'ptb-xl' in 'combined' has official folds in 'strat_fold'"):
        make_plan(folder, folder.knobs({"suite": "own"}))


@pytest.mark.parametrize(
    ("split", "told"),
    [
        (
            {"method": "patient-dealt", "train_on": None, "test_on": [], "folds_column": "f"},
            "is of the methods 'external' and 'patient-hash'",
        ),
        ({"train_on": None}, "needs 'train_on'"),
        ({"test_on": []}, "needs 'train_on'"),
        ({"test_on": ["two", "one"]}, "test_on names 'one', which is trained on"),
        ({"test_on": ["two", "two"]}, "names a source twice"),
        ({"method": "patient-hash"}, "and no other"),
        ({"column": None}, "needs the key 'column'"),
        ({"column": "group:site"}, "needs a 'column' that is a subgroup"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(split, told):
    with pytest.raises(ConfigError, match=told):
        task(**split)


@pytest.fixture
def results(tmp_path):
    """A run whose scores are perfect on its own source and noise on the other, which has no record of class C."""
    rng = np.random.default_rng(0)
    truth = (rng.random((300, 3)) < 0.4).astype(int)
    origin = np.array(["one"] * 150 + ["two"] * 150)
    truth[150:, 2] = 0
    scores = np.where(origin[:, None] == "one", 0.1 + 0.8 * truth, rng.random((300, 3)))
    columns = {"record_id": [f"r{n}" for n in range(300)], "patient_id": [f"p{n}" for n in range(300)], "split": "test"}
    columns |= {f"y_true:{name}": truth[:, k] for k, name in enumerate("ABC")}
    columns |= {f"y_prob:{name}": scores[:, k] for k, name in enumerate("ABC")}
    pd.DataFrame(columns | {"group:origin": origin}).to_parquet(tmp_path / "predictions.parquet")
    write_json(tmp_path / "status.json", {"status": "measured", "run_id": "x"})
    write_json(tmp_path / "config.json", {"design": {"recipe": "supervised"}, "task": task().model_dump()})
    evaluate_run(tmp_path, "multilabel", 200, 0)
    run = SimpleNamespace(
        folder=tmp_path, read=lambda name: read_json(tmp_path / name), cell=SimpleNamespace(seed=0, fold=0)
    )
    found = SimpleNamespace(scored_groups={("set", "ext", "design", "cpu"): [run]}, task=lambda name: task())
    return found, truth, scores, origin


def test_the_drop_is_over_the_classes_of_both_sources(results):
    found, truth, scores, origin = results
    rows = {row["label"]: row for row in external_rows(found)}
    assert set(rows) == {"macro", "A", "B"}
    other = origin == "two"
    expected = np.mean([roc_auc_score(truth[other, k], scores[other, k]) for k in (0, 1)])
    assert rows["macro"]["internal"] == 1.0
    assert rows["macro"]["drop"] == pytest.approx(1 - expected)
    assert rows["macro"]["n_labels"] == 2
    assert (rows["macro"]["n_internal"], rows["macro"]["n_external"]) == (150, 150)


def test_its_interval_is_of_both_samples(results):
    row = next(iter(external_rows(results[0])))
    assert row["ci_low"] < row["drop"] < row["ci_high"]
    assert row["ci_low"] > 0.3  # noise against perfection


def test_a_class_too_thin_for_an_interval_is_left_out_of_the_mean_and_named(results):
    """Three of the other source's patients have class C: it has a value there, and no resamples worth an interval."""
    found = results[0]
    run = found.scored_groups["set", "ext", "design", "cpu"][0]
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table.loc[[150, 200, 250], "y_true:C"] = 1
    table.to_parquet(run.folder / "predictions.parquet")
    evaluate_run(run.folder, "multilabel", 200, 0)
    rows = {row["label"]: row for row in external_rows(found)}
    assert set(rows) == {"macro", "A", "B", "C"}
    assert rows["macro"]["n_labels"] == 2
    assert rows["macro"]["reason"].startswith("without C: too few patients")
    assert rows["macro"]["ci_low"] < rows["macro"]["drop"] < rows["macro"]["ci_high"]
    assert rows["C"]["reason"].startswith("no interval")


def test_sources_without_a_common_class_say_so(results):
    found = results[0]
    run = found.scored_groups["set", "ext", "design", "cpu"][0]
    table = pd.read_parquet(run.folder / "predictions.parquet")
    table.loc[150:, ["y_true:A", "y_true:B"]] = 0
    table.to_parquet(run.folder / "predictions.parquet")
    evaluate_run(run.folder, "multilabel", 100, 0)
    (row,) = external_rows(found)
    assert (row["label"], row["n_labels"], row["reason"]) == ("macro", 0, "no class has a value in both sources")
    assert "drop" not in row
