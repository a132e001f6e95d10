"""What the claims are held against: numbers by name, with the interval of those that have one, and why the others are missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitalbench.config.claims_file import Stated
from vitalbench.config.expression import Interval, enclose, facts_named


@dataclass(frozen=True)
class Facts:
    """Numbers by their dotted name.

    Attributes:
        numbers: what was declared, stated, counted, measured or projected.
        intervals: of those numbers that have one.
        notes: where a value is from, of those whose name does not tell.
        missing: why a data set gives no `measured` numbers, by its name.
        unprojected: why a target gives no `projected` numbers, by its name.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unprojected: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, ends: Interval | None = None, note: str = "") -> None:
        """Name a number."""
        self.numbers[name] = value
        if ends is not None:
            self.intervals[name] = ends
        if note:
            self.notes[name] = note

    def interval(self, expression: str) -> Interval:
        """What an expression comes to over the intervals of its facts.

        Raises:
            UnknownFact: it names one that is not here.
            ConfigError: it has no result somewhere within.
        """
        return enclose(expression, {name: self._ends(name) for name in facts_named(expression) if name in self.numbers})

    def _ends(self, name: str) -> Interval:
        """A resampled interval need not hold the number it is of: it is widened to."""
        value = self.numbers[name]
        low, high = self.intervals.get(name, (value, value))
        return min(low, value), max(high, value)

    def beside(self, stated: Mapping[str, Stated]) -> "Facts":
        """These, and what others state as a document's file holds it."""
        more = Facts(dict(self.numbers), dict(self.intervals), dict(self.notes), self.missing, self.unprojected)
        for name, told in stated.items():
            more.add(f"stated.{name}", told.value, None if told.low is None else told.ends, told.source)
        return more
