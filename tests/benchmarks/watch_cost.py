"""What being watched costs a training: `python -m tests.benchmarks.watch_cost`.

Timed apart, each the median of many: a word of the progress file, which a thread writes every two seconds, and what the loop itself
does for a batch that it tells of (place, event of TensorBoard, budget). Both are held against the time they fall into.
"""

import tempfile
from pathlib import Path
from statistics import median

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.watching import Rate, Watch
from vitalbench.measure.clock import Stopwatch
from vitalbench.train.course import Course
from vitalbench.train.observer import Begun
from vitalbench.watch.budget import Budget, Others
from vitalbench.watch.event_files import EventFiles
from vitalbench.watch.observers import Observers
from vitalbench.watch.progress import EVERY, ProgressFile
from vitalbench.watch.progress_file import write_progress
from vitalbench.watch.spent import Spent

BEGUN = Begun(epochs=10, steps=1000, records=16_000)


def observers(run: Path) -> tuple[Observers, ProgressFile]:
    """All that listens by default, with both budgets of a cell."""
    target = ConfigFolder(Path("configs")).target("cpu")
    watch = Watch(budget_usd=1e6, budget_hours=1e6, prices={"cpu": Rate(key="k", usd_per_hour=1.0, price_date="d")})
    spent = Spent(run, "run")
    progress = ProgressFile(run, "run", target, "cpu", watch, spent, besides=lambda: None)
    budget = Budget(watch, "cpu", spent, Others(lambda: 0.0), "")
    return Observers([progress, EventFiles(run, "run")], budget), progress


def timed(call, times: int) -> list[float]:
    """Seconds of each call."""
    taken = []
    for number in range(times):
        watch = Stopwatch()
        call(number)
        taken.append(watch.lap())
    return taken


def costs(run: Path, times: int) -> tuple[float, float]:
    """Median seconds of a word of the progress file, and of telling a batch."""
    told, progress = observers(run)
    start = Course()
    told.start(BEGUN, start)
    a_batch = timed(lambda number: told.batch(Course(batch=number + 1, taken=number + 1), 0.5), times)
    a_word = timed(lambda _: write_progress(run, progress._progress()), times)
    return median(a_word), median(a_batch)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        word, batch = costs(Path(folder), 1000)
    print(f"a word of the progress file {word * 1e3:.2f} ms, every {EVERY:g} s: {word / EVERY:.3%} of the time")
    print(f"a batch that is told of {batch * 1e6:.0f} us: 0.5 % of a step of {batch / 0.005 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
