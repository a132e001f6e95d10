"""The receipt of a suite: each run's own chain, and over them one chain of everything the suite left.

A run's chain (provenance.json) is store -> split -> audit -> (search ->) code -> environment -> output. The suite's
(checked.json, written by the last gate) is runs -> splits -> searches -> scores -> measurements -> tables -> page.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitalbench.cell_result import CellResult
from vitalbench.chain import SHOWN, chained, contents, differing, hashes
from vitalbench.config.slices import design_code
from vitalbench.errors import InputError
from vitalbench.files import read_json
from vitalbench.layout import CHECKED, REPORT
from vitalbench.provenance import environment_differences
from vitalbench.results import Results
from vitalbench.search.evidence import broken as broken_search

_RUN_LINKS = ("store", "split", "audit", "code", "environment", "output")
# A suite's links, each with the files it covers below results/<suite>; metrics.json comes after a run's own chain is closed.
_SUITE = {
    "runs": ("runs/**/status.json", "runs/**/provenance.json", "runs/**/config.json"),
    "splits": ("splits/**/*.csv", "splits/**/*.json"),
    "searches": ("search/**/chosen.json", "search/**/trial.json"),
    "scores": ("runs/**/metrics.json", "runs/**/replicates.npz"),
    "measurements": ("measure/**/*.json",),
    "tables": ("tables/*.csv", "tables/schema.json"),
    "page": (REPORT, "figures/*"),
}


def suite_chain(folder: Path) -> list[dict[str, Any]]:
    """The chain of everything a suite left below `folder`."""

    def covered(patterns: tuple[str, ...]) -> Iterator[Path]:
        return (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())

    links = {
        name: hashes({str(path.relative_to(folder)): path for path in covered(patterns)})
        for name, patterns in _SUITE.items()
    }
    return chained(links)


def _broken_run(results: Results, result: CellResult) -> tuple[list[str], dict[str, Any]]:
    """A run's chain recomputed, code and environment aside; and its links."""
    file = result.folder / "provenance.json"
    links, problems = contents(read_json(file).get("chain"), file)
    missing = [name for name in _RUN_LINKS if name not in links]
    if missing:
        raise InputError(f"{file}: link '{missing[0]}' is missing")
    cell = result.cell
    store = {"manifest.json": links["store"]["manifest.json"]}
    problems += differing("store", store, results.store_folder(cell.dataset))
    for link, path in (
        ("split", results.split(cell.dataset, cell.task, cell.fold)),
        ("audit", results.receipt(cell.dataset, cell.task, cell.fold)),
    ):
        problems += differing(link, {path.name: links[link]}, path.parent)
    if "search" in links:
        split, target = results.split(cell.dataset, cell.task, cell.fold), results.target(cell.target)
        problems += broken_search(results.search(cell.search), links["search"], split, target.processes)
    elif results.design(cell.design).search:
        problems.append(f"{file}: link 'search' is missing")
    return problems + differing("output", links["output"], result.folder), links


def broken_suite(results: Results, elsewhere: bool = False) -> tuple[list[str], str]:
    """Recompute a suite's receipts.

    Args:
        elsewhere: this machine's code and packages are not those of the receipts, and need not be.

    Returns:
        A line for each thing that does not match, and the last hash of the suite's chain.

    Raises:
        InputError: the suite has no receipt: its last gate, `check`, has not passed.
    """
    file = results.folder / CHECKED
    if not file.is_file():
        raise InputError(f"{file}: no such file; the suite's last gate, `snakemake check`, writes it")
    chain = read_json(file).get("chain")
    links, problems = contents(chain, file)
    for name, files in links.items():
        problems += differing(name, files, results.folder)
    for result in results.measured:
        if not (result.folder / "provenance.json").is_file():
            continue  # the suite's chain has named it
        found, run = _broken_run(results, result)
        problems += found
        if not elsewhere:
            here = design_code(results.design(result.cell.design))
            if here != run["code"]:
                problems.append(f"code: {result.folder}: receipt {run['code'][:SHOWN]}, here {here[:SHOWN]}")
            problems += environment_differences(run["environment"])
    return list(dict.fromkeys(problems)), str(chain[-1]["hash"])
