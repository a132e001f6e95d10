"""The doctor: what works, what does not, and the next command to type."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vitalbench.commands import doctor
from vitalbench.compiled import missing
from vitalbench.config.knobs import Knobs
from vitalbench.config.workflow import refuse_without_apptainer
from vitalbench.containers import inspect
from vitalbench.doctor import disks, machine, surroundings
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


@pytest.mark.parametrize(
    ("absent", "told"),
    [
        (
            ["vitalbench.measure.token_ring"],
            "how far apart the threads of a measurement are is not seen (core_to_core_ns)",
        ),
        (["vitalbench.data.unpack_212"], "the same is done without them, several times more slowly"),
    ],
)
def test_what_a_loop_that_was_not_compiled_costs_is_told(monkeypatch, absent, told):
    monkeypatch.setattr(surroundings, "missing", lambda: absent)
    assert surroundings.loops().told == f"not compiled: {absent[0]}; {told}"


def test_without_apptainer_and_slurm_it_says_what_still_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not surroundings.apptainer().works
    assert "jobs run on this machine" in surroundings.slurm(ROOT).told


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
    tool("nvidia-smi", r"printf '0, GPU-1, NVIDIA \377\n'")
    assert cuda_names() == ("NVIDIA \N{REPLACEMENT CHARACTER}",)


def test_what_apptainer_tells_in_another_form_is_no_label(tool, tmp_path):
    for said in ("[]", "{}", '{"data": {"attributes": {"labels": 5}}}', "words"):
        tool("apptainer", f"echo '{said}'")
        assert inspect.labels(tmp_path) is None


def test_a_controller_that_does_not_answer_is_told_from_one_that_is_not_there(tool):
    tool("sinfo", "exit 1")
    found = surroundings.slurm(ROOT)
    assert (found.works, found.next) == (False, "scontrol ping")


def test_slurm_without_its_plugin_says_how_to_install_it(tool, monkeypatch):
    tool("sinfo", "echo 'cpu* up 2 idle gpu:h100:2'")
    monkeypatch.setattr(surroundings, "_SLURM_PLUGIN", "no-such-plugin")
    found = surroundings.slurm(ROOT)
    assert (found.works, found.next) == (False, "make slurm")
    assert "cpu* up 2 idle gpu:h100:2" in found.told


@pytest.fixture
def cluster(tool, monkeypatch, tmp_path):
    """A SLURM of stand-ins: what sinfo lists, what sacct does, and a project whose profile names `cpu` and `gpu`."""
    monkeypatch.setattr(surroundings, "version", lambda name: "2.8.0")
    profile = tmp_path / "project/profiles/slurm/partitions.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text("partitions:\n  cpu: {max_runtime: 60}\n  gpu: {max_gpu: 2}\n  far: {cluster: other}\n")

    def look(rows: str, sacct: str = "exit 0"):
        tool("sinfo", f"cat <<'END'\n{rows}\nEND")
        tool("sacct", sacct)
        return surroundings.slurm(tmp_path / "project")

    return look


def test_a_slurm_that_takes_the_profiles_jobs_is_told_with_the_command(cluster):
    found = cluster("cpu* up 1 down* (null)\ncpu* up 3 idle (null)\ngpu up 2 drained gpu:h100:2")
    assert found.works
    assert "gpu up 2 drained gpu:h100:2; snakemake-executor-plugin-slurm 2.8.0: " in found.told
    assert found.told.endswith(": snakemake --profile profiles/slurm")


@pytest.mark.parametrize(
    "rows",
    [
        "cpu* up 1 down (null)\ngpu up 1 drained gpu:1",
        "cpu* down 4 idle (null)\ngpu inact 4 idle gpu:1",
        "cpu* up 0 n/a (null)\ngpu up 2 idle* gpu:1",
        "",
    ],
)
def test_a_slurm_of_which_no_partition_is_up_is_none(cluster, rows):
    found = cluster(rows)
    assert (found.works, found.next) == (False, "sinfo --list-reasons")
    assert found.told.endswith(": no partition is up with a node that takes jobs")


def test_a_partition_of_the_profile_that_the_cluster_has_not_is_named(cluster, tmp_path):
    found = cluster("normal* up 20 idle (null)\ncpu up 1 idle (null)")
    assert (found.works, found.next) == (False, "generate-slurm-partition-config > profiles/slurm/partitions.yaml")
    assert found.told.endswith("partitions.yaml: names gpu, which sinfo does not list")
    (tmp_path / "project/profiles/slurm/partitions.yaml").write_text("- cpu\n")
    assert cluster("cpu* up 1 idle (null)").told.endswith("partitions.yaml: no mapping 'partitions'")


def test_without_accounting_the_command_asks_squeue(cluster):
    rows = "cpu* up 3 idle (null)\ngpu up 2 mixed gpu:1"
    found = cluster(rows, "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert (found.works, found.next) == (False, "snakemake --profile profiles/slurm --slurm-status-command squeue")
    assert found.told.endswith("would never be seen (sacct: Slurm accounting storage is disabled)")


def test_a_registry_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(surroundings, "answer", lambda *command, seconds: None)
    assert not surroundings.registry().works


def devices(monkeypatch, free: dict[Path, float]) -> None:
    """Let each of these folders lie on a disk of its own, with what is free on it in gigabytes."""
    numbers = {path.resolve(): number for number, path in enumerate(free)}
    usage = {path.resolve(): amount * 1e9 for path, amount in free.items()}
    monkeypatch.setattr(disks, "_device", lambda path: numbers.get(path.resolve(), 0))
    monkeypatch.setattr(disks.shutil, "disk_usage", lambda path: type("Usage", (), {"free": usage[path.resolve()]}))


def test_each_disk_that_a_run_writes_to_is_looked_at_once(monkeypatch, tmp_path):
    here, full, backup = tmp_path / "here", tmp_path / "full", tmp_path / "backup"
    for folder in (here, full, backup):
        folder.mkdir()
    (here / "results").symlink_to(full)
    (full / "quick").mkdir()
    devices(monkeypatch, {here: 50, full: 0.1, full / "quick": 0.1, backup: 3})
    found = disks.disks(here, Knobs(backup=str(backup)))
    assert [finding.works for finding in found] == [True, False, False, True]
    assert found[0].told == f"50 GB free in {here}"
    assert found[1].told == f"0.1 GB free in {here}/results ({full}), and 2 are needed"
    assert found[1].next == "cp -a results/. FOLDER && ln -sfn FOLDER results"
    assert found[2].next == "mv results/quick FOLDER && ln -s FOLDER/quick results/quick"


@pytest.mark.parametrize("place", ["results/vitalbench", "data/results/of/results"])
def test_a_project_below_a_folder_named_results_gets_the_command_of_its_own(monkeypatch, tmp_path, place):
    here, elsewhere = tmp_path / place, tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir(parents=True)
    devices(monkeypatch, {here: 1})
    (found,) = disks.disks(here, Knobs())
    assert found.next == "ln -s FOLDER results"
    (here / "results/quick").mkdir(parents=True)
    devices(monkeypatch, {here: 50, here / "results/quick": 0.1})
    assert disks.disks(here, Knobs())[-1].next == "mv results/quick FOLDER && ln -s FOLDER/quick results/quick"


def test_what_puts_results_elsewhere_works_whether_or_not_there_are_any(monkeypatch, tmp_path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    devices(monkeypatch, {here: 1})

    def follow() -> None:
        (found,) = disks.disks(here, Knobs())
        command = found.next.replace("FOLDER", str(elsewhere))
        assert subprocess.run(["sh", "-c", command], cwd=here, check=False).returncode == 0, command

    follow()
    assert (here / "results").readlink() == elsewhere
    (here / "results").unlink()
    (here / "results").mkdir()
    (here / "results/kept").touch()
    follow()
    assert (here / "results").readlink() == elsewhere / "results"
    assert (here / "results/kept").is_file()


def test_results_that_take_no_file_are_told(tmp_path, monkeypatch):
    found = disks.results(tmp_path)
    assert (found.what, found.works) == ("results", True)
    path = tmp_path / "results"
    path.touch()
    found = disks.results(tmp_path)
    assert (found.works, found.next) == (False, "mv results results.old")
    path.unlink()
    path.symlink_to(tmp_path / "gone")
    found = disks.results(tmp_path)
    assert (found.works, found.next) == (False, 'mkdir -p "$(readlink results)"')
    path.unlink()
    path.mkdir()
    assert disks.results(tmp_path).told == f"{path} can be written"
    monkeypatch.setattr(disks, "complaint", lambda *command: "Read-only file system")
    found = disks.results(tmp_path)
    assert (found.works, found.told) == (False, f"{path} cannot be written: Read-only file system")
    assert not list(path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- executor: slurm\n", "is no mapping, `key: value`, but a list: snakemake cannot use it"),
        ("executor: [x, y]\n", "key 'executor' is ['x', 'y'], not the name of one: snakemake cannot use it"),
        ("executor: [x\n", "line 2: "),
        ("", "--profile profiles/site; jobs run on this machine"),
    ],
)
def test_a_profile_that_is_none_is_told_in_its_line(tmp_path, text, said):
    profile = tmp_path / "profiles/site/config.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text(text)
    assert said in doctor._where_jobs_run(profile, tmp_path)


def test_a_plugin_that_the_clouds_own_environment_has_is_one_activation_away(tmp_path):
    profile = tmp_path / "profiles/site/config.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text("executor: kubernetes\n")
    plugin = "snakemake-executor-plugin-kubernetes"
    assert doctor._where_jobs_run(profile, tmp_path).endswith(
        f"needs {plugin}, which is not installed; next: make cloud"
    )
    info = tmp_path / f".venv-cloud/lib/python3.11/site-packages/{plugin.replace('-', '_')}-0.5.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 0.5.1\n")
    assert doctor._where_jobs_run(profile, tmp_path).endswith(
        f"needs {plugin}, which .venv-cloud has (0.5.1); next: . .venv-cloud/bin/activate"
    )


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
