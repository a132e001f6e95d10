"""Claims files: the numbers a document reports, and how each is checked; held against what there is to check them by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from vitalbench.config.dataset import Dataset
from vitalbench.config.expression import evaluate, facts_named
from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Finite
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError, choices

BEGINNINGS = ("declared", "measured")  # of a fact's name; its data set follows
COUNTED = ("records", "patients", "labels")  # then, of a whole release
AUROC = "auroc"  # or what was reached in a task by a design
EFFICIENCY = "efficiency"  # or of designs side by side on a target
Said = Annotated[str, Field(min_length=1)]


class Claim(Strict):
    """One reported number.

    `arithmetic` evaluates `check` on declared facts (`declared.<data set>.<fact>`) and literals; `measured` on facts counted in a
    whole release (`measured.<data set>.<fact>`) or measured of designs side by side
    (`measured.<data set>.efficiency.<target>['<design>'].<column>`), or names what it `waits_for`; `untestable` has a `reason`
    instead. `definition` says what the number is of where its words leave that open. `relation` is the document's: "< 100 ms"
    is `at-most`.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    location: Said
    text: Said
    reported: Finite
    unit: Said
    definition: Said | None = None
    relation: Literal["equals", "at-most", "at-least"] = "equals"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    method: Literal["arithmetic", "measured", "untestable"]
    check: str | None = None
    waits_for: Said | None = None
    reason: str = ""

    def holds(self, found: float) -> bool:
        """Whether what was found is what the document says, within the tolerance."""
        below, above = found - self.reported <= self.tolerance, self.reported - found <= self.tolerance
        return {"equals": below and above, "at-most": below, "at-least": above}[self.relation]

    def holds_over(self, low: float, high: float) -> bool | None:
        """The same of an interval: True or False where that is so of all of it, None where it is not settled."""
        if self.holds(low) and self.holds(high):
            return True
        beyond = low - self.reported > self.tolerance, self.reported - high > self.tolerance
        apart = {"equals": any(beyond), "at-most": beyond[0], "at-least": beyond[1]}[self.relation]
        return False if apart else None


class Document(Strict):
    """configs/claims/<document>.yaml: a document and the numbers it reports."""

    source: Said
    claims: Annotated[list[Claim], Field(min_length=1)]


def _check_arithmetic(claim: Claim, where: str) -> None:
    try:
        if claim.check is not None and not facts_named(claim.check):
            evaluate(claim.check, {})
    except ConfigError as error:
        raise ConfigError(f"{where}: check: {error}") from None


def read_documents(folder: Path) -> dict[str, Document]:
    """Read every document of a folder; ids are unique over all of them, and every `check` is arithmetic."""
    documents = {path.stem: validated(Document, read_yaml(path), path) for path in sorted(folder.glob("*.yaml"))}
    seen: dict[str, str] = {}
    for name, document in documents.items():
        for claim in document.claims:
            where = f"{folder / name}.yaml: claim '{claim.id}'"
            if claim.id in seen:
                raise ConfigError(f"{where}: the id is taken in {seen[claim.id]}.yaml")
            if claim.waits_for is not None and (claim.method != "measured" or claim.check is not None):
                raise ConfigError(f"{where}: 'waits_for' is in the place of the 'check' of a measured claim")
            if (claim.check is None and claim.waits_for is None) != (claim.method == "untestable"):
                raise ConfigError(f"{where}: a claim needs the key 'check', an untestable one must not have it")
            if claim.method == "untestable" and not claim.reason:
                raise ConfigError(f"{where}: an untestable claim needs the key 'reason'")
            seen[claim.id] = name
            _check_arithmetic(claim, where)
    if not documents:
        raise ConfigError(f"{folder}: no claims file")
    return documents


def _check_method(claim: Claim) -> None:
    """A measured claim rests on a measured fact, and an arithmetic one on none."""
    if claim.check is None:
        return
    rests = any(fact.startswith("measured.") for fact in facts_named(claim.check))
    if rests != (claim.method == "measured"):
        raise ConfigError(f"method is '{claim.method}', and its check names {'a' if rests else 'no'} measured fact")


def flat(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a nested dictionary, each by its dotted name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{prefix}.{key}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, value


def declared_by(name: str, expected: dict[str, Any] | None, signal: dict[str, Any]) -> dict[str, float]:
    """The facts a data set's configuration declares of its whole release, by `declared.<data set>.<fact>`."""
    return dict(flat(f"declared.{name}", expected or {})) | dict(flat(f"declared.{name}.signal", signal))


@dataclass(frozen=True)
class Known:
    """What a project has that a fact may name.

    Attributes:
        datasets, tasks, designs, targets: by their names.
        columns: of the table of designs side by side.
        read: a data set, by its name; only those that a claim names are read.
    """

    datasets: list[str]
    tasks: list[str]
    designs: list[str]
    targets: list[str]
    columns: list[str]
    read: Callable[[str], Dataset]

    def one_of(self, name: str, known: list[str], what: str, fact: str) -> str:
        """The longest of some names that `name` begins with; a ConfigError where there is none."""
        found = next((of for of in sorted(known, key=len, reverse=True) if f"{name}.".startswith(f"{of}.")), None)
        if found is None:
            named = name.partition(".")[0]
            raise ConfigError(f"'{fact}': no {what} is named {named!r}; {choices(named, known)}")
        return found


def _check_fact(fact: str, known: Known, declared: Callable[[str], set[str]]) -> None:
    beginning, _, rest = fact.partition(".")
    if beginning not in BEGINNINGS:
        raise ConfigError(f"'{fact}' begins with '{beginning}'; {choices(beginning, BEGINNINGS)}")
    dataset = known.one_of(rest, known.datasets, "data set", fact)
    rest = rest[len(dataset) + 1 :]
    if beginning == "declared":
        if fact not in declared(dataset):
            raise ConfigError(f"data set '{dataset}' declares no '{fact}'; {choices(fact, declared(dataset))}")
        return
    kind, _, rest = rest.partition(".")
    if kind == AUROC:
        task = known.one_of(rest, known.tasks, "task", fact)
        known.one_of(rest[len(task) + 1 :], known.designs, "design", fact)
    elif kind == EFFICIENCY:
        target = known.one_of(rest, known.targets, "target", fact)
        rest = rest[len(target) + 1 :]
        design = known.one_of(rest, known.designs, "design", fact)
        known.one_of(rest[len(design) + 1 :], known.columns, "column of the table efficiency", fact)
    elif kind not in COUNTED:
        raise ConfigError(f"'{fact}': nothing is measured as '{kind}'; {choices(kind, (*COUNTED, AUROC, EFFICIENCY))}")


def check_facts(folder: Path, documents: dict[str, Document], known: Known) -> None:
    """Refuse a claim that rests on what the project does not have, or on a number that a data set's file does not declare."""
    facts: dict[str, set[str]] = {}

    def declared(dataset: str) -> set[str]:
        if dataset not in facts:
            told = known.read(dataset)
            expected = told.expected.model_dump() if told.expected else None
            facts[dataset] = set(declared_by(dataset, expected, told.signal.model_dump()))
        return facts[dataset]

    for name, document in documents.items():
        for claim in document.claims:
            try:
                for fact in facts_named(claim.check) if claim.check else []:
                    _check_fact(fact, known, declared)
                _check_method(claim)
            except ConfigError as error:
                raise ConfigError(f"{folder / name}.yaml: claim '{claim.id}': check: {error}") from None
