"""Peak memory of a store against its number of records: `python -m tests.benchmarks.memory_curve 12500 200000`.

The records are the stand-in's files, listed as often as it takes: every row is read, checked and stored like any other. Each stage
is a process of its own, as in the workflow; counted is its own memory, looked at every hundredth of a second, without the pages
mapped from files, which the operating system takes back when it needs them. Parts are of one size, whatever their number.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from vitalbench.config.dataset import Dataset, DatasetBuild
from vitalbench.config.folder import ConfigFolder
from vitalbench.data.datasets import ptbxl
from vitalbench.files import write_json

ROOT = Path(__file__).parent.parent.parent
A_PART = 1500  # records
STAGES = {
    "acquire": "folder.acquire()",
    "standardise every part": "[folder.standardise(part) for part in range(folder.config.parts)]",
    "join": "folder.join()",
    "read 100 batches": "read_batches(folder)",
}
RUN = """
import sys, threading
from pathlib import Path
import numpy as np
from vitalbench.data.build import DataFolder
from vitalbench.data.store import Store

def read_batches(folder):
    rng, store = np.random.default_rng(0), Store(folder.path / "store.h5")
    for _ in range(100):
        store.read(rng.integers(0, store.records, 256))

def own_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

peak, done = own_kb(), threading.Event()

def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, own_kb())

watcher = threading.Thread(target=watch)
watcher.start()
folder = DataFolder(Path(sys.argv[1]))
try:
    {stage}
finally:
    done.set()
    watcher.join()
print(max(peak, own_kb()) / 1024)
"""


def peak_mb(stage: str, folder: Path) -> float:
    """The peak of one stage's process in MB."""
    code = RUN.format(stage=STAGES[stage])
    found = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    return float(found.stdout.split()[-1])


def repeated_release(dataset: Dataset, records: int, root: Path) -> None:
    """A release whose table lists the stand-in's files until there are `records` rows, each of a patient of its own."""
    ptbxl.write_standin(root, dataset)
    for mark in ("STAND-IN.txt", "standin_truth.csv"):
        (root / mark).unlink()
    for header in root.rglob("*.hea"):
        header.write_text("".join(line for line in header.read_text().splitlines(True) if not line.startswith("#")))
    table = pd.read_csv(root / "ptbxl_database.csv", dtype=str)
    many = pd.concat([table] * -(-records // len(table)), ignore_index=True).iloc[:records]
    ids = [str(number) for number in range(1, records + 1)]
    many.assign(ecg_id=ids, patient_id=ids).to_csv(root / "ptbxl_database.csv", index=False)


def curve(records: int, folder: Path) -> dict[str, float]:
    """Peak MB of each stage for a store of so many records."""
    dataset = ConfigFolder(ROOT / "configs").dataset("ptbxl")
    assert dataset.standin
    few = dataset.standin.model_copy(update={"patients": 1000})
    dataset = dataset.model_copy(update={"standin": few, "parts": -(-records // A_PART)})
    repeated_release(dataset, records, folder / "release")
    content = {"dataset": "ptbxl", "source": "local", "root": str(folder / "release"), "code": ""}
    write_json(folder / "config.json", content | {"config": dataset.model_dump(include=set(DatasetBuild.model_fields))})
    return {stage: peak_mb(stage, folder) for stage in STAGES}


def main() -> None:
    """Print a row a size."""
    print("records  " + "  ".join(STAGES))
    for records in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            found = curve(records, Path(folder))
        print(f"{records:7d}  " + "  ".join(f"{found[stage]:{len(stage)}.0f}" for stage in STAGES), flush=True)


if __name__ == "__main__":
    main()
