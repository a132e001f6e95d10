"""The ledger: each reported number, how it is checked, what was found, and the verdict the numbers give."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from vitalbench.claims.expression import UnknownFact, evaluate
from vitalbench.config.strict import Strict, validated
from vitalbench.config.yaml_file import read_yaml
from vitalbench.data.store import read_records
from vitalbench.errors import ConfigError
from vitalbench.files import read_json
from vitalbench.results import Results


class Claim(Strict):
    """One reported number.

    `arithmetic` evaluates `check` on declared facts (`declared.<data set>.<fact>`) and literals; `measured` on facts counted in a
    whole release (`measured.<data set>.<fact>`); `untestable` has a `reason` instead.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    location: str
    text: str
    reported: float
    unit: str
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    method: Literal["arithmetic", "measured", "untestable"]
    check: str | None = None
    reason: str = ""


class Document(Strict):
    """configs/claims/<document>.yaml: a document and the numbers it reports."""

    source: str
    claims: Annotated[list[Claim], Field(min_length=1)]


def read_documents(folder: Path) -> dict[str, Document]:
    """Read every document of a folder; ids are unique over all of them."""
    documents = {path.stem: validated(Document, read_yaml(path), path) for path in sorted(folder.glob("*.yaml"))}
    seen: dict[str, str] = {}
    for name, document in documents.items():
        for claim in document.claims:
            where = f"{folder / name}.yaml: claim '{claim.id}'"
            if claim.id in seen:
                raise ConfigError(f"{where}: the id is taken in {seen[claim.id]}.yaml")
            if (claim.check is None) != (claim.method == "untestable"):
                raise ConfigError(f"{where}: a claim needs the key 'check', an untestable one must not have it")
            if claim.method == "untestable" and not claim.reason:
                raise ConfigError(f"{where}: an untestable claim needs the key 'reason'")
            seen[claim.id] = name
    return documents


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, value


def declared_facts(results: Results) -> dict[str, float]:
    """What the data sets' configurations declare of their whole releases."""
    facts: dict[str, float] = {}
    for name, dataset in results.suite["datasets"].items():
        facts |= dict(_flat(f"declared.{name}", dataset["expected"] or {}))
        facts |= dict(_flat(f"declared.{name}.signal", dataset["signal"]))
    return facts


def measured_facts(results: Results) -> tuple[dict[str, float], dict[str, str]]:
    """What was counted in the whole releases that are here; and for every other data set, why nothing was."""
    facts: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, dataset in results.suite["datasets"].items():
        folder = results.data(name)
        if folder is None or not (folder / "manifest.json").is_file():
            missing[name] = f"{dataset['title']} {dataset['version']} is not here"
            continue
        release = read_json(folder / "manifest.json")["release"]
        if not release["complete"]:
            kind = (
                "generated records stand in for it"
                if release["source"] == "generated"
                else f"{release['records']} of its records are"
            )
            missing[name] = f"needs the whole {dataset['title']} {dataset['version']}; {kind} here"
            continue
        records = read_records(folder / "store.h5")
        counted: dict[str, Any] = {
            "records": len(records),
            "patients": int(records["patient_id"].nunique()),
            "labels": {},
        }
        for column in records.columns:
            if column.startswith("labels:"):
                counted["labels"][column.removeprefix("labels:")] = records[column].explode().value_counts().to_dict()
        facts |= dict(_flat(f"measured.{name}", counted))
    return facts, missing


def judge(claim: Claim, facts: dict[str, float], missing: dict[str, str]) -> dict[str, Any]:
    """The row of one claim. `reproduced` needs what was found to lie within the tolerance, whole interval and all.

    A number held against what a publisher states can be refuted by it; that the two agree re-derives nothing.
    """
    row: dict[str, Any] = {"verdict": "untestable", "reason": claim.reason}
    if claim.check is None:
        return row
    try:
        found, used = evaluate(claim.check, facts)
    except UnknownFact as fact:
        parts = str(fact).split(".")
        if parts[0] == "measured" and len(parts) > 1 and parts[1] in missing:
            return {"verdict": "not-run", "reason": missing[parts[1]], "evidence": claim.check}
        if parts[0] in ("measured", "declared"):
            return {
                "verdict": "not-run",
                "reason": f"needs {fact}, which no data set of this suite gives",
                "evidence": claim.check,
            }
        raise ConfigError(f"claim '{claim.id}': '{fact}' begins with neither 'declared' nor 'measured'") from None
    terms = ", ".join(f"{name} = {value:g}" if value % 1 else f"{name} = {value:.0f}" for name, value in used.items())
    within = abs(found - claim.reported) <= claim.tolerance
    evidence = f"{claim.check}" + (f" with {terms}" if terms else "")
    reason = claim.reason or ("" if within else f"off by {found - claim.reported:+.10g} {claim.unit}")
    if any(name.startswith("declared.") for name in used):
        agrees = "; ".join(
            filter(None, [claim.reason, "agrees with what the publisher states; nothing was counted here"])
        )
        stated = {"published": found, "evidence": evidence}
        return stated | (
            {"verdict": "not-run", "reason": agrees} if within else {"verdict": "refuted", "reason": reason}
        )
    return {
        "measured": found,
        "interval_low": found,
        "interval_high": found,
        "verdict": "reproduced" if within else "refuted",
        "evidence": evidence,
        "reason": reason,
    }


def claim_rows(results: Results, documents: dict[str, Document]) -> Iterator[dict[str, Any]]:
    """A row a claim of every document."""
    measured, missing = measured_facts(results)
    facts = declared_facts(results) | measured
    for document in documents.values():
        for claim in document.claims:
            yield {
                "claim": claim.id,
                "source": document.source,
                "location": f"{claim.location}: {claim.text}",
                "method": claim.method,
                "reported": claim.reported,
                "unit": claim.unit,
                "tolerance": claim.tolerance,
                **judge(claim, facts, missing),
            }
