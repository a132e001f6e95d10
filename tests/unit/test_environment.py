"""The lists that environments are made from say the same."""

import os
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import yaml

from tests.conftest import ROOT

spec = spec_from_file_location("conda", ROOT / "envs/conda.py")
assert spec
assert spec.loader
conda = module_from_spec(spec)
spec.loader.exec_module(conda)


def locked(name: str) -> dict[str, str]:
    """Names and versions as pip reads them: a requirement a line, its continuation lines joined."""
    lines = (ROOT / "envs" / name).read_text().replace("\\\n", " ").splitlines()
    requirements = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return dict(requirement.split("==") for requirement in requirements)


def test_conda_installs_what_the_lock_file_says():
    written = yaml.safe_load((ROOT / "envs/environment.yml").read_text())
    packages = next(item["pip"] for item in written["dependencies"] if isinstance(item, dict))
    assert dict(package.split("==") for package in packages) == locked("torch.txt") | locked("lock.txt")
    project = (ROOT / "pyproject.toml").read_text()
    python = next(item for item in written["dependencies"] if str(item).startswith("python="))
    assert f">={python.removeprefix('python=')}" in re.search(r'requires-python = "(.*)"', project)[1]


def test_a_changed_lock_file_changes_what_conda_installs(tmp_path):
    for name in ("torch.txt", "lock.txt"):
        (tmp_path / name).write_text((ROOT / "envs" / name).read_text())
    assert conda.environment(tmp_path) == (ROOT / "envs/environment.yml").read_text()
    (tmp_path / "torch.txt").write_text("torch==0.0.1\n")
    assert "- torch==0.0.1\n" in conda.environment(tmp_path)


def test_what_is_installed_beside_the_lock_keeps_to_its_versions():
    lock = locked("lock.txt") | locked("torch.txt")
    for name in ("slurm.txt", "torch-cuda.txt"):
        beside = locked(name)
        assert {package: version for package, version in beside.items() if lock.get(package, version) != version} == {}


def test_what_submits_to_a_cloud_differs_where_the_clouds_libraries_ask_for_it_and_nowhere_else():
    lock, cloud = locked("lock.txt"), locked("cloud.txt")
    assert {name for name in lock.keys() & cloud.keys() if lock[name] != cloud[name]} == {"protobuf", "python-dateutil"}
    assert lock.keys() - cloud.keys() == {"tzdata"}  # which the older python-dateutil does without


def installed_by_setup(folder: Path, **environment: str) -> str:
    """What setup.sh has uv install, told by a Python and a uv that only say what they are asked."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, script in (("python", "exit 0"), ("uv", 'echo "$@"'), ("uname", "echo Linux x86_64")):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        ["sh", str(ROOT / "envs/setup.sh"), str(folder), "packages"],
        env=clean | {"PATH": path, "PYTHON": str(folder / "bin/python")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def test_torch_is_taken_by_hash_but_where_a_site_has_builds_of_its_own(tmp_path):
    registry = installed_by_setup(tmp_path)
    assert "--require-hashes" in registry
    assert "envs/torch-cuda.txt" in registry
    for own in ({"PIP_FIND_LINKS": "/opt/wheels"}, {"UV_INDEX": "https://site.example"}):
        site = installed_by_setup(tmp_path, **own)
        assert "--require-hashes" not in site
        assert "envs/torch.txt" in site
        asked = installed_by_setup(tmp_path, TORCH="cuda", **own)
        assert "--require-hashes" in asked
        assert "envs/torch-cuda.txt" in asked
    assert all("envs/lock.txt" in told for told in (registry, site, asked))


def test_what_is_installed_by_hash_has_one_for_every_package():
    """All but torch, which has a build of its own where a site keeps wheels (torch.txt)."""
    for name in ("bootstrap.txt", "lock.txt", "slurm.txt", "cloud.txt", "torch-cuda.txt"):
        text = (ROOT / "envs" / name).read_text().replace("\\\n", " ")
        pins = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
        assert pins, name
        assert [pin for pin in pins if "--hash=sha256:" not in pin] == [], name
    assert '--require-hashes -r "$here/bootstrap.txt"' in (ROOT / "envs/setup.sh").read_text()


def test_conda_users_are_told_where_the_cuda_libraries_stand():
    written = (ROOT / "envs/environment.yml").read_text()
    assert "pip install --no-deps --require-hashes -r envs/torch-cuda.txt" in written
    assert "torch" in locked("torch-cuda.txt")


def test_a_fresh_environment_leaves_the_results():
    """By what make would run: no line of it names them, and torch's build is handed on."""
    told = subprocess.run(
        ["make", "--dry-run", "fresh", "TORCH=cuda"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"rm -rf {ROOT}/.venv\n" in told.stdout
    assert "TORCH=cuda" in told.stdout
    assert "results" not in told.stdout
