"""What a look at one thing found."""

import subprocess
from dataclasses import dataclass

from vitalbench.errors import plain


@dataclass(frozen=True)
class Finding:
    """One thing of a machine: whether it works, what was seen, and the next command to type where it does not."""

    what: str
    works: bool
    told: str
    next: str = ""

    def line(self) -> str:
        """As it is printed.

        >>> Finding("apptainer", False, "not in the path", "apt install apptainer").line()
        'apptainer     no   not in the path; next: apt install apptainer'
        """
        line = f"{self.what:<13} {'yes' if self.works else 'no':<5}{self.told}"
        # A name of a file may hold an end of a line, and a program's words anything.
        return plain(line + (f"; next: {self.next}" if self.next else ""))


def complaint(*command: str, seconds: float = 60) -> str | None:
    """The last line that a program which fails says of it, or None where it ends well."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except OSError as error:
        return f"{command[0]}: {(error.strerror or str(error)).lower()}"
    except subprocess.TimeoutExpired:
        return f"no end in {seconds:.0f} s"
    if found.returncode == 0:
        return None
    said = found.stderr.strip().splitlines() or [f"exit code {found.returncode}"]
    return said[-1].strip()


def answer(*command: str, seconds: float = 30) -> str | None:
    """What a program prints, or None where it is not there, does not end in time or fails."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
