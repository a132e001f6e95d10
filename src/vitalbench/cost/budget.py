"""A document's cost and storage tables, line by line: what it says, what its own terms come to, and what is derived anew."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vitalbench.config.budget_file import Budget, Line
from vitalbench.config.expression import UnknownFact, evaluate
from vitalbench.config.prices import Price
from vitalbench.config.storage_prices import StoragePrice
from vitalbench.errors import ConfigError, choices

_AGREES = 0.0005  # of the reported figure: a rounding
WITHIN, BEYOND = "within the bound", "beyond the bound"
VERDICTS = ("agrees", "differs", WITHIN, BEYOND, "contradicts its own terms", "not derived", "not in the document")


@dataclass(frozen=True)
class Derived:
    """A line with its figures; None where there is none.

    Attributes:
        used: the prices that went into it, with their dates.
    """

    line: Line
    terms: float | None
    derived: float | None
    used: list[str]

    @property
    def verdict(self) -> str:
        """What the line is worth: of the document's arithmetic, and of what is derived anew."""
        if self.line.reported is None:
            return "not in the document"
        if self.terms is not None and not _near(self.terms, self.line.reported):
            return "contradicts its own terms"
        if self.derived is None:
            return "not derived"
        if self.line.bound:
            return WITHIN if self.derived <= self.line.reported else BEYOND
        return "agrees" if _near(self.derived, self.line.reported) else "differs"


def _near(found: float, reported: float) -> bool:
    return abs(found - reported) <= _AGREES * abs(reported)


def _facts(prices: Mapping[str, Price], storage: Mapping[str, StoragePrice]) -> dict[str, float]:
    return {f"price.{key}": price.usd_per_hour for key, price in prices.items()} | {
        f"storage.{key}": price.usd_per_gb_month for key, price in storage.items()
    }


def derive(
    budget: Budget, prices: Mapping[str, Price], storage: Mapping[str, StoragePrice], where: str
) -> Iterator[Derived]:
    """Each line of a budget, in its order.

    Args:
        where: the budget's file, for messages.

    Raises:
        ConfigError: an expression names a price or a line that there is not, or its arithmetic fails.
    """
    facts = _facts(prices, storage)
    dates = {f"price.{key}": price.price_date for key, price in prices.items()} | {
        f"storage.{key}": price.price_date for key, price in storage.items()
    }

    def value(line: Line, key: str, expression: str | None) -> tuple[float | None, Iterable[str]]:
        if expression is None:
            return None, ()
        try:
            found, used = evaluate(expression, facts)
        except UnknownFact as unknown:
            raise ConfigError(
                f"{where}: line '{line.id}': {key}: {choices(str(unknown).strip(chr(39)), facts)}"
            ) from None
        except ConfigError as error:
            raise ConfigError(f"{where}: line '{line.id}': {key}: {error}") from None
        return found, used

    for line in budget.lines:
        terms, _ = value(line, "terms", line.terms)
        derived, used = value(line, "derived", line.derived)
        told = [f"{name.split('.', 1)[1]} of {dates[name]}" for name in used if name in dates]
        yield Derived(line, terms, derived, told)
        facts[f"line.{line.id}"] = derived if derived is not None else float(line.reported or 0.0)
