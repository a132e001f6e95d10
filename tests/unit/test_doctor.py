"""The doctor: what works, what does not, and the next command to type."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from vitalbench.compiled import missing
from vitalbench.config.workflow import refuse_without_apptainer
from vitalbench.containers import inspect
from vitalbench.doctor import machine, surroundings
from vitalbench.doctor.finding import answer, complaint
from vitalbench.image import installs, starter
from vitalbench.measure.device import cuda_names


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


def test_an_apptainer_that_does_not_start_is_told_from_one_that_is_not_there(tool):
    tool("apptainer", "echo 'no such library' >&2; exit 3")
    found = surroundings.apptainer()
    assert (found.works, found.next) == (False, "apptainer --version")
    assert found.told == "apptainer is in the path and does not start: no such library"


def test_singularity_alone_is_taken_as_snakemake_takes_it(tool, monkeypatch, tmp_path):
    tool("singularity", "echo singularity-ce version 4.1.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert starter() == "singularity"
    assert surroundings.apptainer().told.startswith("singularity-ce version 4.1.0")
    refuse_without_apptainer()
    tool("apptainer", "echo apptainer version 1.4.5")
    assert starter() == "apptainer"


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("ID=debian\n", "wget https://github.com/apptainer/apptainer/releases/download/v1.4.5/"),
        ("ID=ubuntu\nID_LIKE=debian\n", "sudo add-apt-repository -y ppa:apptainer/ppa"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install -y epel-release && "),
        ("ID=fedora\n", "sudo dnf install -y apptainer"),
        ("ID=arch\n", "sed -n '/^## Apptainer/"),
    ],
)
def test_what_installs_apptainer_is_a_command_of_this_system(tmp_path, system, command):
    (tmp_path / "os-release").write_text(system)
    told = installs(tmp_path / "os-release")
    assert told.startswith(command)
    said = (ROOT / "docs/CONTAINERS.md").read_text()
    assert "\n## Apptainer\n" in said
    assert all(part.strip() in said for part in told.split("&&") if "dpkg" not in part and "sed" not in part)


def test_what_a_program_says_in_no_encoding_of_ours_is_no_defect(tool):
    tool("says", r"printf 'caf\351\n'; printf 'm\344rz\n' >&2; exit ${1:-0}")
    assert answer("says") == "caf\N{REPLACEMENT CHARACTER}"
    assert complaint("says", "1") == "m\N{REPLACEMENT CHARACTER}rz"
    assert inspect.answer("says").startswith("caf")
    tool("nvidia-smi", r"printf 'NVIDIA \377\n'")
    cuda_names.cache_clear()
    assert cuda_names() == ("NVIDIA \N{REPLACEMENT CHARACTER}",)
    cuda_names.cache_clear()


def test_what_apptainer_tells_in_another_form_is_no_label(tool, tmp_path):
    for said in ("[]", "{}", '{"data": {"attributes": {"labels": 5}}}', "words"):
        tool("apptainer", f"echo '{said}'")
        assert inspect.labels(tmp_path) is None


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
