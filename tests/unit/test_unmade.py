"""A split that cannot be made ends in the status of its cells, with the reason, and ends nothing else."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from tests.workflow.small_suite import TASK, make_suite
from vitalbench import cli
from vitalbench.errors import GateError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.gate.ended import problems
from vitalbench.results import Results
from vitalbench.search.trial import run_trial
from vitalbench.search.trial_job import trial_job

WHY = "no class is carried by fewer than 0.1% of the"
ASKED = ["split", "--dataset", "ptbxl", "--task", TASK, "--results"]


def design(name: str) -> dict:
    return yaml.safe_load((ROOT / f"configs/designs/{name}.yaml").read_text())


@pytest.fixture(scope="module")
def suite(tmp_path_factory, small_store, small_dataset) -> Path:
    """results/small of two designs, whose task asks only of classes rarer than any is; nothing is split yet."""
    searched = design("xresnet1d101") | {"small": {}, "published": None}
    searched["search"] = {
        "space": {"train.learning_rate": {"low": 0.001, "high": 0.1}},
        "trials": 2,
        "sampler": "random",
    }
    target = yaml.safe_load((ROOT / "configs/targets/cpu.yaml").read_text())
    folder = tmp_path_factory.mktemp("unmade")
    found = make_suite(
        folder, small_store, small_dataset, {"prevalence": design("prevalence"), "sought": searched}, {"cpu": target}
    )
    for path, keys in (
        (found / "config/suite.json", ("tasks", TASK)),
        (found / f"config/tasks/{TASK}.json", ("config",)),
    ):
        content = read_json(path)
        task = content
        for key in keys:
            task = task[key]
        task["rare_below"] = 0.001
        write_json(path, content)
    return found


@pytest.fixture(scope="module")
def audited(suite) -> Results:
    """The suite, its split told to be none, and audited, as the rules call for both."""
    results = Results(suite)
    assert cli.run([*ASKED, str(suite), "--report-only"]) == 0
    assert cli.run([*audit_of(results), "--report-only"]) == 0
    return results


def audit_of(results: Results) -> list[str]:
    place = ("ptbxl", TASK, 0)
    given = ["--records", results.split(*place), "--store", results.store("ptbxl"), "--unmade", results.unmade(*place)]
    return ["audit", *map(str, given), "--receipt", str(results.receipt(*place))]


def test_by_hand_it_is_refused(suite):
    with pytest.raises(InputError, match=WHY):
        cli.run([*ASKED, str(suite)])


def test_every_record_is_unused_and_the_receipt_says_why(audited):
    split = pd.read_csv(audited.split("ptbxl", TASK, 0))
    records = pd.read_parquet(audited.store("ptbxl").with_name("records.parquet"))
    assert split["record_id"].tolist() == records["record_id"].tolist()
    assert set(split["split"]) == {"unused"}
    told = read_json(audited.receipt("ptbxl", TASK, 0))
    assert (told["verdict"], told["checks"]) == ("unmade", [])
    assert told["reason"].startswith(WHY)
    with pytest.raises(GateError, match=WHY):
        cli.run(audit_of(audited))


def test_its_cells_fail_with_the_reason_and_the_tables_are_made(audited):
    cell = next(result.cell for result in audited.cells if result.cell.design == "prevalence")
    for stage in ("train", "evaluate"):
        assert cli.run([stage, "--results", str(audited.folder), "--cell", cell.path]) == 0
    assert cli.run(["tables", "--results", str(audited.folder)]) == 0
    matrix = pd.read_csv(audited.table("matrix")).set_index("design").loc["prevalence"]
    assert matrix["status"] == "failed"
    assert matrix["reason"].startswith(f"the split cannot be made: {WHY}")
    assert pd.read_csv(audited.table("leakage")).empty
    said = problems(Results(audited.folder))
    assert any(line.startswith(f"{cell.path} failed: the split cannot be made") for line in said)


def test_so_do_the_trials_of_a_search(audited):
    (place,) = audited.searches
    trial = trial_job(audited, place, 0)
    assert run_trial(trial) == "failed"
    assert read_json(trial.job.out / "trial.json")["reason"].startswith("the split cannot be made")
