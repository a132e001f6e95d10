"""A searched design over folds and seeds through the workflow: what runs, what it leaves, and what a change runs again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import BIN, copy_project, jobs, snakemake
from vitalbench import cli
from vitalbench.errors import GateError
from vitalbench.files import read_json, write_json

pytestmark = pytest.mark.slow

TRIALS, FOLDS, SEEDS = 2, [0, 1], [0, 1]
PLACE = "ptbxl/superdiagnostic/sought/cpu"
SUITE = {
    "description": "A search, folds and seeds",
    "source": "generated",
    "size": "small",
    "bootstrap": 100,
    "grids": [
        {"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["sought", "prevalence"], "folds": FOLDS, "seeds": SEEDS}
    ],
    "protocol": {"warmup": 1, "repeats": 3, "seconds": 0.1, "inference_batches": [1]},
}  # fmt: skip
SEARCH = {
    "space": {"train.learning_rate": {"low": 0.001, "high": 0.1, "log": True}, "train.batch_size": {"choice": [8, 16]}},
    "trials": TRIALS,
    "round": 1,
    "sampler": "random",
}


def sought_project(folder: Path) -> Path:
    project = copy_project(folder)
    design = yaml.safe_load((project / "configs/designs/xresnet1d101.yaml").read_text())
    design["model"]["options"] |= {"layers": [1], "width": 16}
    design["train"] |= {"epochs": 2, "batch_size": 16}
    design |= {"small": {}, "published": None, "search": SEARCH}
    design["window"] = {"seconds": 2.5, "stride_seconds": 2.5, "aggregate": "max"}
    (project / "configs/designs/sought.yaml").write_text(yaml.safe_dump(design))
    (project / "configs/suites/sought.yaml").write_text(yaml.safe_dump(SUITE))
    target = project / "configs/targets/cpu.yaml"
    target.write_text(target.read_text().replace("threads: 2", "threads: 1"))
    dataset = project / "configs/datasets/ptbxl.yaml"
    described = yaml.safe_load(dataset.read_text())
    described["parts"], described["standin"]["patients"] = 1, 150
    dataset.write_text(yaml.safe_dump(described))
    return project


def workflow(*more: str) -> list[str]:
    return ["--cores", "2", *more, "--config", "suite=sought"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The suite, run once to its end."""
    folder = sought_project(tmp_path_factory.mktemp("sought"))
    found = snakemake(folder, *workflow())
    assert found.returncode == 0, found.stdout[-4000:]
    return folder


def results(project: Path) -> Path:
    return project / "results/sought"


def table(project: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(results(project) / f"tables/{name}.csv", keep_default_na=False)


def search_files(project: Path) -> dict[str, bytes]:
    folder = results(project) / "search"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.json"))
        if path.name in ("trial.json", "chosen.json")
    }


def change(project: Path, **search) -> None:
    path = project / "configs/designs/sought.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"search": SEARCH | search}))


def test_every_fold_has_a_split_and_a_search_of_its_own_that_its_seeds_share(project):
    splits = [pd.read_csv(results(project) / f"splits/ptbxl/superdiagnostic/fold{fold}.csv") for fold in FOLDS]
    tests = [set(split.loc[split["split"] == "test", "patient_id"]) for split in splits]
    assert all(tests)
    assert not tests[0] & tests[1]
    assert set(search_files(project)) == {
        f"{PLACE}/fold{fold}/{name}"
        for fold in FOLDS
        for name in ("chosen.json", *(f"trial-{n:04d}/trial.json" for n in range(TRIALS)))
    }
    for fold in FOLDS:
        chosen = read_json(results(project) / f"search/{PLACE}/fold{fold}/chosen.json")
        for seed in SEEDS:
            config = read_json(results(project) / f"runs/{PLACE}/seed{seed}-fold{fold}/config.json")
            assert config["search"]["parameters"] == chosen["parameters"]
            assert config["design"]["train"]["learning_rate"] == chosen["parameters"]["train.learning_rate"]


def test_the_tables_average_over_seeds_and_folds(project):
    matrix = table(project, "matrix")
    cells = {(row.design, row.seed, row.fold) for row in matrix.itertuples()}
    assert cells == {("sought", s, f) for s in SEEDS for f in FOLDS} | {("prevalence", 0, f) for f in FOLDS}
    assert set(matrix["status"]) == {"measured"}
    metrics = table(project, "metrics")
    wanted = {"design": "sought", "split": "test", "subgroup": "all", "metric": "auroc", "label": "macro"}
    of_runs = metrics[(metrics[list(wanted)] == pd.Series(wanted)).all(axis=1)].astype({"value": float})
    summary = table(project, "summary")
    (row,) = summary[(summary[list(wanted)] == pd.Series(wanted)).all(axis=1)].to_dict("records")
    by_seed = of_runs.groupby("seed")["value"].mean()
    assert len(of_runs) == len(SEEDS) * len(FOLDS)
    assert float(row["mean"]) == pytest.approx(by_seed.mean(), abs=1e-9)
    assert float(row["sd_seeds"]) == pytest.approx(by_seed.std(ddof=1), abs=1e-9)
    assert (int(row["n_seeds"]), int(row["n_folds"])) == (len(SEEDS), len(FOLDS))
    assert float(row["ci_low"]) <= float(row["mean"]) <= float(row["ci_high"])
    comparison = table(project, "comparison")
    split = [pd.read_csv(results(project) / f"splits/ptbxl/superdiagnostic/fold{fold}.csv") for fold in FOLDS]
    test = {patient for one in split for patient in one.loc[one["split"] == "test", "patient_id"]}
    macro = comparison[(comparison["metric"] == "brier") & (comparison["label"] == "macro")]
    assert macro["n_patients"].tolist() == [len(test)]
    leakage = table(project, "leakage")
    assert set(leakage["fold"]) == set(FOLDS)
    assert set(leakage["verdict"]) <= {"clean", "noted"}


