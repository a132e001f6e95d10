"""What a suite keeps on a disk, and what that costs a month: release, store, checkpoints, what else runs leave, a backup."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vitalbench.config.storage_prices import StoragePrice
from vitalbench.files import read_json
from vitalbench.layout import CHECKPOINTS
from vitalbench.results import Results

_GB = 1e9
_STORE = ("parts", "versions", "store.h5", "records.parquet", "index.parquet")  # below a data set's folder
_WEIGHTS = "model.safetensors"
_GROWS = ("raw", "processed")  # with the records


def bytes_below(path: Path) -> int:
    """Of a file, or of all files below a folder; a file that goes away meanwhile is not counted."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for file in path.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _release(folder: Path) -> Path:
    """Where the release lies: below the store's folder, or where the user has it."""
    root = read_json(folder / "config.json")["root"]
    return Path(root) if root else folder / "release"


def parts(results: Results, dataset: str, records: int | None = None) -> dict[str, tuple[float, str]]:
    """Bytes by what they are, and whether they were counted or projected; nothing where there are no records.

    Args:
        records: of a data set of another size, of which raw and processed records grow and what runs leave stays.
    """
    folder = results.data(dataset)
    if folder is None or not (folder / "manifest.json").is_file():
        return {}
    kept = bytes_of_runs = 0
    for run in results.measured:
        if run.cell.dataset == dataset:
            weights = bytes_below(run.folder / CHECKPOINTS) + bytes_below(run.folder / _WEIGHTS)
            kept, bytes_of_runs = kept + weights, bytes_of_runs + bytes_below(run.folder) - weights
    counted = {
        "raw": bytes_below(_release(folder)),
        "processed": sum(bytes_below(folder / name) for name in _STORE),
        "augmented": 0,  # drawn anew in every epoch
        "checkpoints": kept,
        "runs": bytes_of_runs,
    }
    here = read_json(folder / "manifest.json")["records"]
    found: dict[str, tuple[float, str]] = {}
    for name, size in counted.items():
        grown = records is not None and name in _GROWS
        found[name] = (size * records / here, "projected") if grown and records else (float(size), "measured")
    found["backup"] = (sum(size for size, _ in found.values()), "projected")  # one copy of all that
    found["total"] = (sum(size for size, _ in found.values()), "projected")
    return found


def storage_rows(
    results: Results, prices: Mapping[str, StoragePrice], records: int | None = None
) -> Iterator[dict[str, Any]]:
    """A row a data set, part and price."""
    for dataset in results.suite["datasets"]:
        for part, (size, basis) in parts(results, dataset, records).items():
            for told in prices.values():
                price = asdict(told)
                del price["key"]
                usd = size / _GB * told.usd_per_gb_month
                yield {"dataset": dataset, "part": part, "bytes": size, **price, "usd_month": usd, "basis": basis}
