"""Many files over HTTP in a bounded number of streams; what is here and verified is not asked for again."""

import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from vitalbench.config.publisher import LARGEST_FILE_BYTES
from vitalbench.data.http_file import HttpFile, Patience, Stopped
from vitalbench.data.receipts import Receipts
from vitalbench.errors import InputError
from vitalbench.measure.clock import Stopwatch
from vitalbench.progress import say

_TELL_S = 5.0  # between two lines of progress


def written(size: float) -> str:
    """Bytes for people, in powers of ten.

    >>> written(999), written(24_600), written(1_840_000_000)
    ('999 B', '24.6 kB', '1.84 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def _left(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Progress:
    """Counts what all streams receive and says now and then how far, how fast and how much longer.

    Args:
        label: what is downloaded.
        files: how many there are to fetch.
    """

    def __init__(self, label: str, files: int) -> None:
        self._label, self._files, self._lock, self._watch = label, files, threading.Lock(), Stopwatch()
        self._seconds = self._told = 0.0
        self.done = self.received = self._expected = 0

    def receive(self, size: int) -> None:
        """Count the bytes of a piece; tell, if it is time."""
        with self._lock:
            self.received += size
            self._seconds += self._watch.lap()
            if self._seconds - self._told >= _TELL_S:
                self._told = self._seconds
                say(f"{self.line()}, {self._time_left()}")

    def expect(self, size: int) -> None:
        """Learn the size of a file; told where there is but one."""
        with self._lock:
            self._expected = size

    def finish_file(self) -> None:
        """Count a whole file."""
        with self._lock:
            self.done += 1

    def _time_left(self) -> str:
        # Lists give no sizes: among many files the share of files is the share of work, in one file that of its bytes.
        share = self.done / self._files if self._files > 1 else self.received / max(self._expected, self.received, 1)
        return f"{_left(self._seconds * (1 - share) / share)} left" if share else "time left not known yet"

    def line(self) -> str:
        """Files, bytes and rate since the start."""
        rate = self.received / self._seconds if self._seconds else 0.0
        return (
            f"{self._label}: {self.done:,} of {self._files:,} files, {written(self.received)} received, "
            f"{written(rate)}/s"
        )


@dataclass(frozen=True)
class Site:
    """A folder of files on a server.

    Attributes:
        url: of the folder.
        streams: files that are fetched at once, at most.
        patience: how long to wait for what.
        most_bytes: of one file.
    """

    url: str
    streams: int = 8
    patience: Patience = field(default_factory=Patience)
    most_bytes: int = LARGEST_FILE_BYTES

    def file(self, name: str) -> str:
        """The URL of a file."""
        return f"{self.url.rstrip('/')}/{quote(name)}"


def _inside(root: Path, names: Mapping[str, str | None]) -> None:
    """Refuse a link that someone put into the folder and that leads out of it."""
    base = root.resolve()
    for parent in sorted({(root / name).parent for name in names}):
        if not parent.resolve().is_relative_to(base):
            raise InputError(f"{parent}: leads out of {root}")


def download(site: Site, wanted: Mapping[str, str | None], root: Path, work: Path, label: str) -> Receipts:
    """Have files below `root`, each whole and verified; those that are are left alone.

    Args:
        site: where they are.
        wanted: what SHA-256 each must have, by its path below both `site` and `root`; None takes what comes.
        root: where whole files go.
        work: a folder on the same file system for partial files and for the receipts of this `label`.
        label: what is downloaded, for messages.

    Returns:
        The receipts of all that is wanted.

    Raises:
        InputError: a file is not to be had, wrong twice, or cannot be written; the others of this call may be missing too.
    """
    _inside(root, wanted)
    receipts = Receipts(work / "receipts" / f"{label}.json", root)
    missing = {name: sha256 for name, sha256 in wanted.items() if receipts.sha256(name) != sha256 or sha256 is None}
    progress = Progress(label, len(missing))
    try:
        if missing:
            _fetch_all(site, missing, root, work / "partial", receipts, progress)
    finally:
        receipts.save()
    say(f"{progress.line()}; {len(wanted) - len(missing):,} were here")
    return receipts


def _fetch_all(
    site: Site, missing: Mapping[str, str | None], root: Path, partial: Path, receipts: Receipts, progress: Progress
) -> None:
    stop, own = threading.Event(), threading.local()
    lock = threading.Lock()

    def one(name: str, sha256: str | None) -> None:
        if stop.is_set():
            raise Stopped
        if not hasattr(own, "http"):  # a session is for one thread
            own.http = HttpFile(site.patience, stop, progress.receive, progress.expect, site.most_bytes)
        target = root / name
        target.unlink(missing_ok=True)  # what is there is not what is wanted
        try:
            found = own.http.fetch(site.file(name), target, partial / f"{name}.part", sha256)
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror}") from None
        with lock:
            receipts.add(name, found)
        progress.finish_file()

    with ThreadPoolExecutor(max_workers=site.streams) as pool:
        jobs = [pool.submit(one, name, sha256) for name, sha256 in missing.items()]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()  # after a failure every stream ends at its next piece; with all done there is none to end
            pool.shutdown(cancel_futures=True)
    problems = [job.exception() for job in jobs if not job.cancelled()]
    for problem in problems:
        if problem is not None and not isinstance(problem, Stopped):
            raise problem
