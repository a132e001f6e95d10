"""An image through a real registry on the loopback: what comes back is what was pushed, byte for byte, or it is refused."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.machines.conftest import set_up
from tests.workflow.conftest import BIN
from vitalbench import layout
from vitalbench.files import file_digest, read_json
from vitalbench.image import PINS

pytestmark = [pytest.mark.machines, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("registry")
    try:
        set_up("registry.sh", "start", str(folder), str(port))
        yield f"127.0.0.1:{port}"
    finally:
        set_up("registry.sh", "stop", str(folder), str(port))


def ask(folder: Path, *command: str) -> subprocess.CompletedProcess:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def pulled(image, registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder with what docs/CONTAINERS.md says one pulls: the image, pushed before."""
    folder = tmp_path_factory.mktemp("pulled")
    for file in PINS.values():  # a checkout: what the image is held against
        (folder / file).parent.mkdir(exist_ok=True)
        os.link(ROOT / file, folder / file)
    pushed = ask(
        folder, "apptainer", "push", "--no-https", "--allow-unsigned", str(image), f"oras://{registry}/vitalbench:1"
    )
    assert pushed.returncode == 0, pushed.stderr
    came = ask(
        folder, "apptainer", "pull", "--no-https", "--disable-cache", "pulled.sif", f"oras://{registry}/vitalbench:1"
    )
    assert came.returncode == 0, came.stderr
    return folder


def test_what_is_pulled_takes_its_place_by_the_receipt_of_what_was_pushed(image, pulled):
    taken = ask(pulled, "vitalbench", "image", "take", "pulled.sif", "--expect", str(ROOT / layout.CPU_IMAGE_RECEIPT))
    assert taken.returncode == 0, taken.stderr
    assert file_digest(pulled / layout.CPU_IMAGE) == file_digest(image)
    assert (
        read_json(pulled / layout.CPU_IMAGE_RECEIPT)["labels"] == read_json(ROOT / layout.CPU_IMAGE_RECEIPT)["labels"]
    )
    started = ask(pulled, "apptainer", "exec", layout.CPU_IMAGE, "vitalbench", "--version")
    assert started.returncode == 0, started.stderr


def test_one_changed_byte_or_a_part_is_refused(image, pulled):
    digest, part = file_digest(image), pulled / "part.sif"
    with (pulled / "pulled.sif").open("rb") as whole:
        part.write_bytes(whole.read(1_000_000))
    told = ask(pulled, "vitalbench", "image", "take", "part.sif", "--expect", digest)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "part.sif: truncated: 1.0 MB of the" in told.stderr
    with (pulled / "pulled.sif").open("r+b") as changed:
        changed.seek(-1, os.SEEK_END)
        last = changed.read(1)
        changed.seek(-1, os.SEEK_END)
        changed.write(bytes([last[0] ^ 1]))
    told = ask(pulled, "vitalbench", "image", "take", "pulled.sif", "--expect", digest)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert f"expected {digest}: damaged on the way" in told.stderr
