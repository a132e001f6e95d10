"""`vitalbench watch`: what runs is shown as running, what is gone as gone, on any terminal and whatever the files hold."""

import io
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import ROOT
from tests.unit.test_progress_file import HERE, progress
from vitalbench import cli
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan
from vitalbench.config.slices import write_slices
from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import PROGRESS, SUITE_SLICE, WATCH_SLICE
from vitalbench.measure.clock import Stopwatch
from vitalbench.results import Results
from vitalbench.watch.cells import Seen, look
from vitalbench.watch.progress_file import write_progress
from vitalbench.watch.view import view

DEAD = HERE.model_copy(update={"started": 1.0})
PLACE = {"epoch": 2, "epochs": 4, "batch": 3, "batches": 10, "loss": 0.5, "val_loss": 0.25}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planned")
    opened = ConfigFolder(ROOT / "configs")
    write_slices(make_plan(opened, opened.knobs({"targets": ["cpu", "h100"]})), opened, folder)
    return folder / "quick"


@pytest.fixture
def suite(planned, tmp_path):
    return Path(shutil.copytree(planned, tmp_path / "results/quick"))


def runs(suite):
    """The folders of the cells that are to run, by design and seed."""
    cells = [result for result in Results(suite).cells if result.cell.target == "cpu"]
    return {(result.cell.design, result.cell.seed): result.folder for result in cells}


def shown(suite, width=120):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view(str(suite), look(suite)))
    return console.file.getvalue()


def states(suite):
    return {seen.path.split("/", 2)[2]: seen.state for seen in look(suite)}


def test_every_state_a_cell_can_be_in(suite):
    left = runs(suite)
    write_progress(left["s4d", 0], progress())
    write_progress(left["s4d", 1], progress(writer=DEAD))
    write_progress(left["xresnet1d101", 0], progress(stage="interrupted"))
    write_json(left["xresnet1d101", 1] / "status.json", {"status": "failed", "reason": "the loss is nan"})
    write_progress(left["xresnet1d101", 1], progress(stage="ended", status="failed"))
    left["prevalence", 0].mkdir(parents=True)
    (left["prevalence", 0] / PROGRESS).write_text("{")
    found = states(suite)
    assert found["s4d/cpu/seed0-fold0"] == "running"
    assert found["s4d/cpu/seed1-fold0"] == "gone"
    assert found["xresnet1d101/cpu/seed0-fold0"] == "interrupted"
    assert found["xresnet1d101/cpu/seed1-fold0"] == "failed"
    assert found["prevalence/cpu/seed0-fold0"] == "unreadable"
    assert found["ideal-observer/cpu/seed0-fold0"] == "waiting"
    assert found["s4d/h100/seed0-fold0"] == "projected"


@pytest.mark.parametrize("width", [24, 40, 80, 300])
def test_all_of_a_running_cell_is_shown_at_any_width(suite, width):
    write_progress(runs(suite)["s4d", 0], progress(budget_usd=2.0, budget_hours=1.5))
    text = shown(suite, width)
    assert max(map(len, text.splitlines())) <= width
    together = re.sub(r"\s+", " ", text)
    for said in (
        "epoch 2 of 4", "loss 0.5000", "validation loss 0.2500", "validation auroc 0.8750", "800 records/s",
        "1.2 GB of host memory", "NVIDIA H200 87% busy", "12.3 GB of 141.0 GB", "2 min so far", "1 min left (projected)",
        "0.09 USD so far", "0.15 USD in all (projected)", "budget 2 USD", "budget 1.5 h", "at 3.6 USD/h (somewhere)",
    ):  # fmt: skip
        assert said.replace(" ", "") in together.replace(" ", ""), said
        assert width < 60 or said in text, said  # whole, wherever the line is long enough


def test_a_budget_that_will_not_suffice_is_told_and_one_of_the_suite_is_shown(suite, capsys):
    folder = runs(suite)["s4d", 0]
    write_progress(folder, progress(budget_usd=0.12, budget_hours=0.03))
    text = shown(suite)
    assert "budget 0.12 USD: not enough (projected)" in text
    assert "budget 0.03 h: not enough (projected)" in text
    write_progress(folder, progress(budget_usd=0.16, budget_hours=0.05))
    assert "not enough" not in shown(suite)
    path = suite / WATCH_SLICE
    write_json(path, read_json(path) | {"budget_suite_usd": 2.5})
    cli.run(["watch", "--once", "--results", str(suite)])
    assert "budget of the suite 2.5 USD" in " ".join(capsys.readouterr().out.split())


def test_what_someone_may_have_to_see_to_is_shown_first_and_what_never_began_last(suite):
    left = runs(suite)
    write_progress(left["s4d", 0], progress(writer=DEAD))
    write_json(left["s4d", 1] / "status.json", {"status": "measured", "reason": ""})
    write_progress(left["s4d", 1], progress(stage="ended", status="measured"))
    cells = look(suite)
    never = [Seen(f"ptbxl/x/y/cpu/seed{number}-fold0", "not-run", "not here") for number in range(40)]
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(view("suite", [*never, *cells, *never]))
    lines = [line for line in console.file.getvalue().splitlines() if "  gone" in line or "  measured" in line]
    assert [line.split()[0].split("/", 2)[2] for line in lines[-2:]] == ["s4d/cpu/seed0-fold0", "s4d/cpu/seed1-fold0"]
    assert "more" in console.file.getvalue()


