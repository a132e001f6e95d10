"""Build an image from its definition, whole or not at all, and say what came out."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench.containers.debian import (
    MIRROR_VARIABLE,
    Archive,
    archive,
    differences,
    list_beside,
    refusal,
    versions_wanted,
)
from vitalbench.containers.inspect import answer
from vitalbench.containers.receipt import told_of
from vitalbench.errors import InputError
from vitalbench.files import atomic, write_json
from vitalbench.measure.clock import Stopwatch
from vitalbench.progress import say

_WHEELS = "/mnt/wheels"  # where a definition makes room for a site's own wheels
_TOLD = "/mnt/told"  # and where it leaves the list of the system's packages for the one who builds
# An eighth of the processor time of the default, gzip, and files 3 to 8 % smaller; Linux reads it since 4.14.
_PACKED = "-comp zstd -Xcompression-level 6"


@dataclass(frozen=True)
class Site:
    """What a site sets up for whatever is installed there: its archive of Debian, its wheels, its certificates."""

    archive: str | None = None
    wheels: Path | None = None
    certificates: Path | None = None


@dataclass(frozen=True)
class System:
    """What a definition that starts from Debian's archive is given: archive, versions, and where it tells what it found."""

    archive: Archive
    versions: str
    folder: Path

    def found(self) -> str | None:
        """The packages that the build found, where it came so far."""
        path = self.folder / "system.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else None


def site_here() -> Site:
    """What apt and pip are set up with on this machine, nothing where they are not."""
    archives = answer("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    links = answer(sys.executable, "-m", "pip", "config", "get", "global.find-links").split()
    certificates = Path("/etc/ssl/certs")
    return Site(
        archive=next((archive for archive in archives if "security" not in archive), None),
        wheels=next((Path(link) for link in links if Path(link).is_dir()), None),
        certificates=certificates if certificates.is_dir() else None,
    )


def from_debian(definition: Path) -> bool:
    """Whether a definition starts from Debian's archive rather than from an image."""
    return "{{ mirror }}" in definition.read_text(encoding="utf-8")


def command(definition: Path, image: Path, site: Site, system: System | None = None) -> list[str]:
    """Apptainer's command line. A definition takes what the site sets up where it names the argument in double braces."""
    line = ["apptainer", "build", "--fakeroot", "--force", "--notest", "--mksquashfs-args", _PACKED]
    if system:
        line += ["--build-arg", f"mirror={system.archive.url}", "--build-arg", f"versions={system.versions}"]
        line += ["--bind", f"{system.folder}:{_TOLD}"]
    if site.wheels and "{{ wheels }}" in definition.read_text(encoding="utf-8"):
        line += ["--build-arg", f"wheels={_WHEELS}", "--bind", f"{site.wheels}:{_WHEELS}:ro"]
    if site.certificates:
        line += ["--bind", f"{site.certificates}:{site.certificates}:ro"]
    return [*line, str(image), str(definition)]


def build(definition: Path, image: Path, receipt: Path, mirror: str | None = None) -> dict[str, Any]:
    """Build and test an image, then write its receipt: SHA-256, size, seconds, labels, and where Debian's packages came from.

    Raises:
        InputError: there is no Apptainer or no archive, Debian's packages are not those listed, or the build failed: Apptainer's
            own words go before.
    """
    if shutil.which("apptainer") is None:
        raise InputError(f"{definition}: building an image needs Apptainer, which is not here; see docs/CONTAINERS.md")
    site, watch = site_here(), Stopwatch()
    with tempfile.TemporaryDirectory(prefix="vitalbench-") as folder, atomic(image, 0o755) as temporary:
        system = None
        if from_debian(definition):
            source = archive(definition, mirror or os.environ.get(MIRROR_VARIABLE), site.archive)
            system = System(source, versions_wanted(os.environ), Path(folder))
            say(f"{definition}: Debian's packages from {source.url} ({source.what}), versions {system.versions}")
        failed = subprocess.run(command(definition, temporary, site, system), check=False).returncode != 0
        differing = differences(system.found() or "", list_beside(definition)) if system and system.found() else []
        if system and failed and differing and system.versions == "listed":
            raise InputError(refusal(definition, differing, system.archive))
        if failed:
            raise InputError(f"{definition}: apptainer build failed; its last lines above say why")
        seconds = watch.lap()
        if subprocess.run(["apptainer", "test", str(temporary)], check=False).returncode:
            raise InputError(f"{definition}: the image was built, but its %test failed; the lines above say where")
    content = told_of(image) | {"build_seconds": round(seconds, 1)}
    if system:
        said = {"archive": system.archive.url, "archive_is": system.archive.what, "versions": system.versions}
        content["debian"] = said | {"differences": differing}
    write_json(receipt, content)
    return content
