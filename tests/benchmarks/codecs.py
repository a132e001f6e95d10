"""Size and speed of the store's codecs: `python -m tests.benchmarks.codecs [FOLDER]`, on the stand-in or on a PTB-XL release.

A row a codec: bytes on disk against plain, records written a second, and the median milliseconds of 256 random records over
interleaved rounds, so that a busy machine slows all codecs alike.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from tests.conftest import build
from vitalbench.config.folder import ConfigFolder
from vitalbench.data.index import read_part
from vitalbench.data.standardise import standardise
from vitalbench.data.store import Store
from vitalbench.measure.clock import Stopwatch

ROOT = Path(__file__).parent.parent.parent
CODECS = ("none", "gzip", "zstd")
ROUNDS = 15


def main(release: Path | None) -> None:
    """Print the table."""
    dataset = ConfigFolder(ROOT / "configs").dataset("ptbxl")
    stores, sizes, rates = {}, {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for codec in CODECS:
            used = dataset.model_copy(update={"codec": codec})
            source = "local" if release else "generated"
            path = build("ptbxl", used, source, release, folder / codec)
            stores[codec] = Store(path)
            sizes[codec] = sum(part.stat().st_size for part in (path.parent / "parts").glob("*.h5"))
            rows = read_part(path.with_name("index.parquet"), 0)
            watch = Stopwatch()
            standardise(
                rows, used, source, release or path.parent / "release", folder / codec / "again" / "part-0000.h5"
            )
            rates[codec] = len(rows) / watch.lap()
        taken: dict[str, list[float]] = {codec: [] for codec in CODECS}
        rng = np.random.default_rng(0)
        for _ in range(ROUNDS):
            for codec, store in stores.items():
                chosen = rng.integers(0, store.records, 256)
                watch = Stopwatch()
                store.read(chosen)
                taken[codec].append(watch.lap())
        print("codec  size   written/s  batch ms")
        for codec in CODECS:
            size = sizes[codec] / sizes["none"]
            print(f"{codec:5s}  {size:5.2f}  {rates[codec]:9.0f}  {1000 * median(taken[codec]):8.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None)
