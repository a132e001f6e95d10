"""Peak memory of a store, and of training from it, against its number of records.

`python -m tests.benchmarks.memory_curve 12500 200000`, and of images `... --dataset chestxray14-64 4000 16000`.

The records are the stand-in's files, listed as often as it takes: every row is read, checked and stored like any other. Each stage
is a process of its own, as in the workflow; counted is its own memory, looked at every hundredth of a second, without the pages
mapped from files, which the operating system takes back when it needs them. Parts are of one size, whatever their number.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from vitalbench.config.dataset import Dataset, DatasetBuild
from vitalbench.config.folder import ConfigFolder
from vitalbench.data.datasets import chestxray14, ptbxl
from vitalbench.files import write_json

ROOT = Path(__file__).parent.parent.parent
A_PART = 1500  # records
STAGES = {
    "acquire": "folder.acquire()",
    "standardise every part": "[folder.standardise(part) for part in range(folder.config.parts)]",
    "join": "folder.join()",
    "read 100 batches": "read_batches(folder)",
    "train an epoch": "train_an_epoch(folder)",
}
_DESIGNS = {"ptbxl": "xresnet1d101", "chestxray14-64": "resnet50"}  # at their small size
_TASKS = {"ptbxl": "superdiagnostic", "chestxray14-64": "findings"}
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

def train_an_epoch(folder):
    # By the recipe and the loop that train every design: one in eight records is validated on.
    from vitalbench.config.folder import ConfigFolder
    from vitalbench.data.store import read_records
    from vitalbench.train.cell import labels_of
    from vitalbench.train.context import Context
    from vitalbench.train.recipes.supervised import fit

    configs = ConfigFolder(Path("configs"))
    task, design = configs.task({task!r}), configs.design({design!r}, "small")
    design = design.model_copy(update={{"train": design.train.model_copy(update={{"epochs": 1}})}})
    records = read_records(folder.path / "store.h5")
    records["split"] = np.where(np.arange(len(records)) % 8 == 0, "val", "train")
    store, target = Store(folder.path / "store.h5"), configs.target("cpu")
    fit(Context(folder.config, task, design, target, store, records, labels_of(records, task), 0, lambda _: None))

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


def peak_mb(stage: str, folder: Path, name: str) -> float:
    """The peak of one stage's process in MB."""
    code = RUN.format(stage=STAGES[stage], task=_TASKS[name], design=_DESIGNS[name])
    command = [sys.executable, "-c", code, str(folder)]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stderr[-2000:]
    return float(found.stdout.split()[-1])


def repeated_images(dataset: Dataset, records: int, root: Path) -> None:
    """A release of so many images, each of a patient of its own: the stand-in's pixels, by hard links, without its watermark."""
    chestxray14.write_standin(root, dataset)
    for mark in ("STAND-IN.txt", "standin_truth.csv", "BBox_List_2017.csv", "train_val_list.txt", "test_list.txt"):
        (root / mark).unlink()
    files = sorted((root / "images").iterdir())
    for path in files:
        grey = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(grey).save(path.with_suffix(".plain"), format="PNG", compress_level=1)
        path.unlink()
    table = pd.read_csv(root / dataset.index_files[0], dtype=str)
    many = pd.concat([table] * -(-records // len(table)), ignore_index=True).iloc[:records]
    names = [f"{number:08d}_000.png" for number in range(1, records + 1)]
    for name, old in zip(names, many["Image Index"], strict=True):
        os.link(root / "images" / f"{Path(old).stem}.plain", root / "images" / name)
    many = many.assign(**{"Image Index": names, "Patient ID": [str(number) for number in range(1, records + 1)]})
    many.to_csv(root / dataset.index_files[0], index=False)


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


def curve(records: int, folder: Path, name: str = "ptbxl") -> dict[str, float]:
    """Peak MB of each stage for a store of so many records."""
    dataset = ConfigFolder(ROOT / "configs").dataset(name)
    assert dataset.standin
    few = dataset.standin.model_copy(update={"patients": 1000})
    dataset = dataset.model_copy(update={"standin": few, "parts": -(-records // A_PART)})
    (repeated_images if dataset.image else repeated_release)(dataset, records, folder / "release")
    content = {"dataset": name, "source": "local", "root": str(folder / "release"), "code": ""}
    write_json(folder / "config.json", content | {"config": dataset.model_dump(include=set(DatasetBuild.model_fields))})
    return {stage: peak_mb(stage, folder, name) for stage in STAGES}


def main() -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("records", nargs="+", type=int)
    parser.add_argument("--dataset", default="ptbxl", choices=list(_TASKS))
    args = parser.parse_args()
    print("records  " + "  ".join(STAGES))
    for records in args.records:
        with tempfile.TemporaryDirectory() as folder:
            found = curve(records, Path(folder), args.dataset)
        print(f"{records:7d}  " + "  ".join(f"{found[stage]:{len(stage)}.0f}" for stage in STAGES), flush=True)


if __name__ == "__main__":
    main()
