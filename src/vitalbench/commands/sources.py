"""Read data sets and say what they come to: records, patients, classes, what is kept out; real and generated apart.

Each is built in a folder of its own that is gone afterwards, from its stand-in and, with --data-root, from the release found there.
"""

import argparse
from pathlib import Path

import pandas as pd

from vitalbench.config.folder import ConfigFolder
from vitalbench.config.sources import local_release
from vitalbench.data.inventory import Inventory, take
from vitalbench.errors import ConfigError
from vitalbench.files import write_text

_HEAD = (
    "data set",
    "source",
    "recordings",
    "records",
    "patients",
    "classes",
    "kept out",
    "flagged",
    "seconds",
    "records/s",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="DATASET", help="default: all")
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="holds releases, each in a folder of its name")
    parser.add_argument("--no-generated", action="store_true", help="leave out the stand-ins")
    parser.add_argument("--configs", type=Path, default=Path("configs"))
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV too")


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {check}" for check, count in counts.items()) or "0"


def _row(name: str, source: str, found: Inventory) -> list[str]:
    counts = found.recordings, found.listed, found.patients, len(found.classes)
    told = [f"{count:,}" for count in counts]
    kept_out, flagged = _reasons(found.quarantined), _reasons(found.flagged)
    return [name, source, *told, kept_out, flagged, f"{found.seconds:.1f}", f"{found.per_second:,.0f}"]


def run(args: argparse.Namespace) -> None:
    """Read and tell."""
    folder = ConfigFolder(args.configs)
    if args.data_root is not None and not args.data_root.is_dir():
        raise ConfigError(f"--data-root: {args.data_root}: no such folder")
    rows = []
    for name in args.names or folder.names("datasets"):
        dataset = folder.dataset(name, "vitalbench sources")
        labels = folder.task(folder.first_task(name)).labels
        root = local_release(dataset, args.data_root, "--data-root") if args.data_root else None
        if root:
            rows.append(_row(name, "local", take(name, dataset, "local", root, labels)))
        if dataset.standin and not args.no_generated:
            rows.append(_row(name, "generated", take(name, dataset, "generated", None, labels)))
    if not rows:
        raise ConfigError(f"--data-root: {args.data_root} holds none of the data sets that were named")
    if args.out:
        write_text(args.out, pd.DataFrame(rows, columns=list(_HEAD)).to_csv(index=False, lineterminator="\n"))
    print(f"| {' | '.join(_HEAD)} |\n|---|---|---:|---:|---:|---:|---|---|---:|---:|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
