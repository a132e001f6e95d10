"""The ledger: each reported number, how it is checked, what was found, and the verdict the numbers give."""

from collections.abc import Iterator
from typing import Any

from vitalbench.claims.facts import Facts
from vitalbench.config.claims_file import BEGINNINGS, EFFICIENCY, Claim, Document
from vitalbench.config.expression import UnknownFact, evaluate
from vitalbench.errors import ConfigError


def _unknown(claim: Claim, fact: str, facts: Facts) -> dict[str, Any]:
    """The row of a claim whose number nothing here gives."""
    beginning, _, rest = fact.partition(".")
    if beginning not in BEGINNINGS:
        raise ConfigError(f"claim '{claim.id}': '{fact}' begins with neither 'declared' nor 'measured'")
    dataset = next((name for name in facts.missing if rest.startswith(f"{name}.")), None)
    if f".{EFFICIENCY}." in rest:
        reason = "waits for its designs side by side: `vitalbench efficiency --results`, in a suite that names them"
    elif beginning == "measured" and dataset is not None:
        reason = facts.missing[dataset]
    else:
        reason = f"needs {fact}, which no data set of this suite gives"
    return {"verdict": "not-run", "reason": _both(reason, claim.reason), "evidence": claim.check}


def _both(reason: str, said: str) -> str:
    return "; ".join(filter(None, [reason, said]))


def judge(claim: Claim, facts: Facts) -> dict[str, Any]:
    """The row of one claim. `reproduced` needs what was found to lie within the tolerance, whole interval and all.

    An interval that lies partly within decides nothing, which is `untestable` with these records. A number held against what a
    publisher states can be refuted by it; that the two agree re-derives nothing.
    """
    if claim.waits_for is not None:
        return {"verdict": "not-run", "reason": _both(f"waits for {claim.waits_for}", claim.reason)}
    if claim.check is None:
        return {"verdict": "untestable", "reason": claim.reason}
    try:
        found, used = evaluate(claim.check, facts.values)
    except UnknownFact as fact:
        return _unknown(claim, str(fact), facts)
    except ConfigError as error:
        raise ConfigError(f"claim '{claim.id}': check: {error}") from None
    terms = ", ".join(f"{name} = {value:g}" if value % 1 else f"{name} = {value:.0f}" for name, value in used.items())
    evidence = f"{claim.check}" + (f" with {terms}" if terms else "")
    reason = claim.reason or ("" if claim.holds(found) else f"off by {found - claim.reported:+.10g} {claim.unit}")
    if used and all(name.startswith("declared.") for name in used):
        agrees = _both(claim.reason, "agrees with what the publisher states; nothing was counted here")
        stated = {"published": found, "evidence": evidence}
        return stated | (
            {"verdict": "not-run", "reason": agrees} if claim.holds(found) else {"verdict": "refuted", "reason": reason}
        )
    try:
        low, high = facts.interval(claim.check, found, used)
    except ConfigError as error:
        return {
            "measured": found,
            "verdict": "untestable",
            "evidence": evidence,
            "reason": _both(str(error), claim.reason),
        }
    verdict = {True: "reproduced", False: "refuted", None: "untestable"}[claim.holds_over(low, high)]
    if verdict == "untestable":
        reason = "; ".join(
            filter(None, [f"undecided: {low:.6g} to {high:.6g} reaches over the tolerance", claim.reason])
        )
    return {
        "measured": found,
        "interval_low": low,
        "interval_high": high,
        "verdict": verdict,
        "evidence": evidence,
        "reason": reason,
    }


def claim_rows(documents: dict[str, Document], facts: Facts) -> Iterator[dict[str, Any]]:
    """A row a claim of every document."""
    for document in documents.values():
        for claim in document.claims:
            yield {
                "claim": claim.id,
                "source": document.source,
                "location": f"{claim.location}: {claim.text}" + (f" [{claim.definition}]" if claim.definition else ""),
                "method": claim.method,
                "reported": claim.reported,
                "unit": claim.unit,
                "tolerance": claim.tolerance,
                "relation": claim.relation,
                **judge(claim, facts),
            }
