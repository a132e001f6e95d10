"""What was counted in a data set whose whole release is here, what was reached there, and what saving took of a training."""

from collections import defaultdict
from statistics import fmean
from typing import Any

import pandas as pd

from vitalbench.claims.facts import Facts
from vitalbench.config.claim_facts import AUROC, LABELS, SAVING, SPLIT, flat
from vitalbench.config.schema import MACRO
from vitalbench.data.store import read_records
from vitalbench.files import read_json
from vitalbench.results import Results


def add_counted(facts: Facts, results: Results, name: str, dataset: dict[str, Any]) -> None:
    """Records, patients, labels, splits and scores of a data set, of its whole release alone."""
    folder = results.data(name)
    if folder is None or not (folder / "manifest.json").is_file():
        facts.missing[name] = f"{dataset['title']} {dataset['version']} is not here"
        return
    release = read_json(folder / "manifest.json")["release"]
    if not release["complete"]:
        kind = (
            "generated records stand in for it"
            if release["source"] == "generated"
            else f"{release['records']} of its records are"
        )
        facts.missing[name] = f"needs the whole {dataset['title']} {dataset['version']}; {kind} here"
        return
    facts.missing[name] = f"{dataset['title']} {dataset['version']} is here, but no run of this suite gives that"
    records = read_records(folder / "store.h5")
    counted: dict[str, Any] = {
        "records": len(records),
        "patients": int(records["patient_id"].nunique()),
        SPLIT: {
            task: pd.read_csv(path, usecols=["split"], dtype=str)["split"].value_counts().to_dict()
            for task in results.suite["tasks"]
            if (path := results.split(name, task, 0)).is_file()
        },
        LABELS: {
            column.removeprefix("labels:"): records[column].explode().value_counts().to_dict()
            for column in records.columns
            if column.startswith("labels:")
        },
    }
    for fact, value in flat(f"measured.{name}", counted):
        facts.add(fact, value)
    if results.suite["size"] != "full":  # what is published was reached by designs of the published size
        return
    for (task, design, label), rows in _reached(results, name).items():
        ends = [row[end] for row in rows for end in ("ci_low", "ci_high")]
        facts.add(
            f"measured.{name}.{AUROC}.{task}.{design}" + ("" if label == MACRO else f".{label}"),
            fmean(float(row["value"]) for row in rows),
            None if None in ends else (min(ends), max(ends)),
        )


def _reached(results: Results, dataset: str) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The rows of AUROC on the test split, one a run, by task, design and class; the mean over classes is a class of its own."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in results.scored:
        if run.cell.dataset != dataset:
            continue
        for row in run.read("metrics.json")["rows"]:
            if (row["split"], row["subgroup"], row["metric"]) == ("test", "all", "auroc") and row["value"] is not None:
                found[run.cell.task, run.cell.design, row["label"]].append(row)
    return found


def add_saving(facts: Facts, results: Results) -> None:
    """The share of a training that its checkpoints took, from the least to the most of a design's runs; any records serve."""
    shares: dict[str, list[float]] = defaultdict(list)
    for run in results.measured:
        seconds = {phase["name"]: sum(phase["seconds"]) for phase in run.read("timing.json")["phases"]}
        if seconds.get("epoch") and "checkpoint" in seconds:
            name = f"measured.{run.cell.dataset}.{SAVING}.{run.cell.target}.{run.cell.design}"
            shares[name].append(seconds["checkpoint"] / (seconds["epoch"] + seconds["checkpoint"]))
    for name, told in shares.items():
        facts.add(name, fmean(told), (min(told), max(told)))
