"""The ledger: each reported number, how it is checked, what was found, and the verdict the numbers give."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from vitalbench.config.claims_file import Claim, Document, declared_by, flat
from vitalbench.config.expression import UnknownFact, evaluate
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.schema import MACRO
from vitalbench.data.store import read_records
from vitalbench.errors import ConfigError
from vitalbench.files import read_json
from vitalbench.results import Results


def declared_facts(results: Results) -> dict[str, float]:
    """What the data sets' configurations declare of their whole releases."""
    facts: dict[str, float] = {}
    for name, dataset in results.suite["datasets"].items():
        facts |= declared_by(name, dataset["expected"], dataset["signal"])
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
        counted["auroc"] = _reached(results, name)
        facts |= dict(flat(f"measured.{name}", counted))
    return facts, missing


def _reached(results: Results, dataset: str) -> dict[str, dict[str, float]]:
    """The macro AUROC on the test split by task and design, averaged over a design's runs."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in results.scored:
        if run.cell.dataset != dataset:
            continue
        for row in run.read("metrics.json")["rows"]:
            key = (row["split"], row["subgroup"], row["metric"], row["label"])
            if key == ("test", "all", "auroc", MACRO) and row["value"] is not None:
                values[run.cell.task][run.cell.design].append(float(row["value"]))
    return {task: {design: fmean(of) for design, of in designs.items()} for task, designs in values.items()}


def judge(claim: Claim, facts: dict[str, float], missing: dict[str, str]) -> dict[str, Any]:
    """The row of one claim. `reproduced` needs what was found to lie within the tolerance, whole interval and all.

    A number held against what a publisher states can be refuted by it; that the two agree re-derives nothing.
    """
    if claim.waits_for is not None:
        return {"verdict": "not-run", "reason": "; ".join(filter(None, [f"waits for {claim.waits_for}", claim.reason]))}
    if claim.check is None:
        return {"verdict": "untestable", "reason": claim.reason}
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
    within = claim.holds(found)
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


def judged(
    documents: dict[str, Document], facts: dict[str, float], missing: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """A row a claim of every document."""
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
                "relation": claim.relation,
                **judge(claim, facts, missing),
            }


def claim_rows(results: Results, documents: dict[str, Document]) -> Iterator[dict[str, Any]]:
    """Every claim, judged by what the data sets of a suite declare and what was counted and measured in it."""
    measured, missing = measured_facts(results)
    return judged(documents, declared_facts(results) | measured, missing)


def rows_without_results(folder: ConfigFolder, documents: dict[str, Document]) -> Iterator[dict[str, Any]]:
    """The same by what the data sets declare alone."""
    facts: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name in folder.names("datasets"):
        dataset = folder.dataset(name)
        expected = dataset.expected.model_dump() if dataset.expected else None
        facts |= declared_by(name, expected, dataset.signal.model_dump())
        missing[name] = f"needs the whole {dataset.title} {dataset.version}"
    return judged(documents, facts, missing)
