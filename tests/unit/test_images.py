"""Images: which one a process runs in, what one is built with, what it sees of the machine."""

import os
import re
import signal
import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from vitalbench.config.places import apptainer_options, check_images, folders
from vitalbench.config.planning import make_plan
from vitalbench.containers import build
from vitalbench.containers.build import Site, command
from vitalbench.containers.facts import facts, installed, label_lines
from vitalbench.errors import ConfigError, InputError, Interrupted
from vitalbench.files import file_digest, read_json, write_json
from vitalbench.image import (
    LOCK,
    LOCK_LABEL,
    PINS,
    image_digest,
    image_here,
    otherwise,
    pin_digest,
    receipt_of,
    source_digest,
)
from vitalbench.unfinished import attempt


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "cpu.sif"
    path.write_bytes(b"an image")
    return path


def test_on_the_bare_machine_there_is_no_image():
    assert image_here({}) is None


def test_a_process_in_an_image_knows_its_name_hash_and_origin(image, tmp_path):
    write_json(tmp_path / "image.json", {"source": "abc", "lock": "def"})
    found = image_here({"APPTAINER_CONTAINER": str(image)}, tmp_path / "image.json")
    assert found == {"name": "cpu.sif", "sha256": file_digest(image), "source": "abc", "lock": "def"}


def test_a_process_in_a_container_of_a_clouds_says_what_its_image_was_built_from(tmp_path):
    """Which has no file there, and Apptainer did not start it."""
    write_json(tmp_path / "image.json", {"source": "abc", "lock": "def"})
    found = image_here({}, tmp_path / "image.json")
    assert found == {"name": None, "sha256": None, "source": "abc", "lock": "def"}


def test_the_receipt_spares_hashing_only_while_it_is_of_this_file(image):
    told = {"sha256": "told", "bytes": image.stat().st_size, "modified_ns": image.stat().st_mtime_ns}
    write_json(receipt_of(image), told)
    assert image_digest(image) == "told"
    os.utime(image, ns=(0, 0))
    assert image_digest(image) == file_digest(image)


def test_an_image_that_cannot_be_seen_from_within_has_no_hash(tmp_path):
    assert image_digest(tmp_path / "nothing.sif") is None


