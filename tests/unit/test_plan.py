"""Every cell has one fate before anything runs, and a reason if it will not run."""

import re
import shutil

import pytest

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.data.datasets import load, sound
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json, write_json
from vitalbench.results import Results


def plan(configs, **given):
    return make_plan(configs, configs.knobs(given))


def test_quick_runs_everything_on_generated_records(configs, tmp_path):
    (tmp_path / "ptbxl").mkdir()
    found = plan(configs, data_root=str(tmp_path))
    assert {planned.source for planned in found.cells} == {"generated"}
    assert {planned.status for planned in found.cells if planned.cell.target == "cpu"} == {""}


def test_what_is_measured_is_projected_to_targets_that_a_suite_names_and_controls_are_not(configs):
    found = [planned for planned in plan(configs).cells if planned.cell.target != "cpu"]
    assert {planned.cell.target for planned in found} == {"a100-40", "h100", "rtx4090"}
    assert {planned.cell.design for planned in found} == {"xresnet1d101", "s4d", "resnet50"}
    assert {(planned.status, planned.projected_from) for planned in found} == {("projected", ("cpu",))}


def test_the_whole_release_of_radiographs_is_planned_at_full_size_and_says_what_is_missing(configs, tmp_path):
    found = plan(configs, suite="chestxray14-release").cells
    assert {(planned.cell.dataset, planned.status) for planned in found} == {("chestxray14", "not-run")}
    assert all("pass data_root=FOLDER that holds chestxray14/" in planned.reason for planned in found)
    (tmp_path / "chestxray14").mkdir()
    (tmp_path / "chestxray14/Data_Entry_2017_v2020.csv").write_text("")
    there = plan(configs, suite="chestxray14-release", data_root=str(tmp_path))
    assert {planned.status for planned in there.cells} == {""}
    assert there.suite.size == "full"
    options = configs.design("resnet50", "full").model.options
    assert options["layers"] == [3, 4, 6, 3]
    assert configs.dataset("chestxray14").image.height == 224
    away = plan(configs, suite="chestxray14-release", data_root=str(tmp_path), targets=["h200"]).cells
    assert {planned.status for planned in away} == {"not-run"}
    assert all("target h200 is not here" in planned.reason for planned in away)


def test_without_a_cell_that_is_measured_nothing_is_projected(configs):
    alone = [planned for planned in plan(configs, targets=["h100"]).cells if planned.cell.design == "s4d"]
    assert {planned.status for planned in alone} == {"not-run"}
    assert all("no cell of it is measured here" in planned.reason for planned in alone)


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("targets/h100.yaml", ("peak_tflops: {fp32: 67, ", "peak_tflops: {"), "declares no peak_tflops.fp32"),
        (
            "targets/h100.yaml",
            ("threads: 8", "threads: 8\ntf32: true"),
            "has tf32, which the published times are without",
        ),
        ("targets/cpu.yaml", ("threads: 2", "threads: 1\nprocesses: 2"), "several processes"),
        ("designs/s4d.yaml", ("train:", "train:\n  precision: bf16"), "its arithmetic is bf16"),
    ],
)
def test_what_was_not_published_is_not_projected(project, file, change, said):
    path = project / "configs" / file
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    folder = ConfigFolder(project / "configs")
    cells = make_plan(folder, folder.knobs({})).cells
    found = [planned for planned in cells if (planned.cell.design, planned.cell.target) == ("s4d", "h100")]
    assert {planned.status for planned in found} == {"not-run"}
    assert all(said in planned.reason for planned in found)


def test_published_times_that_are_damaged_stop_a_suite(project):
    path = project / "configs/projection/timings.csv"
    path.write_text(path.read_text().replace("NVIDIA L4", "NVIDIA L40", 1))
    folder = ConfigFolder(project / "configs")
    with pytest.raises(ConfigError, match=r"timings.csv: line \d+: .*nearest: NVIDIA L4"):
        make_plan(folder, folder.knobs({}))


def test_a_suite_of_records_without_any_says_how_to_get_them(configs):
    found = plan(configs, suite="ptbxl")
    assert {planned.status for planned in found.cells} == {"not-run"}
    assert all("data_root=FOLDER" in planned.reason for planned in found.cells)


