"""The facts that a claim may name, held against what a project has: a misspelt one is refused before anything runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitalbench.config.claims_file import Claim, Document
from vitalbench.config.dataset import Dataset
from vitalbench.config.expression import facts_named
from vitalbench.config.prices import Price
from vitalbench.config.schema import MACRO, Task
from vitalbench.config.target import Target
from vitalbench.errors import ConfigError, choices

DATA = ("declared", "measured", "projected")  # a data set follows
BEGINNINGS = (*DATA, "price", "stated", "target")  # of a fact's name
AUROC = "auroc"  # what was reached in a task by a design
EFFICIENCY = "efficiency"  # of designs side by side on a target
LABELS, SPLIT, SAVING = "labels", "split", "saving"
COUNTED = ("records", "patients", LABELS, SPLIT)  # of a whole release
MEASURED = (*COUNTED, AUROC, EFFICIENCY, SAVING)
TIMES, TRAINING_TIMES = "times", "training_times"  # how many times as fast as the design that is named next
PROJECTED = ("batch_s", "epoch_h", "training_h")  # columns; of a target that was timed, the last two alone
_PARTS = ("train", "val", "test", "unused")
_RATES = ("memory_gb", "disk_gb", "session_hours", "bandwidth_gb_s", "power_w", "peak_tflops")


def flat(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a nested dictionary, each by its dotted name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{prefix}.{key}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, value


def declared_by(name: str, dataset: Mapping[str, Any]) -> dict[str, float]:
    """The facts a data set's configuration declares of its whole release, by `declared.<data set>.<fact>`."""
    expected = dataset["expected"] or {}
    shape = {key: dataset.get(key) for key in ("signal", "image")}
    classes = {"classes": {labels: len(counts) for labels, counts in (expected.get("labels") or {}).items()}}
    return {fact: value for told in (expected, shape, classes) for fact, value in flat(f"declared.{name}", told)}


def target_facts(name: str, target: Mapping[str, Any]) -> dict[str, float]:
    """What a target declares of its hardware, by `target.<name>.<key>`."""
    return dict(flat(f"target.{name}", {key: target[key] for key in _RATES}))


def targets_named(facts: Iterable[str], targets: Iterable[str]) -> list[str]:
    """The targets whose declared or projected numbers are among some facts; no other's file is read for them."""
    named = list(facts)
    looked = ((target, (f"target.{target}.", f".{EFFICIENCY}.{target}.")) for target in targets)
    return [
        target
        for target, (declared, projected) in looked
        if any(fact.startswith(declared) or (fact.startswith("projected.") and projected in fact) for fact in named)
    ]


@dataclass(frozen=True)
class Known:
    """What a project has that a fact may name.

    Attributes:
        datasets, tasks, designs, targets: by their names.
        columns: of the table of designs side by side, those that are measured numbers.
        dataset, task, target: one of them, by its name; only those that a claim names are read.
        prices: by their keys; read only where a claim names one.
    """

    datasets: list[str]
    tasks: list[str]
    designs: list[str]
    targets: list[str]
    columns: list[str]
    dataset: Callable[[str], Dataset]
    task: Callable[[str], Task]
    target: Callable[[str], Target]
    prices: Callable[[], Mapping[str, Price]]


class _Name:
    """A fact's name, taken apart from its beginning."""

    def __init__(self, fact: str) -> None:
        self.fact, self.rest = fact, fact

    def take(self, known: Iterable[str], what: str) -> str:
        """The longest of some names that the rest begins with, a dot or nothing after it."""
        names = list(known)
        found = next((of for of in sorted(names, key=len, reverse=True) if f"{self.rest}.".startswith(f"{of}.")), None)
        if found is None:
            named = self.rest.partition(".")[0]
            raise ConfigError(f"'{self.fact}': no {what} is named {named!r}; {choices(named, names)}")
        self.rest = self.rest[len(found) + 1 :]
        return found

    def last(self, known: Iterable[str], what: str) -> None:
        """The same of the whole rest."""
        names = list(known)
        if self.rest not in names:
            raise ConfigError(f"'{self.fact}': no {what} is named {self.rest!r}; {choices(self.rest, names)}")


def _check_side_by_side(name: _Name, known: Known, projected: bool) -> None:
    name.take(known.targets, "target")
    name.take(known.designs, "design")
    times = TRAINING_TIMES if projected else TIMES
    if name.rest.partition(".")[0] == times:
        name.rest = name.rest.removeprefix(times).removeprefix(".")
        name.last(known.designs, "design")
        return
    columns, other = (PROJECTED, known.columns) if projected else (known.columns, PROJECTED)
    if name.rest in other and name.rest not in columns:
        right, wrong = ("measured", "projected") if projected else ("projected", "measured")
        raise ConfigError(f"'{name.fact}': '{name.rest}' is {right}, so the fact begins with '{right}', not '{wrong}'")
    name.last((*columns, times), "column of the table efficiency")


