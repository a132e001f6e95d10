"""The ledger: each reported number, how it is checked, what was found, and the verdict the numbers give."""

from collections.abc import Iterator
from typing import Any

from vitalbench.claims.facts import Facts
from vitalbench.claims.markdown import shown
from vitalbench.config.claim_facts import BEGINNINGS, EFFICIENCY
from vitalbench.config.claims_file import Claim, Document
from vitalbench.config.expression import Interval, UnknownFact, facts_named, written
from vitalbench.errors import ConfigError


def _said(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))


def _unknown(claim: Claim, fact: str, facts: Facts, reason: str) -> dict[str, Any]:
    """The row of a claim whose number nothing here gives."""
    beginning, _, rest = fact.partition(".")
    if beginning not in BEGINNINGS:
        raise ConfigError(f"claim '{claim.id}': '{fact}' begins with none of {', '.join(BEGINNINGS)}")
    dataset = next((name for name in facts.missing if rest.startswith(f"{name}.")), None)
    target = next((name for name in facts.unprojected if f".{EFFICIENCY}.{name}." in fact), None)
    if beginning == "projected" and target is not None:
        why = facts.unprojected[target]
    elif f".{EFFICIENCY}." in rest:
        why = "waits for three rounds of its designs side by side: `vitalbench efficiency --results`, in a suite that names them"
    elif beginning == "measured" and dataset is not None:
        why = facts.missing[dataset]
    else:
        why = f"needs {fact}, which nothing here gives"
    return {"verdict": "not-run", "reason": _said(why, reason), "evidence": "; ".join(claim.checks)}


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.8g}"


def _terms(checks: list[str], facts: Facts) -> str:
    """The expressions, and each fact they name: its value, its interval and where it is from."""
    told = []
    for name in dict.fromkeys(fact for check in checks for fact in facts_named(check)):
        low, high = facts.intervals.get(name, (0.0, 0.0))
        ranges = f" [{_number(low)}, {_number(high)}]" if low < high else ""
        note = f" ({facts.notes[name]})" if name in facts.notes else ""
        told.append(f"{name} = {_number(facts.numbers[name])}{ranges}{note}")
    return " and ".join(checks) + (f" with {', '.join(told)}" if told else "")


def _kind(claim: Claim, facts: set[str]) -> str:
    """What was found is: projected, measured (or worked out), or published by others."""
    beginnings = {fact.partition(".")[0] for fact in facts}
    if claim.method == "projection":
        return "projected"
    return "published" if beginnings and "measured" not in beginnings else "measured"


_HOLDS = {"measured": "reproduced", "projected": "projected", "published": "not-run"}


def _why(claim: Claim, kind: str, holds: bool | None, found: Interval, found_to: Interval, reason: str) -> str:
    """What stands beside the verdict."""
    if holds is None:
        return _said(f"undecided: {shown(found[0])} to {shown(found_to[1])} reaches over the tolerance", reason)
    if holds:
        agrees = "agrees with what others state; nothing was counted here" if kind == "published" else ""
        return _said(reason, agrees)
    if reason:
        return reason
    if claim.reported_to is not None:
        return "outside of the range" if claim.check_to is None else "its ends are others"
    near = found[0] if abs(found[0] - claim.reported) <= abs(found_to[1] - claim.reported) else found_to[1]
    off = near - claim.reported
    return f"off by {'+' if off > 0 else ''}{shown(off)} {claim.unit}" + (" or more" if found[0] < found_to[1] else "")


def judge(claim: Claim, facts: Facts) -> dict[str, Any]:
    """The row of one claim. `reproduced` needs what was found to lie within the tolerance, whole interval and all.

    An interval that lies partly within decides nothing, which is `untestable` with these records. A number held against what
    others state can be refuted by it; that the two agree re-derives nothing. What was projected and lies within is `projected`.
    """
    reason = written(claim.reason, facts.numbers)
    if claim.waits_for is not None:
        return {"verdict": "not-run", "reason": _said(f"waits for {written(claim.waits_for, facts.numbers)}", reason)}
    if not claim.checks:
        return {"verdict": "untestable", "reason": reason}
    named = {fact for check in claim.checks for fact in facts_named(check)}
    kind = _kind(claim, named)
    points = Facts(facts.numbers)
    try:
        middles = [points.interval(check)[0] for check in claim.checks]
    except UnknownFact as fact:
        return _unknown(claim, str(fact), facts, reason)
    except ConfigError as error:  # what the numbers that were found make of it; claims files are checked before
        return {"verdict": "untestable", "reason": _said(str(error), reason), "evidence": _terms(claim.checks, facts)}
    row: dict[str, Any] = {kind: middles[0], "evidence": _terms(claim.checks, facts)}
    if claim.check_to is not None:
        row["found_to"] = middles[1]
    try:
        ends = [facts.interval(check) for check in claim.checks]
    except ConfigError as error:
        return row | {"verdict": "untestable", "reason": _said(str(error), reason)}
    holds = claim.holds(*ends)
    verdict = {True: _HOLDS[kind], False: "refuted", None: "untestable"}[holds]
    return row | {
        "interval_low": min(low for low, _ in ends),
        "interval_high": max(high for _, high in ends),
        "verdict": verdict,
        "reason": _why(claim, kind, holds, ends[0], ends[-1], reason),
    }


def claim_rows(documents: dict[str, Document], facts: Facts) -> Iterator[dict[str, Any]]:
    """A row a claim of every document."""
    for document in documents.values():
        known = facts.beside(document.stated)
        for claim in document.claims:
            yield {
                "claim": claim.id,
                "source": document.source,
                "location": f"{claim.location}: {claim.text}" + (f" [{claim.definition}]" if claim.definition else ""),
                "method": claim.method,
                "reported": claim.reported,
                "reported_to": claim.reported_to,
                "unit": claim.unit,
                "tolerance": claim.tolerance,
                "relation": claim.relation,
                "beside": claim.beside,
                **judge(claim, known),
            }
