"""Parts standardised while others download, against one after the other: `python -m tests.benchmarks.download_overlap`.

Both are `snakemake data` over the same release from a server here whose line has the declared rate. They differ by one edge of the
workflow: in the second every part waits for all downloads. A pair is one run of each, in a folder of its own, either of them first
in turn, so that what else the machine does falls on both alike. Counted is the time from the list of records to the last stored
part (what may overlap) and the wall time of the command (with Snakemake's start, the list and the join, the same in both).
`--against-itself` measures the overlapped workflow against itself: ratios no farther from 1 than those are no difference.
"""

import argparse
import os
import resource
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

from tests.leaky import write_clean
from tests.release_server import ReleaseServer
from tests.workflow.conftest import copy_project, snakemake
from vitalbench.config.folder import ConfigFolder
from vitalbench.data.checksums import write_checksums
from vitalbench.files import file_digest
from vitalbench.measure.clock import Stopwatch

ROOT = Path(__file__).parent.parent.parent
BASE = "files/ptb-xl/1.0.3"
DATA = "results/data/ptbxl/download"
SUITE = {
    "description": "records from a server",
    "source": "records",
    "size": "small",
    "grids": [{"datasets": ["ptbxl"], "tasks": ["superdiagnostic"], "designs": ["prevalence", "ideal-observer"]}],
}
LOOK = 0.02  # seconds, of stages that take tens
OVERLAPPED, SEQUENTIAL = "overlapped", "one after the other"


@dataclass(frozen=True)
class Taken:
    """What one run took.

    Attributes:
        stages: seconds from the list of records to the last stored part.
        whole: seconds of the command.
        foreign: the share of the machine's processor time that neither this process nor what it started took; None if unknown.
    """

    stages: float
    whole: float
    foreign: float | None


def serve_folder(release: Path, root: Path) -> int:
    """Move a release to where the publisher's server has it below `root`, beside its list; returns its bytes."""
    (root / BASE).parent.mkdir(parents=True)
    shutil.move(release, root / BASE)
    files = [path for path in (root / BASE).rglob("*") if path.is_file()]
    listed = {path.relative_to(root / BASE).as_posix(): file_digest(path) for path in files}
    (root / BASE / "SHA256SUMS.txt").write_text(write_checksums(listed))
    return sum(path.stat().st_size for path in files)


def prepare(folder: Path, parts: int | None = None, sequential: bool = False) -> Path:
    """A project with a suite of downloaded records; in a sequential one every part waits for all downloads."""
    project = copy_project(folder)
    (project / "configs/suites/records.yaml").write_text(yaml.safe_dump(SUITE))
    if parts:
        path = project / "configs/datasets/ptbxl.yaml"
        text = path.read_text()
        assert text.count("parts: 4") == 1
        path.write_text(text.replace("parts: 4", f"parts: {parts}"))
    if sequential:
        rules = project / "rules/common.smk"
        one, every = '-{{part}}.fetched.json"', '-{n:04d}.fetched.json"'
        text = rules.read_text()
        assert text.count(one) == 1
        start, end = text.index(one), text.index(one) + len(one)
        line = text.rindex("\n", 0, start) + 1
        rules.write_text(f"{text[:line]}[{text[line:start]}{every} for n in range({parts})]{text[end:]}")
    return project


def run(folder: Path, url: str, *arguments: str):
    """Snakemake with the suite, its records from `url`."""
    config = ["suite=records", "download=true", f"mirror={url}"]
    return snakemake(folder, "--cores", "2", *arguments, "--config", *config)


def _busy() -> tuple[float, float, float] | None:
    """Busy and all processor seconds of the machine so far, and those of this process and of what it waited for."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    tick = os.sysconf("SC_CLK_TCK")
    own = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = (sum(fields) - fields[3] - fields[4]) / tick
    spent = sum(used.ru_utime + used.ru_stime for used in own)  # processor time: a share of the machine's is told
    return busy, sum(fields) / tick, spent


class Stages:
    """When the list of records and the last part of a download were there, by this process' clock, a look every `LOOK` seconds."""

    def __init__(self, data: Path) -> None:
        self._data, self._watch = data, Stopwatch()
        self._listed: float | None = None
        self._stored, self._parts = 0.0, 0

    def look(self) -> None:
        if self._listed is None and (self._data / "release.json").exists():
            self._listed = self._watch.so_far()
        parts = len(list((self._data / "parts").glob("part-????.json")))
        if parts > self._parts:
            self._parts, self._stored = parts, self._watch.so_far()

    def listed_to_stored(self) -> float:
        """Seconds from the one to the other."""
        assert self._listed is not None, f"{self._data}: no release.json came"
        assert self._parts, f"{self._data}: no part came"
        return self._stored - self._listed