def _label_sets(known: Known) -> dict[str, list[str]]:
    """The classes of each label set that a task asks for."""
    sets: dict[str, list[str]] = {}
    for task in map(known.task, known.tasks):
        sets.setdefault(task.labels, task.classes)
    return sets


def _check_measured(name: _Name, known: Known, dataset: str) -> None:
    kind = name.take(MEASURED, "measured fact")
    if kind == AUROC:
        asked = name.take(known.tasks, "task")
        name.take(known.designs, "design")
        if name.rest:
            name.last(known.task(asked).classes, f"class of task '{asked}'")
    elif kind == EFFICIENCY:
        _check_side_by_side(name, known, projected=False)
    elif kind == SAVING:
        name.take(known.targets, "target")
        name.last(known.designs, "design")
    elif kind == SPLIT:
        name.take(known.tasks, "task")
        name.last(_PARTS, "split")
    elif kind == LABELS:
        sets = _label_sets(known)
        name.last(sets[name.take(sets, "label set")], "class")
    elif name.rest:
        raise ConfigError(f"'{name.fact}': '{kind}' of data set '{dataset}' is one number, without '.{name.rest}'")


def _check_fact(fact: str, known: Known, document: Document, declared: Callable[[str], set[str]]) -> None:
    name = _Name(fact)
    beginning, _, name.rest = fact.partition(".")
    if beginning not in BEGINNINGS:
        raise ConfigError(f"'{fact}' begins with '{beginning}'; {choices(beginning, BEGINNINGS)}")
    if beginning == "price":
        name.last(known.prices(), "price")
    elif beginning == "stated":
        name.last(document.stated, "number that the file's 'stated' holds")
    elif beginning == "target":
        target = name.take(known.targets, "target")
        facts = target_facts(target, known.target(target).model_dump())
        name.last([told.removeprefix(f"target.{target}.") for told in facts], f"number of target '{target}'")
    else:
        dataset = name.take(known.datasets, "data set")
        if beginning == "declared" and fact not in declared(dataset):
            raise ConfigError(f"data set '{dataset}' declares no '{fact}'; {choices(fact, declared(dataset))}")
        if beginning == "measured":
            _check_measured(name, known, dataset)
        if beginning == "projected":
            name.take([EFFICIENCY], "projected fact")
            _check_side_by_side(name, known, projected=True)


def _check_beside(beside: str, known: Known) -> None:
    """Refuse a score of a data set, a label set or a class that there is not."""
    dataset, labels, label = beside.split(".")
    if dataset not in known.datasets:
        raise ConfigError(f"beside: no data set is named {dataset!r}; {choices(dataset, known.datasets)}")
    sets = _label_sets(known)
    if labels not in sets:
        raise ConfigError(f"beside: no task asks for the labels {labels!r}; {choices(labels, sets)}")
    if label not in (every := [*sets[labels], MACRO]):
        raise ConfigError(f"beside: '{labels}' has no class {label!r}; {choices(label, every)}")


def _check_method(claim: Claim) -> None:
    """What a claim says of its method is what its checks name: something projected, something measured, or neither."""
    if not claim.checks:
        return
    named = {fact.partition(".")[0] for check in claim.checks for fact in facts_named(check)}
    if claim.method == "projection":
        if not named & {"projected", "target"}:
            raise ConfigError("check: method is 'projection', and its check names no projected fact and no target's")
    elif "projected" in named:
        raise ConfigError(f"check: method is '{claim.method}', and its check names a projected fact")
    elif ("measured" in named) != (claim.method == "measured"):
        found = "a" if "measured" in named else "no"
        raise ConfigError(f"check: method is '{claim.method}', and its check names {found} measured fact")


def _check_claim(claim: Claim, known: Known, document: Document, declared: Callable[[str], set[str]]) -> set[str]:
    """The facts a claim names."""
    for key, fact in claim.facts:
        try:
            _check_fact(fact, known, document, declared)
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from None
    _check_method(claim)
    if claim.beside is not None:
        _check_beside(claim.beside, known)
    return {fact for _, fact in claim.facts}


def check_facts(folder: Path, documents: dict[str, Document], known: Known) -> None:
    """Refuse a claim that rests on what the project does not have, or on a number that nobody declares or states."""
    facts: dict[str, set[str]] = {}

    def declared(dataset: str) -> set[str]:
        if dataset not in facts:
            facts[dataset] = set(declared_by(dataset, known.dataset(dataset).model_dump()))
        return facts[dataset]

    for name, document in documents.items():
        used: set[str] = set()
        for claim in document.claims:
            try:
                used |= _check_claim(claim, known, document, declared)
            except ConfigError as error:
                raise ConfigError(f"{folder / name}.yaml: claim '{claim.id}': {error}") from None
        idle = next((stated for stated in document.stated if f"stated.{stated}" not in used), None)
        if idle is not None:
            raise ConfigError(f"{folder / name}.yaml: stated.{idle}: no claim of the file names it")
