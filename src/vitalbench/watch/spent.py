"""How long a run has taken: the wall time of all processes that worked on it, which is what a machine is paid for."""

from collections.abc import Iterator
from pathlib import Path

from vitalbench import layout
from vitalbench.config.watching import Watch
from vitalbench.errors import InputError
from vitalbench.measure.clock import Stopwatch
from vitalbench.watch.progress_file import read_progress


class Spent:
    """Counts from its making on, beside what the run's progress file says of earlier processes.

    Attributes:
        earlier: seconds that earlier processes of this very run took: it was interrupted, stopped or killed.
        other: seconds of the cell's earlier runs.
        damaged: what is wrong with the file, where those are not known.
    """

    def __init__(self, run: Path, run_id: str) -> None:
        self._watch = Stopwatch()
        self.earlier = self.other = 0.0
        self.damaged = ""
        try:
            before = read_progress(run)
        except InputError as error:
            before, self.damaged = None, str(error)
        if before:
            goes_on = before.run_id == run_id and before.status != "measured"
            self.earlier = before.seconds if goes_on else 0.0
            self.other = before.other_seconds + (0.0 if goes_on else before.seconds)

    @property
    def here(self) -> float:
        """Of this process alone."""
        return self._watch.so_far()

    @property
    def seconds(self) -> float:
        """Of this run, so far."""
        return self.earlier + self._watch.so_far()


def usd_of_suite(results: Path, watch: Watch, without: Path) -> float:
    """What the runs and trials of a suite have taken since its results were begun, at the prices of now.

    Args:
        results: results/<suite>.
        without: the folder of a run or a trial that is left out.
    """
    total = 0.0
    for folder, target in jobs_of(results):
        if folder == without:
            continue
        try:
            progress = read_progress(folder)
        except InputError:
            continue  # its hours cannot be known; the view shows that it is damaged
        if progress:
            total += (progress.seconds + progress.other_seconds) / 3600 * (watch.usd_per_hour(target) or 0.0)
    return total


def jobs_of(results: Path) -> Iterator[tuple[Path, str]]:
    """The folders of a suite's training jobs that have begun, runs and trials, each with its target."""
    for pattern in (layout.RUN, str(Path(layout.TRIAL).parent)):
        parts = pattern.split("/")
        at = parts.index("{target}")
        for path in sorted(results.glob("/".join([parts[0], *("*" for _ in parts[1:]), layout.PROGRESS]))):
            yield path.parent, path.relative_to(results).parts[at]
