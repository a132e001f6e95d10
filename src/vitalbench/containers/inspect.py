"""What Apptainer tells of an image."""

import json
import subprocess
from pathlib import Path


def answer(*command: str) -> str:
    """What a program prints; nothing where it is not there, does not end within a minute or fails."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def labels(image: Path) -> dict[str, str] | None:
    """An image's labels; None where Apptainer is not here or cannot read them."""
    text = answer("apptainer", "inspect", "--json", str(image))
    return dict(json.loads(text)["data"]["attributes"].get("labels") or {}) if text else None
