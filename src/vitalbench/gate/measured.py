"""Dated references: what a suite's measuring jobs timed on a target, kept with the day, the device and the code.

A baseline is what the next run is held against. A reference is what somebody saw once, on a device that few have; nothing is held
against it, and it is never written over.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vitalbench.cell_result import CellResult
from vitalbench.errors import InputError, choices
from vitalbench.files import read_json
from vitalbench.gate.baseline import slug
from vitalbench.layout import MEASURED
from vitalbench.measure.phases import Phase
from vitalbench.measure.placement import LEAST_NS, MOST_NS
from vitalbench.results import Results

Row = dict[str, Any]


def measured_rows(results: Results, target: str) -> list[Row]:
    """A row of the table `measured` a phase of every measuring job of a target, in the order of the suite.

    Raises:
        InputError: the suite does not ask for the target, or has no measurement on it; or one was refused, is of another device
            than the others, or does not say when and by which code it was made.
    """
    targets = list(dict.fromkeys(result.cell.target for result in results.cells))
    if target not in targets:
        raise InputError(f"{results.folder}: the suite has no target {target!r}; {choices(target, targets)}")
    again = f"next: snakemake --cores all measure --config suite={results.suite['suite']} targets={target}"
    first = {results.measurement(one.cell): one for one in reversed(results.cells) if one.cell.target == target}
    rows = [row for path in sorted(first) if path.is_file() for row in _rows(results, first[path], path, again)]
    if not rows:
        raise InputError(f"{results.folder}: nothing was timed on target '{target}'; {again}")
    devices = sorted({row["device_name"] for row in rows})
    if len(devices) > 1:
        raise InputError(f"{results.folder}: a reference is of one device, and these are of {', '.join(devices)}")
    return rows


def reference_path(rows: list[Row]) -> Path:
    """Where rows are kept: by the day of the last measurement, the target and the device."""
    day = max(row["measured_at"] for row in rows)[:10]
    return Path(MEASURED.format(day=day, target=rows[0]["target"], device=slug(rows[0]["device_name"])))


def _rows(results: Results, of: CellResult, path: Path, again: str) -> Iterator[Row]:
    told = read_json(path)
    if told.get("refused"):
        raise InputError(f"{path}: refused: {told['refused']}")
    if "provenance" not in told:
        raise InputError(f"{path}: does not say when and by which code it was timed; {again} --forcerun measure_design")
    made, target = told["provenance"], results.target(of.cell.target)
    for phase in told["phases"]:
        _refuse_latencies(path, phase)
        yield {
            "measured_at": made["written"],
            "size": results.suite["size"],
            "vitalbench": made["vitalbench"],
            "git_commit": (made["git_commit"] or "") + ("" if made["git_clean"] else "+"),
            "torch": made["packages"].get("torch"),
            "image": (made["image"] or {}).get("sha256"),
            **{key: of.cell.keys[key] for key in ("dataset", "task", "design", "target")},
            "device_name": told["device_name"],
            "threads": target.threads,
            "world_size": target.processes,
            **Phase(**phase).row(),
        }


def _refuse_latencies(path: Path, phase: Row) -> None:
    """Refuse latencies that no look at threads leaves."""
    of_limits = [limit.get("core_to_core_ns") for limit in (phase.get("limits") or {}).values()]
    found = phase.get("latencies") or []
    if not isinstance(found, list) or (found and len(found) != len(phase["seconds"])):
        raise InputError(
            f"{path}: {phase['name']}: latencies is no list of one for each of its {len(phase['seconds'])} seconds"
        )
    for latency in (*found, *of_limits):
        if latency is not None and not (type(latency) in (int, float) and LEAST_NS <= latency <= MOST_NS):
            raise InputError(
                f"{path}: {phase['name']}: a latency is {str(latency)[:40]!r}; allowed: {LEAST_NS:g} to {MOST_NS:g} ns, or null"
            )
