"""The doctor: what works, what does not, and the next command to type."""

from pathlib import Path

from tests.conftest import ROOT
from vitalbench.compiled import missing
from vitalbench.doctor import machine, surroundings
from vitalbench.doctor.finding import answer, complaint


def test_a_program_that_is_missing_fails_or_hangs_has_no_answer(tool):
    tool("fails", "echo x; exit 1")
    tool("hangs", "exec sleep 30")
    tool("says", "echo words")
    assert answer("nothing-of-that-name") is None
    assert answer("fails") is None
    assert answer("hangs", seconds=0.2) is None
    assert answer("says") == "words"


def test_of_a_program_that_fails_the_last_line_is_told(tool):
    tool("fails", "echo first >&2; echo 'the reason' >&2; exit 1")
    tool("dumb", "exit 3")
    tool("hangs", "exec sleep 30")
    assert complaint("fails") == "the reason"
    assert complaint("dumb") == "exit code 3"
    assert complaint("hangs", seconds=0.2) == "no end in 0 s"
    assert complaint("nothing-of-that-name") == "nothing-of-that-name: no such file or directory"
    assert complaint("true") is None


def test_a_loop_that_was_not_compiled_is_named_with_what_compiles_it(monkeypatch, tmp_path):
    """Also one that is compiled more than once, of which a form is missing."""
    text = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("state_space.in_lanes_8", "state_space.in_lanes_4"))
    found = surroundings.loops()
    assert (found.works, found.told) == (True, "compiled")
    monkeypatch.setattr(surroundings, "missing", lambda: missing(tmp_path))
    found = surroundings.loops()
    assert not found.works
    assert found.told.startswith("not compiled: vitalbench.models.state_space.in_lanes_4;")
    assert "envs/setup.sh" in found.next


def test_without_apptainer_and_slurm_it_says_what_still_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not surroundings.apptainer().works
    assert "jobs run on this machine" in surroundings.slurm().told


def test_a_controller_that_does_not_answer_is_told_from_one_that_is_not_there(tool):
    tool("sinfo", "exit 1")
    found = surroundings.slurm()
    assert (found.works, found.next) == (False, "scontrol ping")


def test_slurm_without_its_plugin_says_how_to_install_it(tool, monkeypatch):
    tool("sinfo", "echo 'cpu* 2 idle gpu:h100:2'")
    monkeypatch.setattr(surroundings, "_SLURM_PLUGIN", "no-such-plugin")
    found = surroundings.slurm()
    assert (found.works, found.next) == (False, "make slurm")
    assert "cpu* 2 idle gpu:h100:2" in found.told


def test_a_registry_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(surroundings, "answer", lambda *command, seconds: None)
    assert not surroundings.registry().works


def test_a_disk_that_is_full_says_so(monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e9}))
    found = machine.disk(Path("/"))
    assert (found.works, found.told) == (False, "1 GB free in /")


def test_a_torch_that_sees_no_gpu_is_made_anew_without_touching_results(monkeypatch):
    import torch

    monkeypatch.setattr(machine, "cuda_names", lambda: ("NVIDIA H100",))
    monkeypatch.setattr(machine, "answer", lambda *command: "580.1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for cuda, command in ((None, "make fresh TORCH=cuda"), ("13.0", "nvidia-smi")):
        monkeypatch.setattr(torch.version, "cuda", cuda)
        found = machine.gpu()
        assert (found.works, found.next) == (False, command)
        assert found.told.startswith("NVIDIA H100, driver 580.1; torch ")


def test_the_clock_is_steady_only_where_the_same_work_takes_the_same_time(monkeypatch):
    laps = iter([1.0, 2.0] * 100)
    monkeypatch.setattr(machine, "Stopwatch", lambda: type("Watch", (), {"lap": lambda self: next(laps)})())
    assert not machine.clock().works
    laps = iter([1.0] * 200)
    assert machine.clock().works