@contextmanager
def watched(data: Path) -> Iterator[Stages]:
    """Look at a download's folder while it is filled."""
    stages, done = Stages(data), threading.Event()

    def look() -> None:
        while not done.wait(LOOK):
            stages.look()

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield stages
    finally:
        done.set()
        looker.join()
        stages.look()


def seconds_of_data(folder: Path, served: Path, rate: float) -> Taken:
    """Build the store from nothing, on two cores over a line of `rate` bytes a second."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    before = _busy()
    with ReleaseServer(served, rate=rate) as server, watched(folder / DATA) as stages:
        watch = Stopwatch()
        found = run(folder, server.url, "data")
        whole = watch.lap()
    after = _busy()
    assert found.returncode == 0, found.stdout[-4000:]
    foreign = None
    if before and after:
        busy, total, own = (b - a for a, b in zip(before, after, strict=True))
        foreign = max(0.0, (busy - own) / total)
    return Taken(stages.listed_to_stored(), whole, foreign)


def stored_before_the_last_download(folder: Path) -> int:
    """How many parts were standardised while others were still coming."""
    parts = folder / DATA / "parts"
    last = max(path.stat().st_mtime_ns for path in parts.glob("*.fetched.json"))
    return sum((parts / f"{path.stem}.json").stat().st_mtime_ns < last for path in parts.glob("*.h5"))


def main(pairs: int, rate: float, patients: int, parts: int, against_itself: bool) -> None:
    """Print a row a pair, then the medians."""
    dataset = ConfigFolder(ROOT / "configs").dataset("ptbxl")
    assert dataset.standin
    dataset = dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": patients})})
    other = "overlapped again" if against_itself else SEQUENTIAL
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        write_clean(here / "release", dataset)
        size = serve_folder(here / "release", here / "served")
        folders = {
            OVERLAPPED: prepare(here / "a", parts),
            other: prepare(here / "b", parts, sequential=not against_itself),
        }
        print(
            f"{size:,} bytes at {rate:,.0f} bytes/s: {size / rate:.1f} s of line; {parts} parts; {os.cpu_count()} cores"
        )
        print(f"pair  {other} / {OVERLAPPED}: stages           whole          foreign load")
        ratios: list[tuple[float, float]] = []
        for pair in range(pairs):
            order = list(folders) if pair % 2 == 0 else list(folders)[::-1]
            taken = {kind: seconds_of_data(folders[kind], here / "served", rate) for kind in order}
            a, b = taken[OVERLAPPED], taken[other]
            ratios.append((b.stages / a.stages, b.whole / a.whole))
            load = ", ".join("unknown" if t.foreign is None else f"{t.foreign:.0%}" for t in (b, a))
            stages = f"{b.stages:5.1f} s / {a.stages:5.1f} s = {ratios[-1][0]:.2f}"
            print(
                f"{pair + 1:4d}  {stages}   {b.whole:5.1f} s / {a.whole:5.1f} s = {ratios[-1][1]:.2f}   {load}",
                flush=True,
            )
        early = [stored_before_the_last_download(folder) for folder in folders.values()]
        for at, what in enumerate(("stages", "whole")):
            found = sorted(ratio[at] for ratio in ratios)
            print(f"{what}: median {median(found):.2f}, {found[0]:.2f} to {found[-1]:.2f}, {pairs} pairs")
        print(f"parts stored before the last download: {early[0]} {OVERLAPPED}, {early[1]} {other}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1e6, help="bytes a second of the line")
    parser.add_argument("--patients", type=int, default=600)
    parser.add_argument("--parts", type=int, default=6)
    parser.add_argument("--against-itself", action="store_true")
    main(**vars(parser.parse_args()))
