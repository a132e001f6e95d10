"""Debian's packages of an image: the archive they are taken from, and the list they are held against."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from vitalbench.errors import ConfigError, InputError, choices

MIRROR_VARIABLE = "VITALBENCH_DEBIAN_MIRROR"
VERSIONS_VARIABLE = "VITALBENCH_DEBIAN_VERSIONS"
_VERSIONS = ("listed", "any")
_SNAPSHOTS = "http://snapshot.debian.org/archive/debian"
_TIME = re.compile(r"^# snapshot: (\d{8}T\d{6}Z)$", re.M)
_SUITE = re.compile(r"^OSVersion:\s*(\S+)", re.M)
_SHOWN = 3
_PATIENCE_S = 10


@dataclass(frozen=True)
class Archive:
    """Where Debian's packages come from, and in which words a receipt says so."""

    url: str
    what: str


def versions_wanted(environment: Mapping[str, str]) -> str:
    """Which versions a build may find: those `listed`, or `any`.

    Raises:
        ConfigError: the switch says something else.
    """
    said = environment.get(VERSIONS_VARIABLE) or "listed"
    if said not in _VERSIONS:
        raise ConfigError(f"{VERSIONS_VARIABLE}={said}; {choices(said, _VERSIONS)}")
    return said


def snapshot(listed: str, snapshots: str = _SNAPSHOTS) -> str | None:
    """The archive as it was when the list was made, by the time in the list's head.

    >>> snapshot("# snapshot: 20260712T000000Z\\nlibc6 2.36-9\\n", "http://host")
    'http://host/20260712T000000Z'
    """
    found = _TIME.search(listed)
    return f"{snapshots}/{found[1]}" if found else None


def answers(url: str, suite: str) -> bool:
    """Whether an archive has a release of that name, asked by its signed index."""
    try:
        asked = Request(f"{url.rstrip('/')}/dists/{suite}/InRelease", method="HEAD")
        with urlopen(asked, timeout=_PATIENCE_S) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError, ValueError):
        return False


def archive(definition: Path, named: str | None, own: str | None, snapshots: str = _SNAPSHOTS) -> Archive:
    """The archive a build takes: the one named; else the snapshot of the list's time where it answers; else this machine's own.

    Args:
        named: by --mirror or its variable.
        own: what apt is set up with here.

    Raises:
        InputError: there is none.
    """
    if named:
        return Archive(named, "named")
    suite = _SUITE.search(definition.read_text(encoding="utf-8"))
    then = snapshot(list_beside(definition), snapshots)
    if then and suite and answers(then, suite[1]):
        return Archive(then, "snapshot of the list's time")
    if own is None:
        raise InputError(f"{definition}: no Debian archive is set up here; name one by --mirror or {MIRROR_VARIABLE}")
    return Archive(own, "this machine's own")


def list_beside(definition: Path) -> str:
    """The list of packages that lies beside a definition."""
    path = definition.with_name("debian.txt")
    if not path.is_file():
        raise InputError(f"{path}: no such file; it lists the Debian packages that {definition.name} expects")
    return path.read_text(encoding="utf-8")


def _packages(text: str) -> dict[str, str]:
    return dict(line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def differences(found: str, listed: str) -> list[str]:
    """A line for each of the system's packages that an image has in another version than the list that is kept.

    >>> differences("libc6 2.36-9\\ntar 1.34\\n", "# snapshot: x\\nlibc6 2.36-8\\ntar 1.34\\n")
    ['libc6: listed 2.36-8, found 2.36-9']
    """
    new, old = _packages(found), _packages(listed)
    return [
        f"{name}: listed {old.get(name, 'none')}, found {new.get(name, 'none')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def told(differing: list[str]) -> str:
    """How an image's packages stand to the list, in a few words.

    >>> told([]), told(["tar: listed 1, found 2"])
    ('as listed', '1 not as listed')
    """
    return f"{len(differing)} not as listed" if differing else "as listed"


def refusal(definition: Path, differing: list[str], source: Archive) -> str:
    """The line that refuses a build, with the two ways on."""
    listed = list_beside(definition)
    shown = "; ".join([*differing[:_SHOWN], *(["..."] if len(differing) > _SHOWN else [])])
    then, path = snapshot(listed) or "a snapshot", definition.with_name("debian.txt")
    return (
        f"{definition}: of Debian's packages from {source.url} {len(differing)} not as listed in {path} ({shown}); "
        f"next: {MIRROR_VARIABLE}={then}, or {VERSIONS_VARIABLE}=any to build with what is there"
    )