def test_a_status_that_was_taken_back_is_no_process_that_was_lost(suite):
    folder = runs(suite)["s4d", 0]
    write_progress(folder, progress(stage="ended", status="not-allowed", writer=DEAD))
    assert states(suite)["s4d/cpu/seed0-fold0"] == "interrupted"
    write_progress(folder, progress(stage="ended", status="measured"))
    assert states(suite)["s4d/cpu/seed0-fold0"] == "running"  # about to write its status


def test_without_a_price_hours_are_shown_and_it_says_so(suite):
    write_progress(runs(suite)["s4d", 0], progress(usd_per_hour=None, price_key=""))
    text = shown(suite)
    assert "0.025 h so far   0.0417 h in all (projected)   no price: its target names none" in text
    assert "without the cells that have no price" in text


def test_before_training_and_with_several_processes(suite):
    write_progress(runs(suite)["s4d", 0], progress(stage="setting up", training=None, processes=4, gpus=[]))
    text = shown(suite)
    assert "setting up" in text
    assert "in the first of 4 processes" in text
    assert "(projected)" not in text
    assert "busy" not in text


def test_a_file_cannot_command_the_terminal(suite):
    folder = runs(suite)["s4d", 0]
    write_progress(folder, progress(price_key="\x1b[2J\x07evil [red]"))
    write_json(runs(suite)["s4d", 1] / "status.json", {"status": "failed\x1b[2J", "reason": "[bold]\x1b]0;x\x07"})
    text = shown(suite)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "?[2J?evil [red]" in text


def test_a_running_cell_of_an_earlier_plan_is_shown_beside(suite):
    folder = runs(suite)["s4d", 0]
    write_progress(folder.with_name("seed9-fold0"), progress())
    write_progress(folder.with_name("seed8-fold0"), progress(writer=DEAD))
    text = shown(suite)
    assert "seed9-fold0   not in the plan as last resolved" in text
    assert "seed8" not in text


def test_a_running_trial_of_a_search_is_shown_and_one_that_ended_is_not(suite):
    search = suite / "search/ptbxl/superdiagnostic/s4d-searched/cpu/fold0"
    write_progress(search / "trial-0003", progress())
    write_progress(search / "trial-0002", progress(writer=DEAD))
    text = shown(suite)
    assert "s4d-searched" in text
    assert "trial-0003" in text
    assert "not in the plan" not in text
    assert "trial-0002" not in text


def test_cells_of_several_targets_are_shown_each_with_its_price(suite):
    folder = runs(suite)["s4d", 0]
    write_progress(folder, progress())
    write_progress(folder.parents[1] / "h100/seed7-fold0", progress(usd_per_hour=7.2, price_key="dear"))
    text = shown(suite)
    assert "at 3.6 USD/h (somewhere)" in text
    assert "at 7.2 USD/h (dear)" in text
    assert "0.05 h and 0.27 USD of training jobs so far" in " ".join(text.split())


@pytest.mark.parametrize("change", [{"cells": [{"cell": {"new": 1}}]}, {"cells": 5}, {"cells": [{}]}])
def test_a_plan_of_another_version_is_one_line(suite, change):
    path = suite / SUITE_SLICE
    write_json(path, read_json(path) | change)
    with pytest.raises(InputError, match=r"suite\.json: not the plan of a suite as this version writes it") as caught:
        look(suite)
    assert "\n" not in str(caught.value)


def watch(*arguments, **options):
    command = [sys.executable, "-m", "vitalbench.cli", "watch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_no_results_is_one_line_and_exit_2(tmp_path):
    done = watch("--results", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no results of a suite are here" in done.stderr


def test_where_there_is_no_terminal_it_prints_once_and_writes_the_picture(suite, tmp_path, capsys):
    write_progress(runs(suite)["s4d", 0], progress())
    assert cli.run(["watch", "--results", str(suite), "--svg", str(tmp_path / "watch.svg")]) == 0
    assert capsys.readouterr().out.count("800 records/s") == 1
    picture = (tmp_path / "watch.svg").read_text()
    assert picture.startswith("<svg")
    assert "records/s" in picture


def on_a_terminal(*arguments):
    """Start `vitalbench watch` on a terminal of its own; returns the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "vitalbench.cli", "watch", *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    return child, ours


def read_until(terminal, wanted):
    """What the terminal shows until it shows something wanted, or nothing more comes, or for a minute."""
    text, watch = "", Stopwatch()
    while wanted not in text and watch.so_far() < 60 and select.select([terminal], [], [], 20)[0]:
        try:
            text += os.read(terminal, 65536).decode()
        except OSError:  # the other end is closed
            break
    return text


def test_on_a_terminal_it_follows_the_run_and_ctrl_c_ends_it_well(suite):
    folder = runs(suite)["s4d", 0]
    write_progress(folder, progress())
    child, terminal = on_a_terminal("--results", suite)
    assert "epoch 2 of 4" in read_until(terminal, "somewhere")
    write_progress(folder, progress(training=progress().training.model_copy(update={"epoch": 3})))
    assert "epoch 3 of 4" in read_until(terminal, "epoch 3 of 4")
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 0
    assert "Traceback" not in read_until(terminal, "\0")
    os.close(terminal)


def test_on_a_terminal_it_ends_by_itself_once_nothing_is_left_to_run(suite):
    for result in Results(suite).cells:
        if result.cell.target == "cpu":
            write_json(result.folder / "status.json", {"status": "measured", "reason": ""})
    child, terminal = on_a_terminal("--results", suite)
    assert "9 measured" in read_until(terminal, "\0")
    assert child.wait(20) == 0
    os.close(terminal)