def test_a_design_without_chance_runs_once(configs):
    cells = plan(configs, seeds=[0, 1, 2]).running
    places = [(cell.dataset, cell.task) for cell in cells if cell.design == "prevalence"]
    assert sorted(places) == [("chestxray14-64@300", "findings"), ("ptbxl", "superdiagnostic")]
    assert sum(cell.design == "s4d" for cell in cells) == 3


def test_the_ideal_observer_is_not_allowed_on_real_records(project):
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        (project / "data" / "ptbxl").mkdir(parents=True, exist_ok=True)
        (project / "data" / "ptbxl" / name).touch()
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("source: generated", "source: records"))
    folder = ConfigFolder(project / "configs")
    found = make_plan(folder, folder.knobs({"data_root": str(project / "data")}))
    here = [planned for planned in found.cells if planned.cell.target == "cpu"]
    fate = {planned.cell.design: (planned.status, planned.source) for planned in here}
    assert fate["ideal-observer"] == ("not-allowed", "local")
    assert fate["s4d"] == ("", "local")


def of_records(project, dataset: str, task: str) -> ConfigFolder:
    """The project with a suite of a data set's own records."""
    told = f"{{datasets: [{dataset}], tasks: [{task}], designs: [prevalence]}}"
    suite = f"description: x\nsource: records\nsize: small\ngrids: [{told}]\n"
    (project / "configs/suites/own.yaml").write_text(suite)
    return ConfigFolder(project / "configs")


def test_a_data_set_made_of_two_releases_says_which_to_download(project):
    (line,) = plan(of_records(project, "combined", "scored-combined"), suite="own", download=True).absent()
    assert "holds ptbxl/ and challenge2021/" in line
    assert "download ptbxl (https://physionet.org/files/ptb-xl/1.0.3/) and challenge2021 (https://" in line
    assert "or download=true" not in line


def test_a_release_that_a_data_set_is_made_of_has_a_data_set_of_its_own(project):
    file = project / "configs/datasets/combined.yaml"
    file.write_text(file.read_text().replace("made_of: [ptbxl, ", "made_of: [ptbxll, "))
    with pytest.raises(ConfigError, match=r"combined\.yaml: made_of: .*ptbxll.*nearest: ptbxl"):
        plan(of_records(project, "combined", "scored-combined"), suite="own")


@pytest.mark.parametrize(
    ("asked", "fits"),
    [("georgia@600", True), ("georgia@601", False), ("synthetic-ecg@20001", False)],
)
def test_more_patients_than_there_are_is_told_before_anything_is_made(project, asked, fits):
    folder = of_records(project, asked, "scored")
    suite = project / "configs/suites/own.yaml"
    suite.write_text(suite.read_text().replace("source: records", "source: generated"))
    if fits:
        assert plan(folder, suite="own").cells
        return
    with pytest.raises(ConfigError, match=rf"own\.yaml: datasets: {asked}: .* patients; its stand-in is made of"):
        plan(folder, suite="own")


@pytest.mark.parametrize(
    ("name", "task", "most"), [("mitdb", "beats-aami", 45), ("edb", "st-change", 83), ("afdb", "af", 23)]
)
def test_recordings_are_no_patients_where_more_are_asked_for_than_can_be_used(project, name, task, most):
    for asked in (most, most + 1):
        folder = of_records(project, f"{name}@{asked}", task)
        suite = project / "configs/suites/own.yaml"
        suite.write_text(suite.read_text().replace("source: records", "source: generated"))
        if asked == most:
            assert plan(folder, suite="own").cells
            continue
        told = rf"{name}@{asked}: {asked} patients; its stand-in has records that can be used of \(gives\.standin_patients\) {most}"
        with pytest.raises(ConfigError, match=told):
            plan(folder, suite="own")


@pytest.mark.parametrize(("name", "seconds"), [("mitdb", 15.0), ("edb", 60.0), ("afdb", 90.0)])
def test_so_many_patients_of_the_stand_in_have_records_that_can_be_used(configs, tmp_path, name, seconds):
    dataset = configs.dataset(name)
    standin = dataset.standin.model_copy(update={"seconds": seconds})
    small, module = dataset.model_copy(update={"standin": standin}), load(dataset.module)
    module.write_standin(tmp_path, small)
    assert sound(module.read_index(tmp_path, small))["patient_id"].nunique() == dataset.gives.standin_patients


