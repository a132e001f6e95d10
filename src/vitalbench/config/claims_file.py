"""Claims files: the numbers a document reports, and how each is checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.expression import Interval, enclose, facts_named, places
from vitalbench.config.strict import Strict, validated
from vitalbench.config.values import Finite
from vitalbench.config.yaml_file import read_yaml
from vitalbench.errors import ConfigError

_SLACK = 1e-9  # of a number, by which sums of decimals may miss it
Said = Annotated[str, Field(min_length=1)]


class Stated(Strict):
    """A number that a named source states: it may refute what a document reports, but nobody measured or worked it out here."""

    value: Finite
    low: Finite | None = None
    high: Finite | None = None
    unit: Said
    source: Said

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        low, high = self.ends
        if (self.low is None) != (self.high is None) or not low <= self.value <= high:
            raise PydanticCustomError("ends", "keys 'low' and 'high' go together, and 'value' lies between them")
        return self

    @property
    def ends(self) -> Interval:
        """From the least to the most it may be."""
        return (self.value if self.low is None else self.low), (self.value if self.high is None else self.high)


class Claim(Strict):
    """One reported number, or one reported range.

    `arithmetic` evaluates `check` on literals and on what is declared or stated; `measured` on what was counted or measured here,
    or names what it `waits_for`; `projection` on what is projected from that, or from a target's declared rates; `untestable` has a
    `reason` instead. docs/METHODS.md lists the facts. `definition` says what the number is of where its words leave that open;
    `relation` is the document's: "< 100 ms" is `at-most`. A range goes from `reported` to `reported_to`; `check_to` is the upper
    end of what is found, where that is a range too. `reason` and `waits_for` may hold expressions in braces. `beside`, as
    `<data set>.<label set>.<class, or macro>`, says whose AUROC it reports, of whatever network: the page shows it beside ours.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    location: Said
    text: Said
    reported: Finite
    reported_to: Finite | None = None
    unit: Said
    definition: Said | None = None
    relation: Literal["equals", "at-most", "at-least"] = "equals"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    method: Literal["arithmetic", "measured", "projection", "untestable"]
    check: str | None = None
    check_to: str | None = None
    waits_for: Said | None = None
    reason: str = ""
    beside: Annotated[str, Field(pattern=r"^[^.]+\.[^.]+\.[^.]+$")] | None = None

    @property
    def checks(self) -> list[str]:
        """The expressions of its lower and its upper end."""
        return [check for check in (self.check, self.check_to) if check is not None]

    @property
    def expressions(self) -> list[tuple[str, str]]:
        """Every expression with the key it stands in, those within its words among them."""
        whole = [(key, getattr(self, key)) for key in ("check", "check_to") if getattr(self, key) is not None]
        return whole + [
            (key, place) for key in ("reason", "waits_for") for place, _ in places(getattr(self, key) or "")
        ]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What its expressions name, each with the key it stands in."""
        return [(key, fact) for key, expression in self.expressions for fact in facts_named(expression)]

    def _holds(self, found: Interval, least: float, most: float) -> bool | None:
        low, high = found
        slack = self.tolerance + _SLACK * max(map(abs, (low, high, least, most)))
        over, under = (low - most > slack, high - most > slack), (least - high > slack, least - low > slack)
        looked = {"equals": (over, under), "at-most": (over,), "at-least": (under,)}[self.relation]
        if any(wholly for wholly, _ in looked):
            return False
        return None if any(partly for _, partly in looked) else True

    def holds(self, found: Interval, found_to: Interval | None = None) -> bool | None:
        """Whether what was found is what the document says, within the tolerance; None where part of an interval is and part not.

        A range that was found is held against a reported one end by end, and against a number as a whole.
        """
        last = self.reported if self.reported_to is None else self.reported_to
        if found_to is None:
            return self._holds(found, self.reported, last)
        if self.reported_to is None:
            return self._holds((min(found[0], found_to[0]), max(found[1], found_to[1])), self.reported, last)
        ends = self._holds(found, self.reported, self.reported), self._holds(found_to, last, last)
        return False if False in ends else None if None in ends else True


class Document(Strict):
    """configs/claims/<document>.yaml: a document, the numbers it reports, and those that others state and its claims rest on."""

    source: Said
    stated: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Stated] = Field(default_factory=dict)
    claims: Annotated[list[Claim], Field(min_length=1)]


def _check_keys(claim: Claim) -> None:
    """Refuse keys that do not go together."""
    if claim.waits_for is not None and (claim.method not in ("measured", "projection") or claim.check is not None):
        raise ConfigError("'waits_for' is in the place of the 'check' of a measured claim")
    if (claim.check is None and claim.waits_for is None) != (claim.method == "untestable"):
        raise ConfigError("a claim needs the key 'check', an untestable one must not have it")
    if claim.check_to is not None and claim.check is None:
        raise ConfigError("'check_to' is the upper end of a range, whose lower end is the key 'check'")
    if claim.method == "untestable" and not claim.reason:
        raise ConfigError("an untestable claim needs the key 'reason'")
    if claim.reported_to is None:
        return
    if claim.reported_to <= claim.reported:
        raise ConfigError(
            f"reported_to is {claim.reported_to:g}; a range ends above {claim.reported:g}, where it begins"
        )
    if claim.relation != "equals":
        raise ConfigError(f"relation is '{claim.relation}', which a range does not have; allowed: equals")


def _check_expressions(claim: Claim) -> None:
    """Refuse an expression that is none, or that has no result whatever its facts are."""
    for key in ("reason", "waits_for"):
        try:
            list(places(getattr(claim, key) or ""))
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from None
    for key, expression in claim.expressions:
        try:
            if not facts_named(expression):
                enclose(expression, {})
        except ConfigError as error:
            raise ConfigError(f"{key}: {error}") from None


def read_documents(folder: Path) -> dict[str, Document]:
    """Read every document of a folder; ids are unique over all of them, and every `check` is arithmetic."""
    for path in sorted(folder.glob("*.yml")):
        raise ConfigError(f"{path}: a claims file is named {path.stem}.yaml; under this name it would be left out")
    documents = {path.stem: validated(Document, read_yaml(path), path) for path in sorted(folder.glob("*.yaml"))}
    seen: dict[str, str] = {}
    for name, document in documents.items():
        for claim in document.claims:
            where = f"{folder / name}.yaml: claim '{claim.id}'"
            if claim.id in seen:
                raise ConfigError(f"{where}: the id is taken in {seen[claim.id]}.yaml")
            seen[claim.id] = name
            try:
                _check_keys(claim)
                _check_expressions(claim)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None
    if not documents:
        raise ConfigError(f"{folder}: no claims file")
    return documents


def facts_of(documents: dict[str, Document]) -> Iterator[str]:
    """Every fact that a claim of any document names, once."""
    claims = (claim for document in documents.values() for claim in document.claims)
    yield from dict.fromkeys(fact for claim in claims for _, fact in claim.facts)
