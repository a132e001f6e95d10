"""The header of an image's file: a file that is no image, or a part of one, is told before anything starts it.

Singularity Image Format 1.0: a line that starts the image (32 bytes), a magic, versions and an id, then eight 64-bit numbers, of
which the last two say where the data begin and how many bytes they are (github.com/apptainer/sif, `pkg/sif/sif.go`, `type header`).
"""

import struct
from pathlib import Path

from vitalbench.amounts import shown_size

_HEADER = struct.Struct("<32s10s3s3s16s8q")
_MAGIC = b"SIF_MAGIC\0"


def fault(image: Path) -> str | None:
    """What is wrong with an image's file by its header, in a few words; None where nothing is.

    Raises:
        OSError: the file cannot be read.
    """
    size = image.stat().st_size
    with image.open("rb") as stream:
        head = stream.read(_HEADER.size)
    if len(head) < _HEADER.size or head[32:42] != _MAGIC:
        return "no image of Apptainer's (SIF)"
    *_, begin, length = _HEADER.unpack(head)
    if begin + length > size:
        return f"truncated: {shown_size(size)} of the {shown_size(begin + length)} that its header tells of"
    return None