def test_more_patients_than_a_whole_release_has_are_told_too(project):
    with pytest.raises(ConfigError, match=r"georgia@10345: 10,345 patients; the whole release has 10,344"):
        plan(of_records(project, "georgia@10345", "scored"), suite="own")


@pytest.mark.parametrize("asked", ["georgia@0", "georgia@x", "georgia@", "Georgia", "georgia@-5"])
def test_a_number_of_patients_that_is_none_is_told_with_what_is_allowed(project, asked):
    with pytest.raises(ConfigError, match=rf"'{asked}': .*NAME@N for N of its patients, as ptbxl@200"):
        plan(of_records(project, f'"{asked}"', "scored"), suite="own")


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
    assert set(plan(configs, download="true").sources.values()) == {"generated"}


def test_a_suite_may_hold_signals_and_images_whose_designs_meet_in_no_grid(project):
    met = {(cell.design, cell.dataset) for cell in plan(ConfigFolder(project / "configs")).running}
    assert {("s4d", "ptbxl"), ("resnet50", "chestxray14-64@300")} < met
    assert ("resnet50", "ptbxl") not in met
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text() + "efficiency: [resnet50]\n")  # laid out on the data set of its own grid
    plan(ConfigFolder(project / "configs"))
    suite.write_text(suite.read_text().replace("efficiency: [resnet50]", "efficiency: [resnet50, s4d]"))
    with pytest.raises(ConfigError, match=r"s4d\.yaml|resnet50\.yaml"):
        plan(ConfigFolder(project / "configs"))


@pytest.mark.parametrize(
    ("access", "needed"), [("credentialed", "credentialed access"), ("registration", "registration")]
)
def test_a_release_behind_a_door_is_never_downloaded(project, access, needed):
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
        assert f"needs {needed}; get it at https://physionet.org/content/ptb-xl/1.0.3/" in planned.reason
        assert planned.reason.endswith("then pass data_root=FOLDER that holds ptbxl/")


def test_the_ideal_observer_is_not_allowed_on_downloaded_records(project):
    suite = project / "configs/suites/quick.yaml"
    suite.write_text(suite.read_text().replace("source: generated", "source: records"))
    found = plan(ConfigFolder(project / "configs"), download=True)
    here = [planned for planned in found.cells if planned.cell.target == "cpu"]
    fate = {planned.cell.design: (planned.status, planned.source) for planned in here}
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


def test_a_target_that_is_not_here_is_not_run_but_projected(configs, monkeypatch):
    monkeypatch.setattr("vitalbench.config.planning.device_here", lambda kind: "a cpu" if kind == "cpu" else None)
    found = plan(configs, targets=["cpu", "h100"])
    away = {p.cell.design: p.status for p in found.cells if p.cell.target == "h100"}
    assert away["s4d"] == away["shuffled-labels"] == "projected"  # asked for by name: controls too
    assert away["prevalence"] == "not-run"
    assert {p.status for p in found.cells if p.cell.target == "cpu"} == {""}


def test_fp16_is_not_allowed_on_a_cpu(project):
    design = project / "configs/designs/s4d.yaml"
    design.write_text(design.read_text().replace("epochs: 50", "epochs: 50\n  precision: fp16"))
    found = plan(ConfigFolder(project / "configs"))
    here = [p for p in found.cells if p.cell.target == "cpu"]
    assert {(p.status, p.reason.split(",")[0]) for p in here if p.cell.design == "s4d"} == {
        ("not-allowed", "fp16 needs a GPU")
    }
    assert {p.status for p in here if p.cell.design != "s4d"} == {""}


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


