"""What the total of a document's sources is made of: configs/made-of/<document>.yaml, worked out from published counts."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from vitalbench.config.claim_facts import declared_by
from vitalbench.config.claims_file import Document, Said
from vitalbench.config.expression import UnknownFact, enclose, facts_named
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Name
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError, choices


class _Counted(Strict):
    datasets: list[Name] = Field(default_factory=list)  # as many as these are to hold when whole, and
    published: Said = "0"
    not_its_own: Said = "0"
    generated: bool = False
    why: Said


class Line(_Counted):
    """A line of the document, by the claim that holds what it says."""

    claim: Said


class Beyond(_Counted):
    """A source that the document does not list."""

    name: Said


class MadeOf(Strict):
    """configs/made-of/<document>.yaml."""

    document: Said
    total: Said
    lines: Annotated[list[Line], Field(min_length=1)]
    beyond: list[Beyond] = Field(default_factory=list)


@dataclass(frozen=True)
class Added:
    """One line: what the document says, what is published, and how much of that is another line's or no source's of it."""

    name: str
    says: float | None
    published: int
    not_its_own: int
    generated: bool
    why: str

    @property
    def adds(self) -> int:
        """Records that no other line has."""
        return self.published - self.not_its_own


def _read(folder: ConfigFolder, name: str) -> tuple[MadeOf, Document, Path]:
    path = folder.path / "made-of" / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; {choices(name, folder.names('made-of'))}")
    found = validated(MadeOf, read_yaml(path), path)
    if found.document not in folder.documents:
        raise ConfigError(f"{path}: document: {found.document!r}; {choices(found.document, folder.documents)}")
    return found, folder.documents[found.document], path


def _facts(folder: ConfigFolder, document: Document, expressions: list[str]) -> dict[str, float]:
    """What the named data sets declare and the document's file states."""
    facts = {f"stated.{name}": stated.value for name, stated in document.stated.items()}
    named: set[str] = set()
    for expression in expressions:
        with suppress(ConfigError):  # told where it stands, once its line is counted
            named |= set(facts_named(expression))
    for name in folder.names("datasets"):
        if any(fact.startswith(f"declared.{name}.") for fact in named):
            facts |= declared_by(name, folder.dataset(name).model_dump())
    return facts


def _expected(folder: ConfigFolder, dataset: str, where: str) -> int:
    expected = folder.dataset(dataset, where).expected
    if expected is None:
        raise ConfigError(f"{where}: data set '{dataset}' does not say how many records it holds when it is whole")
    return expected.records


def _count(expression: str, facts: Mapping[str, float], where: str) -> int:
    try:
        low, _ = enclose(expression, {name: (value, value) for name, value in facts.items()})
    except UnknownFact as fact:
        raise ConfigError(f"{where}: {choices(str(fact), facts)}") from None
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return round(low)


def made_of(folder: ConfigFolder, name: str) -> tuple[list[Added], float]:
    """The lines of a document's total in its order, then what it does not list; and the total as the document has it.

    Raises:
        ConfigError: there is no such file, it names a claim or a fact that there is not, or is no arithmetic.
    """
    found, document, path = _read(folder, name)
    claims = {claim.id: claim for claim in document.claims}
    for asked in (found.total, *(line.claim for line in found.lines)):
        if asked not in claims:
            raise ConfigError(f"{path}: claim {asked!r}; {choices(asked, claims)}")
    counted: list[Line | Beyond] = [*found.lines, *found.beyond]
    facts = _facts(folder, document, [part for line in counted for part in (line.published, line.not_its_own)])

    def rows() -> Iterator[Added]:
        for line in counted:
            claim = claims[line.claim] if isinstance(line, Line) else None
            named = claim.text if claim else line.name if isinstance(line, Beyond) else ""
            published, not_its_own = (
                _count(getattr(line, part), facts, f"{path}: {named}: {part}") for part in ("published", "not_its_own")
            )
            whole = sum(_expected(folder, dataset, f"{path}: {named}") for dataset in line.datasets)
            yield Added(
                named, claim.reported if claim else None, published + whole, not_its_own, line.generated, line.why
            )

    return list(rows()), claims[found.total].reported
