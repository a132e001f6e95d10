"""What Apptainer tells of an image."""

import json
import subprocess
from pathlib import Path

from vitalbench.image import starter


def answer(*command: str) -> str:
    """What a program prints; nothing where it is not there, does not end within a minute or fails."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def labels(image: Path) -> dict[str, str] | None:
    """An image's labels; None where Apptainer is not here or cannot read them."""
    text = answer(starter() or "apptainer", "inspect", "--json", str(image))
    try:
        return dict(json.loads(text)["data"]["attributes"].get("labels") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
