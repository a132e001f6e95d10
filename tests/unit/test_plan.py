"""Every cell has one fate before anything runs, and a reason if it will not run."""

from vitalbench.config.plan import make_plan
from vitalbench.config.slices import write_slices


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
    from vitalbench.config.folder import ConfigFolder

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


def test_a_target_that_is_not_here_is_not_run(configs, monkeypatch):
    monkeypatch.setattr("vitalbench.config.plan.device_here", lambda kind: "a cpu" if kind == "cpu" else None)
    found = plan(configs, targets=["cpu", "h100"])
    assert {p.status for p in found.cells if p.cell.target == "h100"} == {"not-run"}
    assert {p.status for p in found.cells if p.cell.target == "cpu"} == {""}


def written(plan, folder, results):
    write_slices(plan, folder, results)
    return {path: path.stat().st_mtime_ns for path in results.rglob("*.json")}


def test_a_touch_rewrites_no_slice_and_a_changed_value_only_its_own(project):
    from vitalbench.config.folder import ConfigFolder

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
    from vitalbench.config.folder import ConfigFolder

    def now():
        folder = ConfigFolder(project / "configs")
        return written(make_plan(folder, folder.knobs({})), folder, project / "results")

    before = now()
    for name in ("designs/s4d.yaml", "tasks/superdiagnostic.yaml"):
        path = project / "configs" / name
        path.write_text(path.read_text().replace("description: ", "description: Now "))
    changed = [path.name for path, at in now().items() if before[path] != at]
    assert changed == ["suite.json"]
