"""The receipt of a search for near-duplicates: store -> code -> environment -> output, beside neighbours.parquet.

The search comes after the store is described, and may be left out, so the store's own receipt cannot hold what it found.
"""

from pathlib import Path
from typing import Any

from vitalbench.chain import SHOWN, chained, contents, differing, hashes
from vitalbench.config.code import code_digest
from vitalbench.errors import InputError
from vitalbench.files import read_json, write_json
from vitalbench.layout import NEIGHBOURS, NEIGHBOURS_RECEIPT
from vitalbench.provenance import environment, environment_differences

_LINKS = ("store", "code", "environment", "output")


def _code() -> str:
    return code_digest("vitalbench.split.neighbours")


def write_receipt(folder: Path) -> None:
    """Write the receipt of the search whose pairs lie in `folder`, beside the store that was searched."""
    links: dict[str, Any] = {
        "store": hashes({"manifest.json": folder / "manifest.json"}),
        "code": _code(),
        "environment": environment(),
        "output": hashes({NEIGHBOURS: folder / NEIGHBOURS}),
    }
    write_json(folder / NEIGHBOURS_RECEIPT, {"chain": chained(links)})


def broken(folder: Path, elsewhere: bool = False, needed: bool = False) -> list[str]:
    """Recompute the receipt of a search: a line for each thing that does not match.

    Args:
        folder: results/data/<data set>/<source>.
        elsewhere: this machine's code and packages are not those of the receipt, and need not be.
        needed: a split of this store was audited, so a search there was.

    Raises:
        InputError: the receipt is none.
    """
    file = folder / NEIGHBOURS_RECEIPT
    if not file.is_file():
        return [f"output: {file}: missing"] if needed or (folder / NEIGHBOURS).is_file() else []
    links, problems = contents(read_json(file).get("chain"), file)
    missing = [name for name in _LINKS if name not in links]
    if missing:
        raise InputError(f"{file}: link '{missing[0]}' is missing")
    if differing("store", links["store"], folder):
        problems.append(
            f"store: {folder / NEIGHBOURS}: found in another build of the store; `vitalbench neighbours` searches this one"
        )
    if not elsewhere:
        here = _code()
        if here != links["code"]:
            problems.append(f"code: {file}: receipt {links['code'][:SHOWN]}, here {here[:SHOWN]}")
        problems += environment_differences(links["environment"])
    return problems + differing("output", links["output"], folder)
