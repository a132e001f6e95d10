"""Sessions of targets that are not here: whether what is projected to them ends before they do."""

from typing import Any

from vitalbench.cell_result import CellResult
from vitalbench.cost.absent import Absent
from vitalbench.cost.projector import LEVEL
from vitalbench.cost.table import spent_away
from vitalbench.results import Results

_DOUBT = {True: "of the interval only the low end is shorter", False: "the high end of the interval is longer"}


def sessions(results: Results, absent: Absent) -> dict[str, dict[str, Any]]:
    """What is to be said of projected cells, by their paths; nothing of those that end in time whatever the interval holds.

    Returns:
        `session_hours` it was held against, `status` and `reason`: `not-allowed` where even the low end of the interval is
        longer, `projected` and in doubt where another part of it is.
    """
    found = {}
    for away in results.projectable:
        limit = results.target(away.cell.target).session_hours
        spent = spent_away(results, absent, away).get("train") if limit else None
        if limit is None or spent is None or spent[2] <= limit:
            continue
        over = spent[0] > limit
        doubt = "even the low end is longer" if over else f"doubtful: {_DOUBT[spent[1] > limit]}"
        found[away.cell.path] = {
            "session_hours": limit,
            "status": "not-allowed" if over else "projected",
            "reason": f"{_arithmetic(results, away, spent)}, and session_hours of the target is {limit:g}; {doubt}",
        }
    return found


def _arithmetic(results: Results, away: CellResult, spent: tuple[float, float, float]) -> str:
    facts = results.of[away.origin].read("provenance.json")["facts"]
    low, middle, high = spent
    steps, featured = facts["steps"], facts.get("featured_records")
    if featured:
        terms = f"features of {featured:,.0f} records and {steps:,} steps"
    else:
        terms = f"{steps:,} steps x {middle * 3600 / steps:.4g} s"
    told = f"{middle:.4g} h, {low:.4g} to {high:.4g} h by the interval of {LEVEL:.0%}"
    return f"session: {terms}, projected from {away.origin.target}, = {told}"
