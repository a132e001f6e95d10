"""Build an image from its definition, whole or not at all, and say what came out."""

import os
import re
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
from vitalbench.containers.started import exit_code
from vitalbench.errors import InputError
from vitalbench.files import atomic, file_digest, write_json
from vitalbench.image import installs, starter
from vitalbench.interrupt import Interrupt
from vitalbench.measure.clock import Stopwatch
from vitalbench.progress import say
from vitalbench.unfinished import at_work

_WHEELS = "/mnt/wheels"  # where a definition makes room for a site's own wheels
_LOCAL = re.compile(r"^Bootstrap: *localimage\nFrom: *(\S+)$", re.M)
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


def read_definition(definition: Path) -> str:
    """The text of a definition.

    Raises:
        InputError: it is not there or no text.
    """
    try:
        return definition.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{definition}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text (UTF-8)"
        raise InputError(f"{definition}: no definition of an image: {told}") from None


def from_debian(definition: Path) -> bool:
    """Whether a definition starts from Debian's archive rather than from an image."""
    return "{{ mirror }}" in read_definition(definition)


def base_of(definition: Path, project: Path) -> Path | None:
    """The image that a definition stands on, where it is a file here; Apptainer reads its name from where it is started.

    Args:
        project: from where that is.
    """
    found = _LOCAL.search(read_definition(definition))
    path = project / found[1] if found else None
    return path if path is not None and path.is_file() else None


def command(definition: Path, image: Path, site: Site, system: System | None = None) -> list[str]:
    """Apptainer's command line. A definition takes what the site sets up where it names the argument in double braces."""
    line = [starter() or "apptainer", "build", "--fakeroot", "--force", "--notest", "--mksquashfs-args", _PACKED]
    if system:
        line += ["--build-arg", f"mirror={system.archive.url}", "--build-arg", f"versions={system.versions}"]
        line += ["--bind", f"{system.folder}:{_TOLD}"]
    if site.wheels and "{{ wheels }}" in read_definition(definition):
        line += ["--build-arg", f"wheels={_WHEELS}", "--bind", f"{site.wheels}:{_WHEELS}:ro"]
    if site.certificates:
        line += ["--bind", f"{site.certificates}:{site.certificates}:ro"]
    return [*line, str(image), str(definition)]


def _own_temporary(folder: Path) -> dict[str, str]:
    """The environment in which Apptainer builds below a folder, so that what it leaves when it is killed goes with that."""
    folder.mkdir()
    return {**os.environ, "APPTAINER_TMPDIR": str(folder), "SINGULARITY_TMPDIR": str(folder)}


def build(definition: Path, image: Path, receipt: Path, mirror: str | None = None) -> dict[str, Any]:
    """Build and test an image, then write its receipt: SHA-256, size, seconds, labels, the image it stands on, Debian's archive.

    Until both are whole the image and the receipt that were there before stay as they are.

    Raises:
        InputError: there is no Apptainer or no archive, Debian's packages are not those listed, or the build failed: Apptainer's
            own words go before.
        Interrupted: a signal ended it; Apptainer and what it had started have ended, and their files are gone.
    """
    read_definition(definition)
    # Where Apptainer would build by itself: the room that it takes may have been given it apart.
    room = os.environ.get("APPTAINER_TMPDIR") or os.environ.get("SINGULARITY_TMPDIR")
    with Interrupt("HUP") as signals, signals.held(), at_work(image):
        with (
            tempfile.TemporaryDirectory(prefix="vitalbench-", dir=room, ignore_cleanup_errors=True) as folder,
            atomic(image, 0o755) as temporary,
        ):
            content = _built(definition, temporary, Path(folder), mirror, signals) | {"image": image.name}
        write_json(receipt, content)
    return content


def _built(definition: Path, image: Path, folder: Path, mirror: str | None, signals: Interrupt) -> dict[str, Any]:
    """What the receipt says of an image that was built and tested in a file that has not its name yet."""
    program = starter()
    if program is None:
        raise InputError(f"{definition}: building an image needs Apptainer, which is not here; next: {installs()}")
    site, watch, system = site_here(), Stopwatch(), None
    # Before it is read: another that takes its place meanwhile is not the one this image stands on.
    base = base_of(definition, Path.cwd())
    stands_on = {"base": {"image": base.name, "sha256": file_digest(base)}} if base else {}
    if from_debian(definition):
        source = archive(definition, mirror or os.environ.get(MIRROR_VARIABLE), site.archive)
        told = folder / "told"
        told.mkdir()
        system = System(source, versions_wanted(os.environ), told)
        say(f"{definition}: Debian's packages from {source.url} ({source.what}), versions {system.versions}")
    failed = exit_code(command(definition, image, site, system), signals, _own_temporary(folder / "own")) != 0
    differing = differences(system.found() or "", list_beside(definition)) if system and system.found() else []
    if system and failed and differing and system.versions == "listed":
        raise InputError(refusal(definition, differing, system.archive))
    if failed:
        raise InputError(f"{definition}: {program} build failed; its last lines above say why")
    seconds = watch.lap()
    if exit_code([program, "test", str(image)], signals):
        raise InputError(f"{definition}: the image was built, but its %test failed; the lines above say where")
    content = told_of(image) | {"build_seconds": round(seconds, 1)} | stands_on
    if system:
        said = {"archive": system.archive.url, "archive_is": system.archive.what, "versions": system.versions}
        content["debian"] = said | {"differences": differing}
    return content
