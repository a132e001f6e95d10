"""Every cell has one fate before anything runs, and a reason if it will not run."""

import re

import pytest

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.plan import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import ConfigError
from vitalbench.files import read_json


def plan(configs, **given):
    return make_plan(configs, configs.knobs(given))


def test_quick_runs_everything_on_generated_records(configs, tmp_path):
    (tmp_path / "ptbxl").mkdir()
    found = plan(configs, data_root=str(tmp_path))
    assert {planned.source for planned in found.cells} == {"generated"}
    assert all(not planned.status for planned in found.cells)


def test_a_suite_of_records_without_any_says_how_to_get_them(configs):
    found = plan(configs, suite="ptbxl")
    assert {planned.status for planned in found.cells} == {"not-run"}
    assert all("data_root=FOLDER" in planned.reason for planned in found.cells)


def test_a_design_without_chance_runs_once(configs):
    cells = plan(configs, seeds=[0, 1, 2]).running
    assert sum(cell.design == "prevalence" for cell in cells) == 1
    assert sum(cell.design == "s4d" for cell in cells) == 3


def test_the_ideal_observer_is_not_allowed_on_real_records(project):
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        (project / "data" / "ptbxl").mkdir(parents=True, exist_ok=True)
        (project / "data" / "ptbxl" / name).touch()
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("source: generated", "source: records"))
    folder = ConfigFolder(project / "configs")
    found = make_plan(folder, folder.knobs({"data_root": str(project / "data")}))
    fate = {planned.cell.design: (planned.status, planned.source) for planned in found.cells}
    assert fate["ideal-observer"] == ("not-allowed", "local")
    assert fate["s4d"] == ("", "local")


def test_open_records_that_are_not_here_are_downloaded_where_asked(configs, tmp_path):
    found = plan(configs, suite="ptbxl", download=True)
    assert {planned.source for planned in found.cells} == {"download"}
    assert all(not planned.status for planned in found.cells)
    assert "or download=true" in plan(configs, suite="ptbxl").cells[0].reason
    (tmp_path / "ptbxl").mkdir()
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        (tmp_path / "ptbxl" / name).touch()
    assert plan(configs, suite="ptbxl", download=True, data_root=str(tmp_path)).sources == {"ptbxl": "local"}


def test_quick_downloads_nothing(configs):
    assert plan(configs, download="true").sources == {"ptbxl": "generated"}


@pytest.mark.parametrize("access", ["credentialed", "registration"])
def test_a_release_behind_a_door_is_never_downloaded(project, access):
    path = project / "configs/datasets/ptbxl.yaml"
    text = path.read_text().replace("access: open", f"access: {access}")
    path.write_text(text)
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=f"of access '{access}' is never downloaded"):
        plan(folder, suite="ptbxl", download=True)
    path.write_text(re.sub(r"download:.*\n(  .*\n)+", "", text))
    found = plan(folder, suite="ptbxl", download=True)
    for planned in found.cells:
        assert planned.status == "not-run"
        assert f"needs {access}; get it at https://physionet.org/content/ptb-xl/1.0.3/" in planned.reason
        assert planned.reason.endswith("then pass data_root=FOLDER that holds ptbxl/")


def test_the_ideal_observer_is_not_allowed_on_downloaded_records(project):
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("source: generated", "source: records"))
    found = plan(ConfigFolder(project / "configs"), download=True)
    fate = {planned.cell.design: (planned.status, planned.source) for planned in found.cells}
    assert fate["ideal-observer"] == ("not-allowed", "download")
    assert fate["s4d"] == ("", "download")


def test_a_mirror_takes_the_place_of_the_publishers_host_and_moves_no_job(project):
    folder = ConfigFolder(project / "configs")

    def now(**given):
        return written(plan(folder, suite="ptbxl", download=True, **given), folder, project / "results")

    before = now()
    after = now(mirror="http://mirror.local:8080/physionet/", streams=2)
    changed = [path for path, at in after.items() if before[path] != at]
    assert changed == [project / "results/data/ptbxl/download/download.json"]
    told = read_json(changed[0])
    assert told == {"url": "http://mirror.local:8080/physionet/files/ptb-xl/1.0.3/", "streams": 2}


def test_a_target_that_is_not_here_is_not_run(configs, monkeypatch):
    monkeypatch.setattr("vitalbench.config.plan.device_here", lambda kind: "a cpu" if kind == "cpu" else None)
    found = plan(configs, targets=["cpu", "h100"])
    assert {p.status for p in found.cells if p.cell.target == "h100"} == {"not-run"}
    assert {p.status for p in found.cells if p.cell.target == "cpu"} == {""}


def written(plan, folder, results):
    write_slices(plan, folder, results)
    return {path: path.stat().st_mtime_ns for path in results.rglob("*.json")}


def test_a_touch_rewrites_no_slice_and_a_changed_value_only_its_own(project):
    def now():
        folder = ConfigFolder(project / "configs")
        return written(make_plan(folder, folder.knobs({})), folder, project / "results")

    before = now()
    design = project / "configs/designs/s4d.yaml"
    design.touch()
    assert now() == before
    design.write_text(design.read_text().replace("weight_decay: 0.01", "weight_decay: 0.02"))
    changed = {path.relative_to(project / "results/quick/config") for path, at in now().items() if before[path] != at}
    assert {str(path) for path in changed} == {"designs/s4d.json", "measure/s4d.json", "suite.json"}


def test_a_description_reaches_no_job(project):
    def now():
        folder = ConfigFolder(project / "configs")
        return written(make_plan(folder, folder.knobs({})), folder, project / "results")

    before = now()
    for name in ("designs/s4d.yaml", "tasks/superdiagnostic.yaml"):
        path = project / "configs" / name
        path.write_text(path.read_text().replace("description: ", "description: Now "))
    changed = [path.name for path, at in now().items() if before[path] != at]
    assert changed == ["suite.json"]


def test_a_list_of_fitted_records_that_is_not_there_is_named(project):
    with (project / "configs/datasets/ptbxl.yaml").open("a") as stream:
        stream.write("fitted_on: nowhere.txt\n")
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=r"ptbxl\.yaml: fitted_on: nowhere\.txt: no such file"):
        plan(folder)
