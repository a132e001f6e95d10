"""What the receipt beside an image says of its file, whoever built it."""

from pathlib import Path
from typing import Any

from vitalbench.containers.inspect import labels
from vitalbench.files import file_digest
from vitalbench.measure.clock import utc_now


def told_of(image: Path) -> dict[str, Any]:
    """Name, SHA-256, size, time of change, labels, and when this was written."""
    return {
        "image": image.name,
        "sha256": file_digest(image),
        "bytes": image.stat().st_size,
        "modified_ns": image.stat().st_mtime_ns,
        "labels": labels(image) or {},
        "written": utc_now(),
    }
