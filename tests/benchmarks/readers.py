"""Records a second of our reader over a loop of the field's library, on real files, one thread and all: a row a folder.

    python -m tests.benchmarks.readers FOLDER...

Each ratio is the median of interleaved pairs over the same files, in the page cache; the samples are held to be the same first.
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import numpy as np
import wfdb
from numpy.typing import NDArray

from vitalbench.data.wfdb_formats import read_header
from vitalbench.data.wfdb_record import read_recording
from vitalbench.measure.clock import Stopwatch

Read = Callable[[Path], NDArray[np.integer]]


def ours(path: Path) -> NDArray[np.integer]:
    """(leads, samples)."""
    return read_recording(path).digital


def library(path: Path) -> NDArray[np.integer]:
    """(leads, samples)."""
    found: NDArray[np.integer] = wfdb.rdrecord(str(path), physical=False).d_signal.T
    return found


def seconds(pool: ThreadPoolExecutor, shares: list[list[Path]], read: Read) -> float:
    """The wall time of reading every record once, a loop a thread; each record is let go of before the next."""

    def loop(share: list[Path]) -> None:
        for path in share:
            read(path)

    watch = Stopwatch()
    list(pool.map(loop, shares))
    return watch.lap()


def main() -> None:
    """Print a row a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--most", type=int, default=200, help="records of a folder")
    args = parser.parse_args()
    if args.pairs < 2:
        parser.error("--pairs: quartiles need 2 or more")
    print(
        "| folder | format | records | threads | records/s | over the library [quartiles] |\n|---|---|---:|---:|---:|---|"
    )
    for folder in args.folders:
        paths = [path.with_suffix("") for path in sorted(folder.rglob("*.hea"))[: args.most]]
        forms = {str(header.bits) if (header := read_header(path.with_suffix(".hea"))) else "other" for path in paths}
        differing = [path.name for path in paths if not np.array_equal(ours(path), library(path))]
        if not paths or differing:
            raise SystemExit(f"{folder}: {', '.join(differing) or 'no record'}: not the samples of the library")
        for threads in dict.fromkeys([1, os.cpu_count() or 1]):
            shares = [paths[k::threads] for k in range(threads)]
            with ThreadPoolExecutor(threads) as pool:
                pairs = [(seconds(pool, shares, library), seconds(pool, shares, ours)) for _ in range(args.pairs)]
            low, middle, high = quantiles([theirs / mine for theirs, mine in pairs], n=4)
            rate = len(paths) / quantiles([mine for _, mine in pairs], n=4)[1]
            print(
                f"| {folder.name} | {' '.join(sorted(forms))} | {len(paths)} | {threads} | {rate:,.0f} "
                f"| {middle:.1f} [{low:.1f}, {high:.1f}] |"
            )


if __name__ == "__main__":
    main()
