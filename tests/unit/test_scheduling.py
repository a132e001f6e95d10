"""Where a scheduler places the jobs: what they ask for, and which process decides what runs."""

import errno
import re

import pytest
import yaml
from snakemake.resources import Resources

from tests.conftest import ROOT
from vitalbench.config import planning, workflow
from vitalbench.config.planning import make_plan
from vitalbench.config.workflow import load, refuse_arrays


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(planning, "device_here", lambda kind: None if kind == "cuda" else "a processor")


def edit(path, **values):
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


def test_a_target_need_not_be_here_where_a_scheduler_finds_the_machine(configs, no_gpu):
    here = make_plan(configs, configs.knobs({"targets": ["h100"]}))
    assert {planned.status for planned in here.cells} == {"not-run"}
    elsewhere = make_plan(configs, configs.knobs({"targets": ["h100"], "scheduled": "true"}))
    own = [planned.cell for planned in elsewhere.cells if planned.cell.target == "h100"]
    assert elsewhere.running == own
    assert own


def test_a_job_asks_for_what_its_target_declares(configs):
    plan = make_plan(configs, configs.knobs({"targets": ["h100", "cpu"]}))
    assert plan.needs("s4d", "h100") == {"mem_mb": 32000, "runtime": 720, "gpu": 1, "gpu_model": "h100"}
    assert plan.needs("s4d", "cpu") == {"mem_mb": 6000, "runtime": 240}


def test_a_job_that_measures_on_all_targets_asks_for_the_most_of_each(configs, no_gpu):
    plan = make_plan(configs, configs.knobs({"targets": ["cpu", "h100"], "scheduled": "true"}))
    assert plan.needs_of_all() == {"mem_mb": 32000, "runtime": 720, "gpu": 1, "gpu_model": "h100"}
    assert plan.needs_of_all(attempt=2)["runtime"] == 1440
    assert plan.timed_on == ["cpu", "h100"]
    processor = make_plan(configs, configs.knobs({}))
    assert processor.needs_of_all() == {"mem_mb": 6000, "runtime": 240}  # what it projects to asks for nothing
    assert processor.timed_on == ["cpu"]


def test_every_rule_that_measures_has_its_node_and_what_its_targets_declare():
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    alone = {name for name, asked in profile["set-resources"].items() if asked == {"slurm_extra": "'--exclusive'"}}
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    rules = dict(re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)[^\n]*:\n(.*?)(?=^\S|\Z)", text, re.M | re.S))
    measuring = {
        name
        for name, rule in rules.items()
        if re.search(r"vitalbench (measure|efficiency|check) (?!.*--cells-only)", rule)
    }
    assert measuring | {"measure_searched"} == alone == {"measure_design", "measure_searched", "efficiency", "check"}
    for name in measuring:
        assert all(
            word in rules[name] for word in ("container:", "threads:", "mem_mb=", "runtime=", "gpu=", "gpu_model=")
        )
    assert "retries: 0" in rules["check"]


def test_a_job_that_ran_out_of_time_asks_for_more(configs):
    plan = make_plan(configs, configs.knobs({}))
    assert plan.needs("s4d", "cpu", attempt=3)["runtime"] == 3 * 240


def test_every_job_of_the_profile_asks_for_more_time_when_it_is_submitted_again(configs):
    """And for more memory, where it asks for the profile's: what a target or a design declares is the most there is of it."""
    said = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    defaults = Resources.parse(said["default-resources"], allow_expressions=True, defaults="full")

    def asked(name: str, attempt: int) -> object:
        return defaults[name].evaluate(None, input=[], attempt=attempt, threads=1, rulename="", async_run=None).value

    assert [asked("runtime", attempt) for attempt in (1, 2, 3)] == [60, 120, 180]
    assert [asked("mem_mb", attempt) for attempt in (1, 2, 3)] == [4000, 8000, 12000]
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    own = re.findall(r"^ {8}runtime=(.*?),\n(?: {0,8}\w|\n)", text, re.M | re.S)
    assert len(own) >= 8
    for value in own:
        assert re.match(r"needed(_by_all)?\(\"runtime\"\)$|lambda wildcards, attempt: .*\* attempt$", value, re.S), (
            value
        )
    plan = make_plan(configs, configs.knobs({}))
    assert plan.needs("s4d", "cpu", attempt=3)["mem_mb"] == plan.needs("s4d", "cpu")["mem_mb"]