def test_a_searched_design_is_timed_and_priced_with_what_each_fold_chose(project):
    timing, cost = table(project, "timing"), table(project, "cost")
    steps = timing[(timing["design"] == "sought") & (timing["phase"] == "train_step")]
    assert {row.fold for row in steps.itertuples()} == set(FOLDS)
    for row in steps.itertuples():
        chosen = read_json(results(project) / f"search/{PLACE}/fold{row.fold}/chosen.json")
        assert int(row.batch_size) == chosen["parameters"]["train.batch_size"]
    priced = cost[(cost["design"] == "sought") & (cost["phase"] == "train")]
    assert {(row.seed, row.fold) for row in priced.itertuples()} == {(s, f) for s in SEEDS for f in FOLDS}


def test_the_search_is_a_table_and_stands_on_the_page(project):
    rows = table(project, "search")
    assert len(rows) == TRIALS * len(FOLDS)
    assert rows.groupby("fold")["chosen"].sum().tolist() == [1, 1]
    page = (results(project) / "report.html").read_text()
    assert "<h3>Searched</h3>" in page
    for value in rows.loc[rows["chosen"], "value"].astype(float):
        assert f'<td class="num">{value:.3f}</td>' in page
    assert "train.learning_rate" in page


def test_the_receipt_holds_until_a_trial_is_altered(project, capsys):
    assert cli.run(["verify", "--results", str(results(project))]) == 0
    path = results(project) / f"search/{PLACE}/fold0/trial-0001/trial.json"
    before = path.read_bytes()
    write_json(path, read_json(path) | {"value": 1.0})
    with pytest.raises(GateError):
        cli.run(["verify", "--results", str(results(project))])
    assert "trial-0001/trial.json" in capsys.readouterr().out
    path.write_bytes(before)


def test_a_second_run_does_nothing(project):
    assert "Nothing to be done" in snakemake(project, *workflow("-n")).stdout


def test_another_space_searches_and_trains_again_what_was_searched_alone(project):
    change(project, space=SEARCH["space"] | {"train.weight_decay": {"low": 0.0, "high": 0.1}})
    found = jobs(snakemake(project, *workflow("-n")).stdout)
    assert found["trial"] == TRIALS * len(FOLDS)
    assert found["choose"] == len(FOLDS)
    assert found["train_cell"] == len(SEEDS) * len(FOLDS)
    assert not {"assign", "audit", "store", "measure_design"} & set(found)
    change(project, trials=TRIALS + 1)
    found = jobs(snakemake(project, *workflow("-n")).stdout)
    assert (found["trial"], found["choose"]) == (len(FOLDS), len(FOLDS))
    change(project)
    assert "Nothing to be done" in snakemake(project, *workflow("-n")).stdout


def test_a_wrong_space_ends_before_the_dag_with_one_line(project):
    change(project, space={"train.learning_rat": {"low": 0.1, "high": 1.0}})
    found = snakemake(project, *workflow("-n"))
    change(project)
    assert found.returncode == 2
    assert "sought.yaml: search.space: key 'train.learning_rat' is none of the design's" in found.stdout
    assert "nearest: train.learning_rate" in found.stdout


def test_a_search_that_was_killed_goes_on_to_the_same_bytes(project):
    expected = search_files(project)
    folder = results(project) / f"search/{PLACE}/fold1"
    shutil.rmtree(folder)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    chosen = str((folder / "chosen.json").relative_to(project))
    arguments = ["--cores", "2", chosen, "--config", "suite=sought", "checkpoint_minutes=0.000001"]
    killed = subprocess.Popen(
        [str(BIN / "snakemake"), *arguments], cwd=project, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not list(folder.glob("trial-0001/checkpoints/*/epoch-*")):
        with pytest.raises(subprocess.TimeoutExpired):
            killed.wait(timeout=0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    first = (folder / "trial-0000/trial.json").stat().st_mtime_ns
    assert not (folder / "trial-0001/trial.json").exists()
    assert snakemake(project, "--unlock", *arguments).returncode == 0
    again = snakemake(project, *arguments)
    assert again.returncode == 0, again.stdout[-3000:]
    assert search_files(project) == expected
    assert (folder / "trial-0000/trial.json").stat().st_mtime_ns == first
    assert read_json(folder / "trial-0001/timing.json")["interruptions"]["n_resumed"] == 1
    assert not list(folder.glob("*/checkpoints/*"))