def test_a_suite_that_another_version_resolved_is_told_in_one_line(project):
    folder = ConfigFolder(project / "configs")
    written(make_plan(folder, folder.knobs({})), folder, project / "results")
    path = project / "results/quick/config/suite.json"
    suite = read_json(path)
    # What Results reads of it by hand. Whoever changes this shape counts layout.SUITE_FORMAT up.
    assert suite["format"] == 1
    cells = suite["cells"]
    assert {key for planned in cells for key in planned} == {"cell", "projected_from", "reason", "source", "status"}
    assert {type(planned["projected_from"]) for planned in cells if "projected_from" in planned} == {list}
    assert set(cells[0]["cell"]) == {"dataset", "task", "design", "target", "seed", "fold"}
    for older in ({key: value for key, value in suite.items() if key != "format"}, suite | {"format": 0}):
        write_json(path, older)
        with pytest.raises(
            InputError, match=r"suite\.json: key 'format' is (None|0), 1 is what this version"
        ) as caught:
            _ = Results(project / "results/quick").cells
        assert "\n" not in str(caught.value)


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


def test_a_moved_project_prices_nothing_again(project, monkeypatch):
    def contents(folder):
        monkeypatch.chdir(folder)
        configs = ConfigFolder(folder / "configs")
        write_slices(plan(configs), configs, folder / "results")
        return {path.relative_to(folder): path.read_text() for path in (folder / "results").rglob("*.json")}

    before = contents(project)
    moved = project / "moved"
    shutil.copytree(project / "configs", moved / "configs")
    assert contents(moved) == before
    resolved = read_json(moved / "results/quick/config/resolved.json")
    assert resolved["price_file"] == "configs/prices/2026-09-06.csv"


def test_a_price_file_under_another_name_is_no_reason_to_price_again(project):
    folder = ConfigFolder(project / "configs")
    before = written(plan(folder), folder, project / "results")
    other = project / "mine.csv"
    shutil.copy(project / "configs/prices/2026-09-06.csv", other)
    after = written(plan(folder, price_file=str(other)), folder, project / "results")
    assert [path.name for path, at in after.items() if before[path] != at] == ["resolved.json"]
    assert read_json(project / "results/quick/config/resolved.json")["price_file"] == "mine.csv"


def release(folder):
    folder.mkdir(parents=True)
    for name in ("ptbxl_database.csv", "scp_statements.csv"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("download", [False, True])
def test_a_data_root_that_is_the_release_itself_is_told_to_name_its_parent(configs, tmp_path, download):
    folder = release(tmp_path / "ptbxl")
    with pytest.raises(ConfigError) as caught:
        plan(configs, suite="ptbxl", data_root=str(folder), download=download)
    said = f"--config data_root: {folder} holds no ptbxl/ but is itself a release of PTB-XL: name its parent, data_root={tmp_path}"
    assert str(caught.value) == said
    assert plan(configs, suite="ptbxl", data_root=str(tmp_path)).sources == {"ptbxl": "local"}


def test_a_release_under_another_name_is_told_to_be_named_or_linked(configs, tmp_path):
    folder = release(tmp_path / "ptb-xl-1.0.3")
    with pytest.raises(ConfigError, match="name it ptbxl, or link to it by that name, and give the folder above"):
        plan(configs, suite="ptbxl", data_root=str(folder))


def test_a_data_root_that_holds_none_of_the_suites_data_sets_is_refused(configs, tmp_path):
    with pytest.raises(ConfigError, match=rf"--config data_root: {tmp_path} holds no ptbxl/$"):
        plan(configs, suite="ptbxl", data_root=str(tmp_path))
    assert plan(configs, suite="ptbxl", data_root=str(tmp_path), download=True).sources == {"ptbxl": "download"}


def test_a_data_set_that_is_missing_beside_others_says_so_in_its_cells(project):
    release(project / "data/ptbxl")
    path = project / "configs/datasets/ptbxl-500.yaml"
    path.write_text(path.read_text().replace("release: ptbxl ", "release: ptbxl-500 "))
    suite = project / "configs/suites/ptbxl.yaml"
    suite.write_text(suite.read_text().replace("datasets: [ptbxl]", "datasets: [ptbxl, ptbxl-500]"))
    found = plan(ConfigFolder(project / "configs"), suite="ptbxl", data_root=str(project / "data"))
    reasons = {planned.reason for planned in found.cells if planned.cell.dataset == "ptbxl-500"}
    assert len(reasons) == 1
    assert reasons.pop().startswith(f"no records here: {project / 'data'} holds no ptbxl-500/; pass data_root=FOLDER")
