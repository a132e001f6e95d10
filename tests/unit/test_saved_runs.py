"""`vitalbench runs`: what is saved is listed as it is, and a second copy brings a lost run back to the same bytes."""

import csv
import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import GateError, InputError, Interrupted
from vitalbench.files import file_digest, only_one_in, read_json, write_json
from vitalbench.results import Results
from vitalbench.split.assign import assign
from vitalbench.split.audit import audit, read_table, receipt
from vitalbench.train.checkpoints import listed
from vitalbench.train.keeper import Keeper
from vitalbench.train.state import TENSORS

CELL = "ptbxl/superdiagnostic/mortal/cpu/seed0-fold0"
RESULTS = Path("results/saved")
RUN = RESULTS / "runs" / CELL
SECOND = Path("second/saved/runs") / CELL / "checkpoints"
SUITE = {
    "description": "Runs to be saved",
    "source": "generated",
    "size": "small",
    "grids": [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["mortal"]}],
}


@pytest.fixture(scope="module")
def prepared(small_store, tmp_path_factory):
    """A suite of one cell, as the workflow leaves it before training, with a backup folder beside configured."""
    project = tmp_path_factory.mktemp("saved") / "project"
    shutil.copytree(ROOT / "configs", project / "configs")
    design = yaml.safe_load((project / "configs/designs/s4d.yaml").read_text())
    design["model"]["options"] |= {"width": 4, "depth": 1, "state": 2}
    design["train"] |= {"epochs": 2, "batch_size": 64}
    design |= {"small": {}, "window": {"seconds": 1.0, "stride_seconds": 5.0, "aggregate": "max"}, "published": None}
    (project / "configs/designs/mortal.yaml").write_text(yaml.safe_dump(design))
    (project / "configs/suites/saved.yaml").write_text(yaml.safe_dump(SUITE))
    target = project / "configs/targets/cpu.yaml"
    target.write_text(target.read_text().replace("threads: 2", "threads: 1"))
    folder = ConfigFolder(project / "configs")
    knobs = folder.knobs({"suite": "saved", "backup": "second", "checkpoint_minutes": 1e-9})
    write_slices(make_plan(folder, knobs), folder, project / "results")
    found = Results(project / "results/saved")
    data = found.store_folder("ptbxl")
    for name in ("store.h5", "records.parquet", "manifest.json"):
        shutil.copy(small_store.with_name(name), data / name)
    shutil.copytree(small_store.parent / "parts", data / "parts")
    split, audited = found.split("ptbxl", "superdiagnostic", 0), found.receipt("ptbxl", "superdiagnostic", 0)
    split.parent.mkdir(parents=True)
    assign(pd.read_parquet(data / "records.parquet"), found.task("superdiagnostic"), 0).to_csv(split, index=False)
    checks, _ = audit(read_table(split))
    write_json(audited, receipt(checks, file_digest(split), read_json(data / "manifest.json")["content"]))
    return project


@pytest.fixture(scope="module")
def ended(prepared, tmp_path_factory):
    """The same with a run that a scheduler's warning ended in its second epoch, and what it said."""

    class Warned(Keeper):
        def after_step(self, state):
            if state.course.epoch == 2:
                os.kill(os.getpid(), signal.SIGUSR1)
            super().after_step(state)

    project = shutil.copytree(prepared, tmp_path_factory.mktemp("ended") / "project")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project)
        patched.setattr("vitalbench.train.cell.Keeper", Warned)
        with pytest.raises(Interrupted) as caught:
            train()
    return project, caught.value


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    """The suite before training, in the working directory."""
    monkeypatch.chdir(shutil.copytree(prepared, tmp_path / "project"))
    return Results(RESULTS)


@pytest.fixture
def interrupted(ended, tmp_path, monkeypatch):
    """The suite with the interrupted run, in the working directory."""
    monkeypatch.chdir(shutil.copytree(ended[0], tmp_path / "project"))
    return Results(RESULTS)


def train() -> None:
    cli.run(["train", "--results", str(RESULTS), "--cell", CELL])


def listing(capsys) -> list[dict[str, str]]:
    capsys.readouterr()
    cli.run(["runs", "list", "--csv", "--results", str(RESULTS)])
    return list(csv.DictReader(capsys.readouterr().out.splitlines()))


def left_by() -> dict[str, bytes]:
    return {name: (RUN / name).read_bytes() for name in ("model.safetensors", "predictions.parquet")}


def test_an_interrupted_cell_has_no_status_and_says_in_one_line_what_it_goes_on_from(ended, interrupted):
    assert not (RUN / "status.json").exists()
    (saved,) = (RUN / "checkpoints").iterdir()
    said = ended[1]
    assert (
        str(said) == f"[superdiagnostic mortal seed0] ended by SIGUSR1; run again, it goes on from {listed(saved)[-1]}"
    )
    assert said.exit_code == 128 + signal.SIGUSR1
    assert "ended by SIGUSR1" in (RUN / "log.txt").read_text().splitlines()[-1]


def test_what_is_saved_is_listed_before_and_after_it_is_gone_on_with(interrupted, capsys):
    (row,) = listing(capsys)
    assert (row["cell"], row["status"], row["epoch"]) == (CELL, "", "2")
    assert (row["last_checkpoint"], row["resumable"], row["damaged"]) == ("epoch-00002-batch-0000001", "yes", "")
    assert float(row["age_s"]) < 600
    assert int(row["bytes"]) > 1000
    train()
    (row,) = listing(capsys)
    assert (row["status"], row["epoch"], row["resumable"], row["why_not"]) == ("measured", "2", "no", "ended")
    cli.run(["runs", "list", "--results", str(RESULTS)])
    assert "no: ended" in capsys.readouterr().out


