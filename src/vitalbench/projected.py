"""What becomes of the cells of targets that are not here, once those that were measured have ended."""

from dataclasses import replace
from typing import Any

from vitalbench.cell_result import CellResult
from vitalbench.config.plan import Cell

_GB = 1e9


def from_origin(result: CellResult, origins: list[CellResult], timed: set[Cell], target: dict[str, Any]) -> CellResult:
    """A cell that is to be projected, from the first of the cells that may stand in its place which was measured and timed.

    Where none was it is not projected, nor to a target it has no room on.

    Args:
        origins: the cells it may be projected from, in the order they are asked; none for a cell that is not to be projected.
        timed: those of them whose step a measuring job has timed.
        target: the one projected to, as the suite has it.
    """
    if not origins:
        return result
    ends = {
        origin.cell.target: origin.status
        if not origin.measured or origin.cell in timed
        else "measured, and has no step that was timed"
        for origin in origins
    }
    origin = next((one for one in origins if ends[one.cell.target] == "measured"), None)
    if origin is None:
        told = ", or from ".join(f"{name}, whose cell is {end}" for name, end in ends.items())
        return replace(result, status="not-run", reason=f"to be projected from {told}")
    facts_told = (origin.folder / "provenance.json").is_file()
    facts = origin.read("provenance.json")["facts"] if facts_told else {}
    name = origin.cell.target
    without = _no_room(facts, target, name)
    if without:
        return replace(result, status="not-allowed", reason=without)
    if origin is origins[0]:
        return replace(result, projected_from=origin.cell)
    passed = ", ".join(f"{other}'s cell is {end}" for other, end in ends.items() if end != "measured")
    reason = f"target {result.cell.target} is not here: projected from {name}, since {passed}"
    return replace(result, reason=reason, projected_from=origin.cell)


def _no_room(facts: dict[str, Any], target: dict[str, Any], origin: str) -> str:
    """What a training that was measured elsewhere has no room for on a target, with the arithmetic; empty where nothing is known.

    Args:
        facts: of the run, whose plans of memory and disk are the same here: one device, nothing shared out.
        target: as the suite has it.
        origin: the target it was measured on.
    """
    plans = ("memory", "memory_gb"), ("disk", "disk_gb")
    for name, key in plans:
        plan, has = facts.get(name), target.get(key)
        if has is None or plan is None or plan["needed"] <= has * _GB:
            continue
        needed = f"{plan['needed'] / _GB:.4g} GB"
        if name == "disk":
            checkpoints = f"{plan['checkpoints']} x checkpoint {plan['checkpoint'] / _GB:.4g}"
            needed = f"store {plan['store'] / _GB:.4g} + {checkpoints} = {needed}"
        return f"{name}: {needed}, as {origin} needed, of {has:g} GB declared"
    return ""


def held_to_its_session(result: CellResult, told: dict[str, Any] | None, target: dict[str, Any]) -> CellResult:
    """A projected cell that is longer than its target's sessions is not allowed; what may be longer says so.

    Args:
        told: what was projected of it (cost/sessions.py); of sessions that were other ones it says nothing.
    """
    if result.status != "projected" or not told or told["session_hours"] != target.get("session_hours"):
        return result
    if told["status"] == "not-allowed":
        return replace(result, status="not-allowed", reason=told["reason"], projected_from=None)
    return replace(result, reason=f"{result.reason}; {told['reason']}")
