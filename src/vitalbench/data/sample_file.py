"""A sample file before it is read: in the release and nowhere else, and as long as its header says."""

import errno
import os
import stat
from functools import lru_cache
from pathlib import Path

from vitalbench.data.datasets import UnreadableRecord

# signal(5): how many samples a format packs into how many bytes.
_PACKED = {"8": (1, 1), "80": (1, 1), "16": (1, 2), "61": (1, 2), "160": (1, 2), "24": (1, 3), "32": (1, 4)}
_PACKED |= {"212": (2, 3), "310": (3, 4), "311": (3, 4)}
COMPRESSED = ("508", "516", "524")  # FLAC: the length says nothing
FORMATS = (*_PACKED, *COMPRESSED)
# At once: 2 GiB as the library holds them. A header may ask for any gap, and a file may be all holes.
_MOST_VALUES = 1 << 28


def _below(real: str, root: str) -> bool:
    return real.startswith(os.path.realpath(root).rstrip(os.sep) + os.sep)


@lru_cache(maxsize=4096)
def _folder_below(folder: str, root: str) -> bool:
    """Whether a folder is in the release, links followed; asked once for all of its files, which come by the thousand."""
    return _below(os.path.realpath(folder) + os.sep, root)


def size_within(path: Path | str, root: Path) -> int:
    """A file's size in bytes.

    Args:
        root: the release's folder.

    Raises:
        UnreadableRecord: the file, or a folder on the way to it, is a link that leads out of `root`.
        OSError, ValueError: it is not there, or cannot be, or is no regular file (a pipe has no size).
    """
    name, release = os.fspath(path), os.fspath(root)
    found = os.lstat(name)
    if stat.S_ISLNK(found.st_mode):
        found, inside = Path(name).stat(), _below(os.path.realpath(name), release)
    else:
        inside = _folder_below(name.rpartition(os.sep)[0] or os.curdir, release)
    if not inside:
        raise UnreadableRecord(
            "outside-release", f"{Path(name).name} is a link out of the release, or lies in a folder that is"
        )
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return found.st_size


def hold_size(name: str, size: int, form: str, samples: int, offset: int) -> None:
    """Hold a sample file's size against its header.

    Args:
        name: the file's.
        size: its bytes.
        form: its format, as the header writes it.
        samples: how many values, of all leads, the header promises.
        offset: bytes before them.

    Raises:
        UnreadableRecord: it is too short for them, or longer than they and their last group need. A longer file is not the one its
            header was written for, even where the beginning is as it should be.
    """
    if form in COMPRESSED:
        return
    together, taken = _PACKED[form]
    least = offset - (-samples * taken // together)
    most = offset - (-samples // together) * taken
    if size < least:
        raise UnreadableRecord("short-file", f"{name}: {size} bytes, its header needs {least}")
    if size > most:
        raise UnreadableRecord("long-file", f"{name}: {size} bytes, its header says {most}")


def hold_values(path: Path, values: int) -> None:
    """Refuse a record of more values, of all leads, than memory should be asked to hold."""
    if values > _MOST_VALUES:
        raise UnreadableRecord("unsupported-format", f"{path.name}.hea: {values:,} values at once")
