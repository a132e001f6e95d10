"""The receipt of a built store: source -> code -> environment -> output, each link's hash over the one before.

The chain shows that files, configuration and code belong together. Someone who may write all of them can also write a new chain, so
its last hash is what to keep elsewhere.
"""

from pathlib import Path
from typing import Any

from vitalbench import layout
from vitalbench.chain import SHOWN, chained, contents, differing, hashes
from vitalbench.config.slices import data_code
from vitalbench.data.build import DataFolder
from vitalbench.data.datasets import UnreadableRecord, load
from vitalbench.data.index import read_part
from vitalbench.data.release import HEADERS, index_digests
from vitalbench.data.standardise import part_files, sample_digest
from vitalbench.data.store import read_records
from vitalbench.data.versions import kept_files, version_of
from vitalbench.errors import InputError
from vitalbench.files import file_digest, read_json, write_json
from vitalbench.provenance import environment, environment_differences

_JOINED = ("store.h5", "records.parquet", "quality.csv", "manifest.json")
_OUTPUTS = (*_JOINED, "index.parquet", layout.CROISSANT)


def _made(manifest: dict[str, Any], folder: Path) -> dict[str, str]:
    """The SHA-256 that every file of every part was joined with, by path below `folder`."""
    return {
        f"parts/{part_files(folder / 'parts' / name)[holds].name}": sha256
        for name, part in manifest["parts"].items()
        for holds, sha256 in part["sha256"].items()
    }


def write_recovered_receipt(folder: Path) -> None:
    """Write receipt.json of an older build that was recovered: its parts by the hashes its version is called after.

    What it was once made of, no version says; the receipt of the folder it was kept in does, as long as that holds the version.
    """
    manifest = read_json(folder / "manifest.json")
    links = {
        "version": {"version": manifest["version"], "samples": manifest["content"]},
        "environment": environment(),
        "output": _made(manifest, folder) | hashes({name: folder / name for name in ("config.json", *_JOINED)}),
    }
    write_json(folder / layout.DATA_RECEIPT, {"chain": chained(links)})


def _recovered(link: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    here = version_of({name: part["sha256"] for name, part in manifest["parts"].items()})
    return [] if here == link["version"] else [f"version: receipt {link['version']}, its parts give {here}"]


def write_receipt(folder: DataFolder) -> None:
    """Write receipt.json of a store that is joined and described.

    The environment is that of this process; parts that were kept from an earlier build may have been made in another.
    """
    manifest, release = (read_json(folder.path / name) for name in ("manifest.json", "release.json"))
    parts = [folder.path / "parts" / name for name in manifest["parts"]]
    receipts = {path.name: read_json(part_files(path)["receipt"]) for path in parts}
    small = {name: folder.path / name for name in _OUTPUTS}
    small |= {f"parts/{part_files(path)['receipt'].name}": part_files(path)["receipt"] for path in parts}
    kept = {f"versions/{name}": sha256 for name, sha256 in kept_files(folder.path / "versions").items()}
    links = {
        "source": {
            "release.json": file_digest(folder.path / "release.json"),
            "files": release["index"],
            "parts": {name: receipt["inputs"] for name, receipt in receipts.items()},
            "samples": manifest["content"],
        },
        "code": {"config.json": file_digest(folder.path / "config.json"), "code": folder.slice["code"]},
        "environment": environment(),
        "output": _made(manifest, folder.path) | hashes(small) | kept,
    }
    write_json(folder.path / layout.DATA_RECEIPT, {"chain": chained(links)})


def _source(folder: DataFolder, link: dict[str, Any], altered: bool) -> list[str]:
    """What differs of the source. An altered configuration may say wrongly where the release is: its files are left out then."""
    problems = differing("source", {"release.json": link["release.json"]}, folder.path)
    problems += [] if altered else _index(folder, link["files"])
    for name, inputs in link["parts"].items():
        path = part_files(folder.path / "parts" / name)["receipt"]
        if path.is_file() and _inputs(path) != inputs:
            problems.append(f"source: {path}: made of {_inputs(path)}, receipt {inputs}")
    return problems


def _index(folder: DataFolder, files: dict[str, str]) -> list[str]:
    """What differs of the tables that list the records, and of the headers where those do."""
    tables = {name: stated for name, stated in files.items() if name != HEADERS}
    problems = differing("source", tables, folder.root)
    if HEADERS not in files:
        return problems
    here = index_digests(folder.root, folder.config)[HEADERS]
    if here != files[HEADERS]:
        told = f"headers {files[HEADERS][:SHOWN]} in the receipt, here {here[:SHOWN]}"
        problems.append(f"source: {folder.root}: {told}")
    return problems


def _inputs(receipt: Path) -> str:
    try:
        return str(read_json(receipt).get("inputs"))
    except InputError:
        return "what cannot be read"


def _code(folder: DataFolder, link: dict[str, Any], elsewhere: bool) -> list[str]:
    problems = differing("code", {"config.json": link["config.json"]}, folder.path)
    if problems or elsewhere:
        return problems
    here = data_code(folder.config.module)
    return [] if here == link["code"] else [f"code: receipt {link['code'][:SHOWN]}, here {here[:SHOWN]}"]


def broken(path: Path, elsewhere: bool = False) -> tuple[list[str], str]:
    """Recompute a store's receipt.

    Args:
        path: results/data/<data set>/<source>.
        elsewhere: this machine's code and packages are not those of the receipt, and need not be.

    Returns:
        A line for each thing that does not match, and the chain's last hash.

    Raises:
        InputError: there is no receipt, or it holds none.
    """
    file = path / layout.DATA_RECEIPT
    chain = read_json(file).get("chain")
    links, problems = contents(chain, file)
    if "version" in links and "output" in links:
        problems += differing("output", links["output"], path)
        return problems or _recovered(links["version"], read_json(path / "manifest.json")), str(chain[-1]["hash"])
    missing = [name for name in ("source", "code", "environment", "output") if name not in links]
    if missing:
        raise InputError(f"{file}: link '{missing[0]}' is missing")
    folder = DataFolder(path)
    problems += _code(folder, links["code"], elsewhere)
    altered = any("config.json" in problem for problem in problems)
    problems += _source(folder, links["source"], altered)
    problems += [] if elsewhere else environment_differences(links["environment"])
    problems += differing("output", links["output"], path)
    return problems, str(chain[-1]["hash"])


def differing_records(path: Path) -> list[str]:
    """Read every record of the release again and hold its samples against the store's: a line for each that differs."""
    folder = DataFolder(path)
    module, config = load(folder.config.module), folder.config
    stored = read_records(path / "store.h5").set_index("record_id")["digest"].to_dict()
    problems = []
    for number in range(config.parts):
        for row in read_part(path / "index.parquet", number).to_dict("records"):
            expected = stored.get(row["record_id"])
            if expected is None:
                continue  # quarantined: its samples are in no store
            try:
                here = sample_digest(module.read_record(folder.root, row, config))
            except UnreadableRecord as problem:
                here = problem.check
            if here != expected:
                problems.append(
                    f"source: {folder.root / row['file']}: samples {expected[:SHOWN]} stored, here {here[:SHOWN]}"
                )
    return problems