def test_the_hash_of_the_source_follows_its_files_and_nothing_else(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    before = source_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_bytes(b"0")
    assert source_digest(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    assert source_digest(tmp_path) != before


def test_the_facts_of_an_image_name_what_it_was_built_from(tmp_path):
    (tmp_path / "system.txt").write_text("libc6 2.36\n")
    (tmp_path / "debian.txt").write_text("# snapshot: x\nlibc6 2.36\n")
    found = facts(ROOT, tmp_path / "system.txt", tmp_path / "debian.txt")
    assert found["debian"] == "as listed"
    assert found["torch"] == installed("torch")
    assert re.fullmatch(rf"{re.escape(version('torch'))} [0-9a-f]{{16}}", found["torch"])
    assert found["lock"] == file_digest(ROOT / "envs/lock.txt")[:16]
    assert found["source"] == source_digest()


def test_an_image_says_of_each_list_of_versions_which_it_was_built_of(tmp_path):
    """Of those that lie in it: the base's, and the cloud's where that is added."""
    system = tmp_path / "system.txt"
    system.write_text("libc6 2.36\n")
    (tmp_path / "envs").mkdir()
    for file in PINS.values():
        (tmp_path / "envs" / Path(file).name).write_text(file)
    listed = (tmp_path / "envs/debian.txt").rename(tmp_path / "debian.txt")  # where base.def puts it
    listed.write_text("libc6 2.36\n")
    lies = {
        label: listed if file == "containers/debian.txt" else tmp_path / "envs" / Path(file).name
        for label, file in PINS.items()
    }
    expected = {label: pin_digest(path) for label, path in lies.items()}
    found = labels_of(facts(tmp_path, system, listed))
    assert {label: found[label] for label in PINS} == expected
    (tmp_path / "envs/cloud.txt").unlink()
    assert "rm envs/cloud.txt" in (ROOT / "containers/base.def").read_text()
    without = labels_of(facts(tmp_path, system, listed))
    assert set(found) - set(without) == {"org.vitalbench.pinned.cloud"}


def labels_of(found: dict[str, str]) -> dict[str, str]:
    """Labels as Apptainer reads them."""
    return dict(line.split(" ", 1) for line in label_lines(found).splitlines())


@pytest.mark.parametrize("file", PINS.values())
def test_an_image_of_another_list_of_versions_is_another_image(tmp_path, file):
    held = {"org.vitalbench.source": source_digest()}
    for label, path in PINS.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"{path}\n")
        held[label] = pin_digest(tmp_path / path)
    assert all(otherwise(held, tmp_path, name) is None for name in ("cpu.sif", "cuda.sif", "cloud.sif"))
    (label,) = [label for label in PINS if PINS[label] == file]
    before = held[label]
    (tmp_path / file).write_text("torch==2.12.1\n")
    told = f"holds the packages of {file} {before}, and here that is {pin_digest(tmp_path / file)}"
    assert otherwise(held, tmp_path, "cloud.sif") == told
    # What only the cloud's jobs use is no part of the others.
    assert otherwise(held, tmp_path, "cpu.sif") == (None if file == "envs/cloud.txt" else told)
    del held[label]  # as of an image that was built before there was this label
    assert otherwise(held, tmp_path, "cloud.sif").startswith(f"does not say of which {file} it was built")


def test_what_is_compared_of_an_image_is_what_the_rules_build_it_again_for():
    rules = (ROOT / "rules/containers.smk").read_text().split("\nrule ")
    inputs = {rule.split(":")[0]: rule.split("output:")[0] for rule in rules[1:]}
    for file in PINS.values():
        rule = "cloud_image" if file == "envs/cloud.txt" else "base_image"
        assert f'"{file}"' in inputs[rule]


def test_two_builds_of_a_version_are_told_apart_wherever_they_are_installed(tmp_path, monkeypatch):
    told = []
    for number, (script, code) in enumerate([("a", "x"), ("b", "x"), ("b", "y")]):
        notes = tmp_path / f"env{number}/made-1.0.dist-info"
        notes.mkdir(parents=True)
        (notes / "METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
        (notes.parent / "made").mkdir()
        (notes.parent / "made/core.py").touch()  # another finder of packages leaves out what is not there
        rows = [f"../../../bin/made,sha256={script},9", f"made/core.py,sha256={code},9", "made/__pycache__/core.pyc,,"]
        (notes / "RECORD").write_text("\n".join([*rows, f"made-1.0.dist-info/INSTALLER,sha256={number},9", ""]))
        with monkeypatch.context() as patch:
            patch.syspath_prepend(notes.parent)
            told.append(installed("made"))
    assert told[0] == told[1]
    assert told[1] != told[2]
    assert all(text.startswith("1.0 ") for text in told)


def test_an_image_is_built_with_what_the_site_sets_up(tmp_path):
    site = Site("https://mirror.example/debian", tmp_path, Path("/etc/ssl/certs"))
    line = " ".join(command(ROOT / "containers/base.def", Path("base.sif"), site))
    assert f"--bind {tmp_path}:/mnt/wheels:ro" in line
    assert 'mkdir -p "${APPTAINER_ROOTFS}/mnt/wheels"' in (ROOT / "containers/base.def").read_text()
    top = " ".join(command(ROOT / "containers/cpu.def", Path("cpu.sif"), site))
    assert "mirror" not in top


def test_a_failed_build_leaves_the_image_that_was_there(image, tool, monkeypatch):
    monkeypatch.setattr(build, "site_here", Site)
    tool("apptainer", "exit 1")
    with pytest.raises(InputError, match="apptainer build failed"):
        build.build(ROOT / "containers/cpu.def", image, receipt_of(image))
    assert image.read_bytes() == b"an image"
    assert attempt(image)  # a reason for Snakemake to run it again, though it puts the old one back as new


def test_the_receipt_is_of_the_image_that_was_built(image, tool, monkeypatch):
    monkeypatch.setattr(build, "site_here", Site)
    tool("apptainer", """[ "$1" != build ] || while [ $# -gt 2 ]; do shift; done; [ "$1" = test ] || echo new >"$1" """)
    told = build.build(ROOT / "containers/cpu.def", image, receipt_of(image))
    assert (told["image"], told["sha256"], told["bytes"]) == ("cpu.sif", file_digest(image), 4)
    assert read_json(receipt_of(image)) == told
    assert image_digest(image) == told["sha256"]
    assert told["modified_ns"] == image.stat().st_mtime_ns
    assert attempt(image) == ""


def test_the_receipt_says_which_image_it_stands_on(image, tmp_path, tool, monkeypatch):
    monkeypatch.setattr(build, "site_here", Site)
    monkeypatch.chdir(tmp_path)
    tool("apptainer", """[ "$1" != build ] || while [ $# -gt 2 ]; do shift; done; [ "$1" = test ] || echo new >"$1" """)
    (tmp_path / "containers").mkdir()
    base = tmp_path / "containers/base.sif"
    base.write_bytes(b"a base")
    for name in ("cpu", "cuda", "cloud"):
        told = build.build(ROOT / f"containers/{name}.def", image, receipt_of(image))
        assert told["base"] == {"image": "base.sif", "sha256": file_digest(base)}
    assert build.base_of(ROOT / "containers/base.def", tmp_path) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_build_that_a_signal_ends_leaves_no_process_and_no_file(image, tmp_path, tool, monkeypatch, number):
    """Of Apptainer's too, where what it has started is in a group of its own."""
    room = tmp_path / "room"
    room.mkdir()
    tool(
        "apptainer",
        f"""[ "$1" = build ] || exit 0
mkdir "$APPTAINER_TMPDIR/root"
setsid sh -c 'echo $$ >{tmp_path}/started; exec sleep 60' &
wait""",
    )
    started = tmp_path / "started"

    def end_once_started() -> None:
        while not (started.is_file() and started.read_text()):
            pass
        os.kill(os.getpid(), number)

    monkeypatch.setattr(build, "site_here", Site)
    monkeypatch.setenv("APPTAINER_TMPDIR", str(room))
    threading.Thread(target=end_once_started).start()
    with pytest.raises(Interrupted, match=f"ended by {number.name}") as caught:
        build.build(ROOT / "containers/cpu.def", image, receipt_of(image))
    assert caught.value.exit_code == 128 + number
    assert not psutil.pid_exists(int(started.read_text()))
    assert not list(room.iterdir())
    assert image.read_bytes() == b"an image"
    assert {path.name for path in tmp_path.glob("*cpu*")} == {"cpu.sif", ".cpu.sif.attempt"}


@pytest.mark.parametrize("content", [b"\x7fELF\xff\xfe", None])
def test_a_definition_that_is_no_text_or_not_there_is_told_and_nothing_is_made(tmp_path, tool, content):
    tool("apptainer", "true")
    if content:
        (tmp_path / "x.def").write_bytes(content)
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"x\.def: (no such file|no definition of an image: it is not text)"):
        build.build(tmp_path / "x.def", tmp_path / "x.sif", tmp_path / "x.json")
    assert set(tmp_path.iterdir()) == before


def test_an_image_sees_releases_to_read_and_the_backup_to_write(configs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    release, backup = tmp_path.parent / f"{tmp_path.name} release", tmp_path.parent / f"{tmp_path.name}-backup"
    release.mkdir()
    backup.mkdir()
    plan = make_plan(configs, configs.knobs({"backup": str(backup)}))
    plan = replace(plan, roots={"ptbxl": release, "within": tmp_path / "data"})
    assert folders(plan, {"VITALBENCH_KEY_FILE": "/keys/key"}) == {release: "ro", backup: "rw", Path("/keys/key"): "ro"}
    options = apptainer_options(plan, "--bind /scratch", driver=tmp_path / "none")
    own = "--env PYTHONPATH= --env PYTHONHOME="
    assert options == f"--bind /scratch --bind '{release}:{release}:ro' --bind {backup}:{backup}:rw {own}"
    assert apptainer_options(plan, options, driver=tmp_path) == f"{options} --nv"
    assert apptainer_options(plan, "--nvccli", driver=tmp_path).endswith(f"--nv {own}")


def test_a_backup_below_the_home_is_bound_where_the_job_looks_for_it(configs, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    plan = replace(make_plan(configs, configs.knobs({"backup": "~/copies"})), roots={})
    assert plan.knobs.backup == str(tmp_path / "copies")
    assert folders(plan, {}) == {tmp_path / "copies": "rw"}


def test_a_folder_behind_a_link_is_seen_by_both_of_its_names(configs, tmp_path, monkeypatch):
    project, there = tmp_path / "project", tmp_path / "there"
    for folder in (project, there / "results", there / "backup"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(project)
    (project / "results").symlink_to(there / "results")
    (tmp_path / "backup").symlink_to(there / "backup")
    plan = make_plan(configs, configs.knobs({"backup": str(tmp_path / "backup")}))
    named = dict.fromkeys((there / "results", there / "backup", tmp_path / "backup"), "rw")
    assert folders(replace(plan, roots={}), {}) == named


@pytest.mark.parametrize("name", ["data", "quick", "data/ptbxl", "quick/runs"])
def test_a_folder_of_results_that_lies_on_another_disk_is_seen(configs, tmp_path, monkeypatch, name):
    """By the name its link says, and by the one that this leads to."""
    project, disk, mounted = tmp_path / "project", tmp_path / "disk", tmp_path / "mounted"
    (project / "results" / name).parent.mkdir(parents=True)
    (disk / "there").mkdir(parents=True)
    (project / "within").mkdir()
    mounted.symlink_to(disk)
    monkeypatch.chdir(project)
    Path("results", name).symlink_to("../" * (2 + name.count("/")) + "mounted/there")
    Path("results/inside").symlink_to("../within")
    (project / "results/file").touch()
    Path("results/file-elsewhere").symlink_to(tmp_path / "project/results/file")
    plan = replace(make_plan(configs, configs.knobs({})), roots={})
    assert folders(plan, {}) == {mounted / "there": "rw", disk / "there": "rw"}
    options = apptainer_options(plan, "", driver=tmp_path / "none")
    assert options.startswith(f"--bind {disk}/there:{disk}/there:rw --bind {mounted}/there:{mounted}/there:rw ")


def test_an_image_that_a_site_keeps_elsewhere_is_seen_from_within(configs, tmp_path, monkeypatch):
    """Else no run in it could say which one it is."""
    project, kept = tmp_path / "project", tmp_path / "images"
    for folder in (project / "containers", kept):
        folder.mkdir(parents=True)
    (kept / "cpu-1.2.sif").write_bytes(b"an image")
    monkeypatch.chdir(project)
    Path("containers/cpu.sif").symlink_to(kept / "cpu-1.2.sif")
    plan = replace(make_plan(configs, configs.knobs({})), roots={})
    assert folders(plan, {}) == {kept / "cpu-1.2.sif": "ro"}
    assert apptainer_options(plan, "", driver=tmp_path / "none").startswith(f"--bind {kept}/cpu-1.2.sif:{kept}/cpu-")
    # Its receipt lies beside the link, and is of the file that this leads to.
    size, changed = (getattr((kept / "cpu-1.2.sif").stat(), name) for name in ("st_size", "st_mtime_ns"))
    write_json(Path("containers/cpu.json"), {"sha256": "told", "bytes": size, "modified_ns": changed})
    assert image_here({"APPTAINER_CONTAINER": str(project / "containers/cpu.sif")})["sha256"] == "told"
    Path("containers/cpu.sif").unlink()
    Path("containers/cpu.json").unlink()
    Path("containers").rmdir()
    Path("containers").symlink_to("../images")
    assert folders(plan, {}) == {kept: "ro"}


def test_jobs_start_in_no_image_that_is_not_there_or_holds_other_code(configs, tmp_path, monkeypatch):
    plan = make_plan(configs, configs.knobs({}))
    with pytest.raises(InputError, match=r"containers/cpu.sif: no such image, .*next: snakemake --cores 1 containers"):
        check_images(plan, tmp_path)
    (tmp_path / "containers").mkdir()
    path = tmp_path / "containers/cpu.sif"
    path.write_bytes(b"an image")
    with pytest.raises(InputError, match=r"it has no receipt cpu\.json beside it"):
        check_images(plan, tmp_path)
    write_json(receipt_of(path), {"labels": {"org.vitalbench.source": "abc"}})
    with pytest.raises(
        InputError, match=f"holds source abc, and this checkout is {source_digest()}; next: .*--forcerun cpu_image$"
    ):
        check_images(plan, tmp_path)
    for labels in (5, ["a"], "x"):
        write_json(receipt_of(path), {"labels": labels})
        with pytest.raises(InputError, match=r"cpu\.json: damaged: key 'labels' is .*, not a mapping; next: "):
            check_images(plan, tmp_path)
    write_json(receipt_of(path), {"labels": {"org.opencontainers.image.title": "vitalbench-cuda"}})
    with pytest.raises(InputError, match=r"it is titled vitalbench-cuda, and cpu\.sif is vitalbench; next: "):
        check_images(plan, tmp_path)
    held = {"org.vitalbench.source": source_digest(), "org.vitalbench.lock": "abc"}
    write_json(receipt_of(path), {"labels": held, "bytes": 8})
    check_images(plan, tmp_path)  # a project without a lock file asks for no packages
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/lock.txt").write_text("numpy==2.4.6\n")
    with pytest.raises(
        InputError,
        match=r"holds the packages of envs/lock.txt abc, and here that is .*--forcerun cpu_image base_image$",
    ):
        check_images(plan, tmp_path)
    write_json(receipt_of(path), {"labels": held | {LOCK_LABEL: pin_digest(tmp_path / LOCK)}, "bytes": 9})
    with pytest.raises(InputError, match=r"it is not the image that cpu\.json tells of: 8 bytes, not 9"):
        check_images(plan, tmp_path)
    path.write_bytes(b"an image.")
    check_images(plan, tmp_path)
    with pytest.raises(ConfigError, match="binds no path with a colon or a comma"):
        check_images(replace(plan, roots={"ptbxl": tmp_path / "a:b"}), tmp_path)
