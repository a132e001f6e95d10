"""The log of a run: a line at a time, so that a process that is killed leaves what it had said."""

from pathlib import Path

from vitalbench.measure.clock import utc_now
from vitalbench.progress import say


class RunLog:
    """Appends to a file, and says to whoever watches.

    Args:
        label: what the lines on standard error begin with.
        go_on: keep the lines of earlier processes that worked on the same run.
    """

    def __init__(self, path: Path, label: str, go_on: bool) -> None:
        self._path, self._label = path, label
        if not go_on:
            path.unlink(missing_ok=True)

    def note(self, text: str) -> None:
        """A line, or several, for the log alone."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{utc_now()} {text.rstrip()}\n")

    def tell(self, text: str) -> None:
        """A line for the log and for whoever watches."""
        self.note(text)
        say(f"{self._label} {text}")
