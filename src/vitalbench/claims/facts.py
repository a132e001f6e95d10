"""What the claims are held against: numbers by name, with the interval of those that have one, and why the others are missing."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from statistics import fmean
from typing import Any

from vitalbench.config.claims_file import AUROC, EFFICIENCY, declared_by, flat
from vitalbench.config.expression import evaluate
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.schema import MACRO
from vitalbench.data.store import read_records
from vitalbench.errors import ConfigError
from vitalbench.files import read_json
from vitalbench.results import Results
from vitalbench.tables import number, read_table

_MOST_RANGING = 6  # facts with an interval in one expression: their ends are tried in all combinations
Interval = tuple[float, float]


@dataclass(frozen=True)
class Facts:
    """Numbers by their dotted name.

    Attributes:
        values: what was declared, counted or measured.
        intervals: of those values that have one.
        missing: why a data set gives no `measured` numbers, by its name.
    """

    values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def interval(self, expression: str, found: float, used: dict[str, float]) -> Interval:
        """From the least to the most an expression comes to at the ends of its facts' intervals.

        Raises:
            ConfigError: it has no result there, or more facts with an interval than are tried.
        """
        ranging = [name for name in used if name in self.intervals]
        if len(ranging) > _MOST_RANGING:
            raise ConfigError(f"{len(ranging)} facts with an interval; at most {_MOST_RANGING} are tried")
        corners = product(*(self.intervals[name] for name in ranging))
        reached = [evaluate(expression, used | dict(zip(ranging, ends, strict=True)))[0] for ends in corners]
        return min([*reached, found]), max([*reached, found])


def declared_facts(folder: ConfigFolder) -> Facts:
    """What the configurations of all data sets declare of their whole releases."""
    facts = Facts()
    for name in folder.names("datasets"):
        dataset = folder.dataset(name)
        expected = dataset.expected.model_dump() if dataset.expected else None
        facts.values.update(declared_by(name, expected, dataset.signal.model_dump()))
        facts.missing[name] = f"needs the whole {dataset.title} {dataset.version}"
    return facts


def suite_facts(results: Results) -> Facts:
    """What the data sets of a suite declare, what was counted in those whose whole release is here, and what was measured."""
    facts = Facts()
    for name, dataset in results.suite["datasets"].items():
        facts.values.update(declared_by(name, dataset["expected"], dataset["signal"]))
        _add_counted(facts, results, name, dataset)
    _add_efficiency(facts, results)
    return facts


def _add_counted(facts: Facts, results: Results, name: str, dataset: dict[str, Any]) -> None:
    """Records, patients, labels and scores, of a whole release alone."""
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
    records = read_records(folder / "store.h5")
    counted: dict[str, Any] = {
        "records": len(records),
        "patients": int(records["patient_id"].nunique()),
        "labels": {
            column.removeprefix("labels:"): records[column].explode().value_counts().to_dict()
            for column in records.columns
            if column.startswith("labels:")
        },
    }
    facts.values.update(flat(f"measured.{name}", counted))
    if results.suite["size"] != "full":  # what is published was reached by designs of the published size
        return
    for task, design, rows in _reached(results, name):
        fact = f"measured.{name}.{AUROC}.{task}.{design}"
        facts.values[fact] = fmean(float(row["value"]) for row in rows)
        if all(row["ci_low"] is not None for row in rows):
            facts.intervals[fact] = min(row["ci_low"] for row in rows), max(row["ci_high"] for row in rows)


def _reached(results: Results, dataset: str) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """The rows of macro AUROC on the test split, one a run, by task and design."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in results.scored:
        if run.cell.dataset != dataset:
            continue
        for row in run.read("metrics.json")["rows"]:
            key = (row["split"], row["subgroup"], row["metric"], row["label"])
            if key == ("test", "all", "auroc", MACRO) and row["value"] is not None:
                found[run.cell.task, run.cell.design].append(row)
    for (task, design), rows in found.items():
        yield task, design, rows


def _add_efficiency(facts: Facts, results: Results) -> None:
    """The table of designs side by side, where the suite has one; batches ask for no release, so generated records serve.

    `times` is named by the design it is over: the same table in another order is another ratio.
    """
    path = results.table("efficiency")
    if not path.is_file():
        return
    for row in read_table("efficiency", path):
        if row["size"] != "full":
            continue
        beginning = f"measured.{row['dataset']}.{EFFICIENCY}.{row['target']}.{row['design']}"
        numbers = {column: value for column, text in row.items() if (value := _number(text)) is not None}
        of_rounds = [("batch_s", "batch_low_s", "batch_high_s")]
        if row["over"]:
            times = f"times.{row['over']}"
            numbers |= {f"{times}{part}": numbers.pop(f"batch_times{part}") for part in ("", "_low", "_high")}
            of_rounds.append((times, f"{times}_low", f"{times}_high"))
        facts.values.update({f"{beginning}.{column}": value for column, value in numbers.items()})
        for column, low, high in of_rounds:
            facts.intervals[f"{beginning}.{column}"] = numbers[low], numbers[high]


def _number(text: str) -> float | None:
    try:
        return number(text)
    except ValueError:  # a name
        return None
