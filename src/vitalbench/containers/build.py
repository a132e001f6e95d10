"""Build an image from its definition, whole or not at all, and say what came out."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench.errors import InputError
from vitalbench.files import atomic, file_digest, write_json
from vitalbench.measure.clock import Stopwatch, utc_now

_WHEELS = "/mnt/wheels"  # where a definition makes room for a site's own wheels
# An eighth of the processor time of the default, gzip, and files 3 to 8 % smaller; Linux reads it since 4.14.
_PACKED = "-comp zstd -Xcompression-level 6"
MIRROR_VARIABLE = "VITALBENCH_DEBIAN_MIRROR"


@dataclass(frozen=True)
class Site:
    """What a site sets up for whatever is installed there: its mirror of Debian, its wheels, its certificates."""

    mirror: str | None = None
    wheels: Path | None = None
    certificates: Path | None = None


def _answer(*command: str) -> str:
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def site_here(mirror: str | None = None) -> Site:
    """What apt and pip are set up with on this machine, nothing where they are not; `mirror` stands above apt's."""
    archives = _answer("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    links = _answer(sys.executable, "-m", "pip", "config", "get", "global.find-links").split()
    certificates = Path("/etc/ssl/certs")
    return Site(
        mirror=mirror or next((archive for archive in archives if "security" not in archive), None),
        wheels=next((Path(link) for link in links if Path(link).is_dir()), None),
        certificates=certificates if certificates.is_dir() else None,
    )


def command(definition: Path, image: Path, site: Site) -> list[str]:
    """Apptainer's command line. A definition takes what the site sets up where it names the argument in double braces.

    Raises:
        InputError: the definition starts from a Debian archive, and none is known here.
    """
    asked = definition.read_text(encoding="utf-8")
    line = ["apptainer", "build", "--fakeroot", "--force", "--notest", "--mksquashfs-args", _PACKED]
    if "{{ mirror }}" in asked:
        if site.mirror is None:
            raise InputError(
                f"{definition}: no Debian archive is set up here; name one by --mirror or {MIRROR_VARIABLE}"
            )
        line += ["--build-arg", f"mirror={site.mirror}"]
    if site.wheels and "{{ wheels }}" in asked:
        line += ["--build-arg", f"wheels={_WHEELS}", "--bind", f"{site.wheels}:{_WHEELS}:ro"]
    if site.certificates:
        line += ["--bind", f"{site.certificates}:{site.certificates}:ro"]
    return [*line, str(image), str(definition)]


def labels(image: Path) -> dict[str, str] | None:
    """An image's labels; None where Apptainer is not here or cannot read them."""
    text = _answer("apptainer", "inspect", "--json", str(image))
    return dict(json.loads(text)["data"]["attributes"].get("labels") or {}) if text else None


def build(definition: Path, image: Path, receipt: Path, mirror: str | None = None) -> dict[str, Any]:
    """Build and test an image, then write its receipt: SHA-256, size, seconds, labels.

    Raises:
        InputError: there is no Apptainer or no archive, or the build failed; Apptainer's own words go before.
    """
    if shutil.which("apptainer") is None:
        raise InputError(f"{definition}: building an image needs Apptainer, which is not here; see docs/CONTAINERS.md")
    site = site_here(mirror or os.environ.get(MIRROR_VARIABLE))
    watch = Stopwatch()
    with atomic(image, 0o755) as temporary:
        if subprocess.run(command(definition, temporary, site), check=False).returncode:
            raise InputError(f"{definition}: apptainer build failed; its last lines above say why")
        seconds = watch.lap()
        if subprocess.run(["apptainer", "test", str(temporary)], check=False).returncode:
            raise InputError(f"{definition}: the image was built, but its %test failed; the lines above say where")
    content: dict[str, Any] = {
        "image": image.name,
        "sha256": file_digest(image),
        "bytes": image.stat().st_size,
        "modified_ns": image.stat().st_mtime_ns,
        "build_seconds": round(seconds, 1),
        "labels": labels(image) or {},
        "written": utc_now(),
    }
    write_json(receipt, content)
    return content
