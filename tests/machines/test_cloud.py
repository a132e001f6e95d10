"""An object store on this machine: parts published and pulled, a suite's results as an object, the clouds' profiles planned."""

import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.conftest import ROOT
from tests.machines.conftest import EPOCHS
from tests.workflow.conftest import jobs
from tests.workflow.test_killed import left_by, mortal_project, run_folder, until

pytestmark = [pytest.mark.machines, pytest.mark.timeout(1800)]

CLOUD = ROOT / ".venv-cloud/bin"
BUCKET = "s3://bench/project"
STORE = "results/data/ptbxl/generated"
Run = Callable[..., subprocess.CompletedProcess]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    """The address of an empty object store."""
    if not (CLOUD / "moto_server").is_file():
        pytest.skip("no object store here: `make cloud` installs one")
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [str(CLOUD / "moto_server"), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        try:
            return requests.get(url, timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        until(server, answers, every_s=0.2)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def run(object_store) -> Run:
    """A program of `make cloud` as who has a key starts it; snakemake unless another is named."""
    own = {
        "PATH": f"{CLOUD}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": object_store,
    }  # fmt: skip

    def start(folder: Path, *arguments: str, program: str = "snakemake") -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(CLOUD / program), *arguments], cwd=folder, env=os.environ | own, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return start


@pytest.fixture(scope="module")
def published(run, split_project, tmp_path_factory) -> Path:
    """A project whose parts are in the object store."""
    project = Path(shutil.copytree(split_project, tmp_path_factory.mktemp("published") / "project"))
    found = run(project, "--cores", "1", "publish", "--config", "suite=mortal", f"publish_to={BUCKET}")
    assert found.returncode == 0, found.stdout[-3000:]
    return project


def pull(run: Run, project: Path) -> subprocess.CompletedProcess:
    return run(project, "--cores", "1", "pull", "--config", "suite=mortal", f"pull_from={BUCKET}")


def test_what_is_published_is_not_published_again(run, published):
    found = run(published, "--cores", "1", "publish", "--config", "suite=mortal", f"publish_to={BUCKET}")
    assert "Nothing to be done" in found.stdout


def test_a_store_of_pulled_parts_is_the_same_and_builds_none(run, published, tmp_path):
    project = mortal_project(tmp_path, EPOCHS)
    pulled = pull(run, project)
    assert pulled.returncode == 0, pulled.stdout[-3000:]
    assert jobs(pulled.stdout) == {"pull_index": 1, "pull_part": 1, "pull": 1}
    joined = run(project, "--cores", "1", "data", "--config", "suite=mortal")
    assert joined.returncode == 0, joined.stdout[-3000:]
    assert set(jobs(joined.stdout)) == {"store", "describe", "data"}
    for name in ("store.h5", "records.parquet", "parts/part-0000.h5"):
        assert (project / STORE / name).read_bytes() == (published / STORE / name).read_bytes(), name


def test_parts_of_other_settings_are_not_taken(run, published, tmp_path):
    project = mortal_project(tmp_path, EPOCHS)
    dataset = project / "configs/datasets/ptbxl.yaml"
    described = yaml.safe_load(dataset.read_text())
    described["standin"]["patients"] += 1
    dataset.write_text(yaml.safe_dump(described))
    found = pull(run, project)
    assert found.returncode != 0
    assert "MissingInputException" in found.stdout
    assert not (project / STORE / "parts").exists()


def test_a_damaged_object_becomes_no_store(run, published, object_store, tmp_path):
    project = mortal_project(tmp_path, EPOCHS)
    assert pull(run, project).returncode == 0
    with (project / STORE / "parts/part-0000.h5").open("r+b") as part:
        part.seek(-1, os.SEEK_END)
        part.write(b"\x55")
    found = run(project, "--cores", "1", "data", "--config", "suite=mortal")
    assert found.returncode != 0
    assert "part-0000.h5: damaged" in found.stdout


@pytest.mark.parametrize("profile", ["kubernetes", "aws-batch", "google-batch"])
def test_a_clouds_profile_plans_a_job_a_target(run, object_store, profile, tmp_path):
    project = mortal_project(tmp_path, EPOCHS)
    found = run(
        project, "--profile", f"profiles/{profile}", "--storage-s3-endpoint-url", object_store, "--dry-run", "cloud",
        "--config", "suite=mortal", "targets=[cpu,h100]", f"publish_to={BUCKET}",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:]
    assert jobs(found.stdout) == {"cloud_target": 2, "cloud": 1}
    assert f"{BUCKET}/runs/mortal/h100.tar" in found.stdout
    assert "gpu=1" in found.stdout


def test_a_cloud_gets_no_job_of_a_target_that_is_only_projected(run, object_store, project):
    found = run(
        project, "--profile", "profiles/kubernetes", "--storage-s3-endpoint-url", object_store, "--dry-run", "cloud",
        "--config", "suite=quick", f"publish_to={BUCKET}",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:]
    assert jobs(found.stdout) == {"cloud_target": 1, "cloud": 1}
    assert f"{BUCKET}/runs/quick/cpu.tar" in found.stdout


def test_a_suite_run_for_an_object_leaves_the_same_bytes_in_it(run, bare, object_store, tmp_path):
    """The job that a cloud gets, on this machine."""
    project = mortal_project(tmp_path / "there", EPOCHS)
    found = run(project, "--cores", "1", "cloud", "--config", "suite=mortal", f"publish_to={BUCKET}")
    assert found.returncode == 0, found.stdout[-3000:]
    shutil.rmtree(project)
    fetch = f"import boto3; boto3.client('s3', endpoint_url='{object_store}').download_file"
    fetched = run(tmp_path, "-c", f"{fetch}('bench', 'project/runs/mortal/cpu.tar', 'cpu.tar')", program="python")
    assert fetched.returncode == 0, fetched.stdout
    with tarfile.open(tmp_path / "cpu.tar") as archive:
        archive.extractall(tmp_path / "here/results", filter="data")
    assert left_by(run_folder(tmp_path / "here")) == left_by(run_folder(bare))
