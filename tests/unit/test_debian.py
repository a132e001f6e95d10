"""Debian's packages of an image: from the snapshot of the list's time where it answers, and those listed or none."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_sif
from vitalbench.containers import build as building
from vitalbench.containers.build import System, build
from vitalbench.containers.debian import Archive, answers, archive, snapshot, versions_wanted
from vitalbench.errors import ConfigError, InputError
from vitalbench.files import read_json
from vitalbench.image import receipt_of

BASE = ROOT / "containers/base.def"
LISTED = (ROOT / "containers/debian.txt").read_text()


class Snapshots(BaseHTTPRequestHandler):
    """An archive that has one release."""

    def do_HEAD(self) -> None:
        time = re.fullmatch(r"/\d{8}T\d{6}Z/dists/bookworm/InRelease", self.path)
        self.send_response(200 if time else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def snapshots() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Snapshots)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_list_names_its_time_and_the_definitions_release():
    then = snapshot(LISTED)
    assert then
    assert re.fullmatch(r"http://snapshot\.debian\.org/archive/debian/20\d{6}T\d{6}Z", then)
    assert "\nlibc6 2.36-" in LISTED  # bookworm's
    assert "OSVersion: bookworm" in BASE.read_text()


def test_a_named_archive_stands_above_the_snapshot_and_that_above_the_machines_own(snapshots):
    own = "http://own.example/debian"
    assert archive(BASE, "http://named.example/debian", own, snapshots) == Archive(
        "http://named.example/debian", "named"
    )
    found = archive(BASE, None, own, snapshots)
    assert (found.url, found.what) == (snapshot(LISTED, snapshots), "snapshot of the list's time")
    assert archive(BASE, None, own, f"{snapshots}/elsewhere") == Archive(own, "this machine's own")
    assert not answers("http://127.0.0.1:9", "bookworm")
    with pytest.raises(InputError, match=r"base.def: no Debian archive is set up here; name one by --mirror"):
        archive(BASE, None, None, f"{snapshots}/elsewhere")


def test_the_switch_says_listed_or_any():
    assert versions_wanted({}) == "listed"
    assert versions_wanted({"VITALBENCH_DEBIAN_VERSIONS": "any"}) == "any"
    with pytest.raises(ConfigError, match=r"VITALBENCH_DEBIAN_VERSIONS=lasted; allowed: any, listed; nearest: listed"):
        versions_wanted({"VITALBENCH_DEBIAN_VERSIONS": "lasted"})


def test_a_definition_is_given_archive_and_versions_and_tells_what_it_found(tmp_path):
    system = System(Archive("https://mirror.example/debian", "named"), "listed", tmp_path)
    line = " ".join(building.command(BASE, Path("base.sif"), building.Site(), system))
    assert "--build-arg mirror=https://mirror.example/debian --build-arg versions=listed" in line
    assert f"--bind {tmp_path}:/mnt/told" in line
    text = BASE.read_text()
    assert '"${APPTAINER_ROOTFS}/mnt/told"' in text
    assert "cp system.txt /mnt/told" in text
    assert "versions=listed" in text  # also by hand
    # Apptainer takes what stands behind a number sign for a comment, also between quotes, and arguments there for unused.
    assert not re.search(r"#.*\{\{", text)
    assert system.found() is None
    (tmp_path / "system.txt").write_text("tar 1.34\n")
    assert system.found() == "tar 1.34\n"


@pytest.fixture
def definition(tmp_path) -> Path:
    """A definition with a list of two packages."""
    path = tmp_path / "base.def"
    path.write_text("Bootstrap: debootstrap\nOSVersion: bookworm\nMirrorURL: {{ mirror }}\n")
    (tmp_path / "debian.txt").write_text("# snapshot: 20260712T000000Z\nlibc6 2.36-9\ntar 1.34\n")
    return path


def an_apptainer(tool, found: str, source: Path) -> None:
    """One whose build finds these packages, and refuses others than those listed as base.def does."""
    tool(
        "apptainer",
        f"""
for word in "$@"; do
    case $word in *:/mnt/told) printf '{found}' >"${{word%:*}}/system.txt";; versions=any) any=1;; esac
    before=$image image=$word
done
[ "$1" = build ] || exit 0
cp {source} "$before"
[ -n "$any" ] || grep -v '^#' {source.parent}/debian.txt | cmp -s - "$(dirname "$before")/system" || exit 255
""",
    )
    (source.parent / "system").write_text(found.replace("\\n", "\n"))


def test_other_versions_are_refused_in_one_line_unless_the_switch_is_turned(tool, definition, tmp_path, monkeypatch):
    monkeypatch.setenv("VITALBENCH_DEBIAN_MIRROR", "http://live.example/debian")
    an_apptainer(tool, "libc6 2.36-10\\ntar 1.34\\n", write_sif(tmp_path / "source.sif"))
    image = tmp_path / "base.sif"
    with pytest.raises(InputError) as caught:
        build(definition, image, receipt_of(image))
    told = str(caught.value)
    assert "of Debian's packages from http://live.example/debian 1 not as listed in" in told
    assert "(libc6: listed 2.36-9, found 2.36-10)" in told
    assert "VITALBENCH_DEBIAN_MIRROR=http://snapshot.debian.org/archive/debian/20260712T000000Z" in told
    assert "\n" not in told
    assert not image.exists()
    assert not receipt_of(image).exists()
    monkeypatch.setenv("VITALBENCH_DEBIAN_VERSIONS", "any")
    build(definition, image, receipt_of(image))
    assert read_json(receipt_of(image))["debian"] == {
        "archive": "http://live.example/debian",
        "archive_is": "named",
        "versions": "any",
        "differences": ["libc6: listed 2.36-9, found 2.36-10"],
    }


def test_the_listed_versions_are_built_and_the_receipt_says_so(tool, definition, tmp_path, monkeypatch):
    monkeypatch.setenv("VITALBENCH_DEBIAN_MIRROR", "http://then.example/debian")
    an_apptainer(tool, "libc6 2.36-9\\ntar 1.34\\n", write_sif(tmp_path / "source.sif"))
    image = tmp_path / "base.sif"
    build(definition, image, receipt_of(image))
    told = read_json(receipt_of(image))["debian"]
    assert (told["versions"], told["differences"]) == ("listed", [])