def test_damage_and_another_configuration_are_listed(interrupted, capsys):
    (saved,) = (RUN / "checkpoints").iterdir()
    newest = listed(saved)[-1]
    (newest / TENSORS).write_bytes(b"")
    (row,) = listing(capsys)
    assert row["damaged"] == newest.name
    assert row["last_checkpoint"] == listed(saved)[-2].name
    assert row["resumable"] == "yes"
    saved.rename(saved.with_name("0123456789abcdef"))
    (row,) = listing(capsys)
    assert (row["resumable"], row["why_not"]) == ("no", "another configuration, code or data")


def test_a_suite_without_checkpoints_says_so(results, capsys):
    assert listing(capsys) == []
    cli.run(["runs", "list", "--results", str(RESULTS)])
    assert "nothing is saved of any run" in capsys.readouterr().out


def test_the_drill_a_lost_run_is_restored_and_ends_with_the_same_bytes(interrupted, capsys):
    shutil.rmtree(RUN)
    cli.run(["runs", "restore", CELL, "--results", str(RESULTS)])
    assert "checkpoints of run" in capsys.readouterr().out
    assert listing(capsys)[0]["resumable"] == "yes"
    train()
    told = read_json(RUN / "provenance.json")["interruptions"]
    assert (told["n_resumed"], told["lost_steps"]) == (1, 0)
    restored = left_by()
    shutil.rmtree(RUN)
    shutil.rmtree("second")
    train()
    assert read_json(RUN / "provenance.json")["interruptions"]["n_resumed"] == 0
    assert left_by() == restored


def test_a_run_that_begins_anew_beside_a_second_copy_says_so(interrupted, capsys):
    shutil.rmtree(RUN)
    train()
    assert "is a second copy: `vitalbench runs restore` brings it back" in capsys.readouterr().err


def test_a_damaged_copy_is_left_out_and_a_run_is_found_by_its_id(interrupted, tmp_path, capsys):
    (saved,) = (RUN / "checkpoints").iterdir()
    copies = SECOND / saved.name
    before, newest = listed(copies)[-2:]
    (newest / TENSORS).write_bytes(b"")
    to = tmp_path / "elsewhere"
    cli.run(["runs", "restore", saved.name, "--to", str(to), "--results", str(RESULTS)])
    assert f"{newest}: damaged, left out: {TENSORS}: sealed as" in capsys.readouterr().err
    assert listed(to / "checkpoints" / saved.name)[-1].name == before.name
    for path in listed(copies):
        (path / TENSORS).unlink()
    with pytest.raises(InputError, match="none of its checkpoints is sound"):
        cli.run(["runs", "restore", saved.name, "--results", str(RESULTS)])


def test_what_cannot_be_restored_is_one_line(interrupted):
    with pytest.raises(
        InputError, match=rf"second: there is no copy of a run named 'ptbxl/x'; allowed: \w{{16}}, {CELL}$"
    ):
        cli.run(["runs", "restore", "ptbxl/x", "--results", str(RESULTS)])
    path = RESULTS / "config/checkpoints.json"
    write_json(path, read_json(path) | {"backup": None})
    with pytest.raises(InputError, match="no backup folder is configured; name it with --backup FOLDER"):
        cli.run(["runs", "restore", CELL, "--results", str(RESULTS)])


def test_second_copies_below_the_home_are_found(interrupted, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    cli.run(["runs", "restore", CELL, "--backup", "~/second", "--results", str(RESULTS)])
    assert "checkpoints of run" in capsys.readouterr().out


def test_a_cell_that_failed_is_listed_as_such_and_goes_on_once_it_is_told_to(interrupted, capsys):
    (saved,) = (RUN / "checkpoints").iterdir()
    keys = {"dataset": "ptbxl", "task": "superdiagnostic", "design": "mortal", "target": "cpu", "seed": 0, "fold": 0}
    told = {"status": "failed", "reason": "OSError: no space left", "run_id": saved.name}
    write_json(RUN / "status.json", keys | told)
    (row,) = listing(capsys)
    assert (row["resumable"], row["why_not"]) == ("no", "failed: `runs resume` lets it go on")
    cli.run(["runs", "resume", CELL, "--results", str(RESULTS)])
    assert f"{CELL}: the next `snakemake` goes on with it\n" in capsys.readouterr().out
    (row,) = listing(capsys)
    assert row["resumable"] == "yes"
    train()
    assert read_json(RUN / "provenance.json")["interruptions"]["n_resumed"] == 1


def test_what_a_process_is_at_work_on_is_neither_restored_nor_resumed(interrupted):
    before = sorted(RUN.rglob("*"))
    with only_one_in(RUN), pytest.raises(GateError, match="another process is at work on this"):
        cli.run(["runs", "restore", CELL, "--results", str(RESULTS)])
    assert sorted(RUN.rglob("*")) == before


def test_a_backup_that_cannot_be_written_warns_once_and_stops_nothing(results, capsys):
    Path("second").write_text("a file, no folder")
    train()
    assert read_json(RUN / "status.json")["status"] == "measured"
    assert capsys.readouterr().err.count("warning: no second copy of") == 1