def test_a_design_may_ask_for_more_than_its_target_and_no_job_runs_again_for_it(project, monkeypatch):
    monkeypatch.chdir(project)
    load({}, project / "configs")
    before = {path: path.stat().st_mtime_ns for path in (project / "results/quick/config").rglob("*.json")}
    edit(project / "configs/designs/s4d.yaml", scheduler={"mem_mb": 64000})
    plan = load({}, project / "configs")
    assert plan.needs("s4d", "cpu") == {"mem_mb": 64000, "runtime": 240}
    assert plan.needs("xresnet1d101", "cpu")["mem_mb"] == 6000
    changed = {path.name for path, written in before.items() if path.stat().st_mtime_ns != written}
    assert changed <= {"suite.json"}


def test_a_jobs_own_process_changes_nothing_that_was_decided(project, monkeypatch, no_gpu):
    monkeypatch.chdir(project)
    load({"targets": ["h100"]}, project / "configs")
    suite = project / "results/quick/config/suite.json"
    decided = suite.read_bytes()
    monkeypatch.setattr(planning, "device_here", lambda kind: "NVIDIA H100")  # the node has what the login node has not
    load({"targets": ["h100"]}, project / "configs", main=False)
    assert suite.read_bytes() == decided
    suite.unlink()  # a node that shares no files with the one that decided
    load({"targets": ["h100"]}, project / "configs", main=False)
    assert suite.is_file()


def ended(capsys, call, *arguments) -> str:
    with pytest.raises(SystemExit, match="2"):
        call(*arguments)
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_arrays_are_refused_whatever_else_is_said(capsys):
    """SLURM's plugin loses their jobs: with a limit on jobs, beyond a length, and whenever one fails."""
    refuse_arrays(None)
    refuse_arrays("")
    told = ended(capsys, refuse_arrays, "audit,train_cell")
    assert told.startswith("error: --slurm-array-jobs audit,train_cell: ")
    assert "docs/SCALING.md, 'Many small cells'" in told
    assert "\n### Many small cells\n" in (ROOT / "docs/SCALING.md").read_text()


def test_results_that_can_hold_nothing_are_told_in_a_line(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    results = project / "results"
    results.write_text("a file")
    assert "results: a file, and results go to a folder of that name; next: mv results" in ended(
        capsys, load, {}, project / "configs"
    )
    results.unlink()
    results.symlink_to(project / "gone")
    told = ended(capsys, load, {}, project / "configs")
    assert (
        told == f"error: results: leads to {project}/gone, and no folder is there; next: mkdir -p $(readlink results)"
    )
    results.unlink()
    for error, said in (
        (OSError(errno.ENOSPC, "No space left on device"), "error: no space left on device; next: df"),
        (
            PermissionError(errno.EACCES, "Permission denied", "results/quick"),
            "error: results/quick: permission denied",
        ),
        (OSError(errno.EROFS, "Read-only file system", "results"), "error: results: read-only file system"),
    ):

        def refused(*arguments, why=error, **named):
            raise why

        monkeypatch.setattr(workflow, "write_slices", refused)
        assert ended(capsys, load, {}, project / "configs").startswith(said)


def test_what_cannot_be_read_as_apptainers_arguments_is_told_in_a_line(configs, capsys):
    plan = make_plan(configs, configs.knobs({}))
    told = ended(capsys, workflow.apptainer_told, plan, "--bind '")
    assert told == "error: --apptainer-args: \"--bind '\" cannot be read as a shell's words: no closing quotation"
    assert workflow.apptainer_told(plan, "--nvccli").startswith("--nvccli ")
